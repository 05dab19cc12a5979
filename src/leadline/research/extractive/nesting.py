"""Whether a question asks for something of a thing that it only describes ("the director of that film").

Such a question goes over a bridge: a sentence that covers its words tells as a rule of the bridge,
and not of what is asked. Rules of form alone, English and Chinese.
"""

from __future__ import annotations

import re
from typing import Final

from leadline.text.tokens import fold_han

_ROLES: Final = (
    "director|author|writer|composer|performer|singer|artist|actor|actress|star|creator|producer|publisher|founder|spouse"
    "|wife|husband|partner|child|son|daughter|father|mother|sibling|brother|sister|parent|owner|manufacturer|inventor"
    "|architect|designer|president|leader|captain|engineer|birthplace|employer|boyfriend|girlfriend|screenwriter"
    "|developer|builder|winner|province|county|capital"
)
# What somebody or something is of another: "director of", "Anna's father".
_ROLE: Final = re.compile(
    rf"\b(?:{_ROLES})(?:s|ren|es)?(?:\s+(?:of|in|to|who|that)\b|['\u2019])|['\u2019]s?\s(?:{_ROLES})\b", re.IGNORECASE
)
_KIN: Final = re.compile(
    r"\b(?:(?:grand|step)(?:father|mother|parent|child|son|daughter)|uncle|aunt|\w+-in-law|cousin|nephew|niece)\b",
    re.IGNORECASE,
)
_ASKED_WHO: Final = re.compile(r"\s*(?:who|whom)\b", re.IGNORECASE)
_CLAUSE: Final = re.compile(
    r"\bwhose\b|(?<=\w)\s(?:who|that|in which|on which|for which|where|which)\s+(?:\w+\s){0,3}?"
    r"(?:is|are|was|were|has|had|have|did|does|plays?|contains?|\w+ed|built|wrote|made|led|won|held|sang|took|gave)\b",
    re.IGNORECASE,
)
_INSIDE: Final = re.compile(r"\A\s*(?:\S+\s+){4,}.*?\b(?:what|who|whom|where|which)\b", re.IGNORECASE)
# Several things asked for at once.
_EACH: Final = re.compile(r"\b(?:respectively|each of)\b|分别|各自|各是", re.IGNORECASE)
_ROLE_ZH: Final = re.compile(
    "的(?:总?设计师|设计者|导演|作者|建造者|创始人|发明者|父亲|母亲|妻子|丈夫|儿子|女儿|哥哥|弟弟|姐姐|妹妹|老师|学生|祖父|船长)"
    "(?!是谁|分别|是哪|叫|有谁|为谁|[？?])"
)


def nested(question: str) -> bool:
    """Whether a question asks for something of what it only describes by a relation to something else."""
    folded = fold_han(question)
    roles = len(_ROLE.findall(folded))
    if roles > 1 or _EACH.search(folded) or _KIN.search(folded) or (roles and not _ASKED_WHO.match(folded)):
        return True
    first = folded.partition(" ")[2]  # what a question opens with is no clause of it
    return bool(_CLAUSE.search(first) or _INSIDE.match(folded) or _ROLE_ZH.search(folded))
