"""Words that turn a statement round, English and Chinese, without their false friends."""

from __future__ import annotations

import re
from typing import Final

from leadline.text.language import has_cjk
from leadline.text.offsets import Span

_ENGLISH: Final = re.compile(
    r"\b(?:"
    # False friends first: they are consumed and do not count.
    r"(?:not\s+(?:only|just|merely|simply|least|to\s+mention|until|surprisingly|unlike)|no\s+(?:doubt|"
    r"less|fewer|later|sooner|matter|wonder)|nothing\s+but|why\s+not|whether\s+or\s+not"
    r"|no\.\s*\d+)"
    r"|(?P<cue>not|never|no(?:\s+longer)?|none|nobody|nothing|nowhere|neither|nor|without|cannot"
    r"|hardly|scarcely|barely|unable|fail(?:s|ed|ing)?\s+to|lack(?:s|ed|ing)?"
    r"|den(?:y|ies|ied|ying)|(?:is|are|was|were|do|does|did|has|have|had|ca|could|wo|would|should"
    r"|must|need|might|ai|sha)n['\u2019]t|refus(?:e|es|ed|ing)\s+to))\b",
    re.IGNORECASE,
)
_CHINESE: Final = re.compile(
    "(?:不仅|不但|不只|不光|不单|不断|不斷|不同|不过|不過|不少|不久|不得不|不管|不论|不論|不已|不禁|不愧|不如"
    "|不妨|不料|不丹|不锈|不鏽|不动产|不等式|不限|不由得|不满|不滿|不足|不到|不一|不错|差不多|对不起|了不起"
    "|要不|不少于|不低于|不超过|不超過|不可思议|不可或缺|不时|不约而同|不朽"
    "|未来|未來|未免|未婚|未知|未成年|无线|無線|无锡|無錫|无数|無數|无论|無論|无疑|無疑|无人机|無人機|无限|無限"
    "|无花果|无机|無機|无产阶级|无穷|無窮|无比|無比|无非|无名|无烟|无忧|无障碍|无缝|无损"
    "|非常|非洲|非但|非凡|非法|非物质|非物質|非遗|是非|除非|莫非|非得|非裔|非政府|非营利|南非|北非|东非|西非|中非"
    "|没错|沒錯|沉没|沉沒|淹没|淹沒|没收|沒收|没落|沒落|埋没|埋沒|出没|出沒"
    "|吞没|覆没|没入"
    "|是否|能否|可否|否则|否則|与否|與否|有没有|有沒有|是不是|能不能|会不会|會不會|要不要|好不好)"
    "|(?P<cue>并非|並非|并未|並未|并不|並不|并没有|並沒有|从未|從未|从不|從不|从没|從沒|尚未|不再|绝不|絕不"
    "|毫无|毫無|没有|沒有|没|沒|不|未|无|無|非|勿|否认|否認|否定)"
)


def negated_spans(text: str) -> list[Span]:
    """Return the spans of the words that negate, in order.

    Left out are words that only look so: "not only", "no later than", 不仅, 不同, 未来, 无线, 非常,
    and questions of the kind 是否 and 有没有. Which part of the sentence a word
    negates is not said.
    """
    found = [Span(*match.span("cue")) for match in _ENGLISH.finditer(text) if match["cue"]]
    if has_cjk(text):
        found += [Span(*match.span("cue")) for match in _CHINESE.finditer(text) if match["cue"]]
        found.sort()
    return found


def has_negation(text: str) -> bool:
    """Whether `text` holds a word that negates."""
    return bool(negated_spans(text))
