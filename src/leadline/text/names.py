"""Proper names and quoted titles, English and Chinese, by form alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leadline.text.language import CJK, HAN, has_cjk
from leadline.text.offsets import Intervals, Span
from leadline.text.stops import STARTERS
from leadline.text.tokens import fold, is_stop


def _listed(block: str) -> list[str]:
    return block.split()


class NameKind(StrEnum):
    """How a name was told."""

    NAME = "name"  # capitalised words, or a Chinese name by its suffix, title or middle dot
    ACRONYM = "acronym"  # two or more capitals: NASA, F.I.R.
    TITLE = "title"  # what stands in quotation or title marks


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A name in a text; a title's `text` and offsets leave its marks out."""

    text: str
    start: int
    end: int
    kind: NameKind = NameKind.NAME

    @property
    def span(self) -> Span:
        """Where the name stands."""
        return Span(self.start, self.end)


_UPPER: Final = "A-Z\u00c0-\u00d6\u00d8-\u00de\u0100-\u017f\u0391-\u03a9\u0410-\u042f"
_REST: Final = f"[^\\W{CJK}]"
# A capitalised word, an initial, or an abbreviation with dots. Lengths are bounded so that a
# hostile word costs no more than its length.
_CAPITAL: Final = (
    rf"(?:(?:Mr|Mrs|Ms|Dr|St|Mt|Ft|Prof|Jr|Sr|Gen|Col|Capt|Lt|Rev|Sen|Gov)\.(?!\w)|(?:[A-Z]\.){{1,5}}+(?!\w)"
    rf"|(?:[dDlLO]['\u2019]|(?:al|el|bin|ibn)-)?[{_UPPER}]{_REST}{{0,40}}+(?:-{_REST}{{1,30}}+){{0,4}}+)"
)
_PARTICLE: Final = (
    r"(?:of\s(?:the\s)?|de\s(?:la\s|las\s|los\s)?|del\s|della\s|der\s|den\s|van\s(?:der\s|den\s|de\s)?"
    r"|von\s(?:der\s)?|du\s|da\s|dos\s|di\s|la\s|le\s|el\s|al\s|bin\s|ibn\s|y\s|&\s|the\s)"
)
_ENGLISH: Final = re.compile(
    rf"(?<!{_REST}){_CAPITAL}"
    rf"(?:(?:['\u2019]s)?[ \u00a0]{_PARTICLE}?{_CAPITAL}|[ ]\d{{1,3}}(?![\w.,%])){{0,11}}+"
)
_ACRONYM: Final = re.compile(r"(?:[A-Z][A-Z0-9&-]+|(?:[A-Z]\.){2,})s?")
_TITLES: Final = re.compile(
    "《(?P<book>[^《》\n]{1,60})》|〈(?P<essay>[^〈〉\n]{1,60})〉|“(?P<double>[^“”\n]{1,100})”"
    "|「(?P<corner>[^「」\n]{1,60})」|『(?P<white>[^『』\n]{1,60})』"
    r"|(?<![\w\"])\"(?P<straight>[^\"\n]{1,100})\"(?!\w)"
)
_MAX_TITLE_WORDS: Final = 12
_SENTENCE_MARK: Final = re.compile("[,.;!?，。；！？]")
_SPACED: Final = re.compile(r"\s+")

# Capitalised for other reasons than being a name.
_CALENDAR: Final = frozenset(
    _listed("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december i i'm i've i'd i'll ok mr mrs ms dr bc ad am pm
    chapter section figure table
    """)
)

_SUFFIX: Final = (
    "有限公司|公司|集团|集團|银行|銀行|大学|大學|学院|學院|研究院|研究所|中学|小学|医院|醫院|博物馆|博物館|图书馆"
    "|圖書館|出版社|电视台|報社|日报|日報|委员会|委員會|基金会|协会|協會|学会|學會|联盟|聯盟|组织|組織|政府|法院"
    "|共和国|共和國|王国|王國|帝国|帝國|自治区|自治區|机场|機場|火车站|车站|車站|大桥|大橋|铁路|鐵路|高速公路|运河"
    "|運河|水库|水庫|海峡|海峽|半岛|半島|群岛|群島|山脉|山脈|高原|平原|沙漠|公园|公園|广场|廣場|大厦|大廈|天文台"
    "|省|市|县|縣|州|区|區|镇|鎮|村|国|國|河|江|湖|海|山|岛|島|桥|橋|路|街|港|站|寺|庙|廟|塔|宫|宮|殿|号|號|奖|獎|队|隊|党|黨|朝"
)
# Words that end what may belong to a name, from the left.
_BREAK: Final = (
    "[的了是在和与與及由被为為于於对對从從向到把将將等该該这這那其各每有又也就都而但并並或即乃以至自经經过過"
    "座条條个個位名家所种種次艘]|位于|建于|毕业|畢業|成立|设计|設計|建造|出生|担任|擔任|来自|來自|前往|参加|參加|加入|成为|成為"
)
_SHORT_SUFFIXES: Final = frozenset(part for part in _SUFFIX.split("|") if len(part) == 1)
_HAN: Final = re.compile(f"[{HAN}]")
_HAN_RUN: Final = re.compile(f"[{HAN}]{{2,}}")
_HAN_BREAK: Final = re.compile(_BREAK)
# Greedy: in 上海市 the suffix is the last one. The body is bounded, hence linear.
_HAN_SUFFIXED: Final = re.compile(f"(?P<body>[{HAN}]{{1,20}})(?P<suffix>{_SUFFIX})")
# With a suffix of one character these make a common noun: 城市, 全国, 大桥.
_GENERIC: Final = frozenset("城省全本外各大小中首某一两新老旧古多共母祖我他王帝民山江海河铁公马道高")

_DOTTED: Final = re.compile(
    f"[{HAN}]{{1,8}}(?:[·•・‧][{HAN}]{{1,8}}?){{1,4}}(?=[^{HAN}·•・‧]|$|{_BREAK}|说|說|表示|认为|認為|创作|创立|发明|發明|发现|發現|获得|獲得|去世|逝世|写|曾|教授|博士|先生)"
)
_MIDDLE_DOT: Final = re.compile("[·•・‧]")
_SURNAME: Final = (
    "赵钱孙李周吴郑王冯陈蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜谢邹苏潘葛范彭鲁韦马苗方俞任袁柳史唐费薛雷贺倪汤罗毕郝安常乐于傅齐"
    "康伍余顾孟黄穆萧尹姚邵汪毛戴宋庞熊纪舒屈项祝董梁杜蓝季贾江童颜郭梅林钟徐邱骆高夏蔡田胡霍虞万柯卢莫丁邓洪石崔龚程陆曾侯"
    "趙錢孫吳鄭馮陳蔣韓楊許呂張嚴華謝鄒蘇魯韋馬湯羅畢樂齊顧黃蕭龐紀項藍賈顏鍾駱萬盧鄧龔陸"
)
_OFFICE: Final = (
    "先生|女士|小姐|教授|博士|院士|总统|總統|主席|总理|總理|部长|部長|市长|市長|省长|校长|校長|院长|院長|会长|會長|董事长|董事長"
    "|总裁|經理|经理|工程师|工程師|建筑师|建築師|将军|將軍|皇帝|国王|國王|女王|导演|導演|作家|诗人|詩人|画家|畫家|演员|演員|歌手|记者|記者|科学家|科學家"
)
_PERSON: Final = re.compile(
    f"(?:{_OFFICE})(?P<after>[{_SURNAME}][{HAN}]{{1,2}}?)(?=[^{HAN}]|$|{_BREAK}|说|說|表示|认为|認為|曾|创|設|写|获)"
    f"|(?P<before>[{_SURNAME}][{HAN}]{{0,2}}?)(?=(?:{_OFFICE}))"
)


def find_names(text: str) -> list[Name]:
    """Return the names of `text` in order, disjoint; names inside a title are part of it.

    A capitalised word that opens a sentence is a name only as part of a longer one or where the
    text capitalises it elsewhere as well. Chinese names are told by title marks, by suffixes
    (公司, 大学, 桥), by a middle dot, or by a surname beside an office; others are not found.
    """
    found = list(_titles(text))
    titles = Intervals([title.span for title in found])
    names = list(_english(text))
    if has_cjk(text):
        names.extend(_chinese(text))
    found.extend(name for name in names if not titles.touch(name.span))
    return sorted(found, key=lambda name: name.start)


def _titles(text: str) -> Iterator[Name]:
    for match in _TITLES.finditer(text):
        title = match[match.lastgroup or 0]
        if match.lastgroup in {"double", "corner", "white", "straight"} and not _is_title(title):
            continue
        start, end = match.span(match.lastgroup or 0)
        yield Name(text=title, start=start, end=end, kind=NameKind.TITLE)


def _is_title(quoted: str) -> bool:
    """Whether a quoted text can be a title or term rather than speech."""
    if quoted != quoted.strip() or _SENTENCE_MARK.search(quoted):
        return False
    if has_cjk(quoted):
        return len(quoted) <= 20
    return quoted[0].isupper() and len(quoted.split()) <= _MAX_TITLE_WORDS


def _english(text: str) -> Iterator[Name]:
    doubtful: list[Name] = []
    sure: set[str] = set()
    for match in _ENGLISH.finditer(text):
        name = _trimmed(text, Span(*match.span()))
        if name is None:
            continue
        if name.start == match.start() and _is_doubtful(text, name):
            doubtful.append(name)
            continue
        sure.add(name.text)
        yield name
    yield from (name for name in doubtful if name.text in sure)


def _is_doubtful(text: str, name: Name) -> bool:
    """Whether a name may be a plain word that is capitalised because it opens a sentence."""
    return (
        " " not in name.text
        and name.kind is NameKind.NAME
        and not any(char.isupper() or char.isdigit() for char in name.text[1:])
        and _opens_sentence(text, name.start)
    )


def _trimmed(text: str, span: Span) -> Name | None:
    """Return the name in a run of capitalised words, without the words that open a sentence."""
    start, end = span
    while start < end:
        blank = _SPACED.search(text, start, end)
        first_end = blank.start() if blank else end
        first = text[start:first_end]
        if blank is None:
            break
        opener = first in STARTERS and first != "The" and _opens_sentence(text, start)
        if not (opener or first == "I" or is_stop(first.lower())):
            break
        start = blank.end()
    shown = text[start:end]
    bare = shown.rstrip(".") if not _ACRONYM.fullmatch(shown) else shown
    lowered = bare.lower()
    if not bare or lowered in _CALENDAR or (" " not in bare and is_stop(lowered)):
        return None
    if len(bare) == 1:
        return None
    kind = NameKind.ACRONYM if _ACRONYM.fullmatch(bare) else NameKind.NAME
    return Name(text=_SPACED.sub(" ", bare), start=start, end=start + len(bare), kind=kind)


def _opens_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 6) : start].rstrip(" \t\"'\u201c\u2018([*#-")
    return not before or before[-1] in ".!?。！？:：;；\n\r>|•"


def _chinese(text: str) -> Iterator[Name]:
    persons: list[Span] = []
    for span in sorted(_persons(text)):
        if not persons or persons[-1].end <= span.start:
            persons.append(span)
    known = Intervals(persons)
    suffixed = [span for span in _suffixed(text) if not known.touch(span)]
    for span in (*persons, *suffixed):
        yield Name(text=span.of(text), start=span.start, end=span.end)


def _persons(text: str) -> Iterator[Span]:
    if _MIDDLE_DOT.search(text):
        for match in _DOTTED.finditer(text):
            yield Span(*match.span())
    for match in _PERSON.finditer(text):
        yield Span(*match.span("after" if match["after"] else "before"))


def _suffixed(text: str) -> Iterator[Span]:
    for run in _HAN_RUN.finditer(text):
        start = run.start()
        for border in _HAN_BREAK.finditer(text, run.start(), run.end()):
            yield from _suffixed_in(text, start, border.start())
            start = border.end()
        yield from _suffixed_in(text, start, run.end())


def _suffixed_in(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the name that a stretch without function words begins with, if it has a suffix."""
    match = _HAN_SUFFIXED.match(text, start, end)
    if match is None:
        return
    if len(match["body"]) == 1 and (len(match["suffix"]) == 1 or match["body"] in _GENERIC):
        return
    yield Span(*match.span())


# What follows a whole name without a blank: a direction, a verb of motion, an adverb, a number.
_BEHIND: Final = "东東南西北中内內外上下边邊畔麓附旁回到去来來往有曾已也都就又还還最第一二两三四五六七八九十"
# What a name does not begin with, and what no name holds: a clause was taken for one.
_NO_BEGIN: Final = re.compile("[一二两三四五六七八九十几幾数數第每年后後率]|今天|昨天|后来|後來")
_NO_NAME: Final = re.compile("率领|率領|进行|進行|实现|實現|改用|察看|使|让|讓|离|離|达|達")


def whole(text: str, name: Name) -> bool:
    """Return whether a name is whole words, as far as what stands in it and behind it tells.

    Only a Chinese name that is told by a suffix of one character may not be: 北极星离海 before 岸.
    """
    marked = name.kind is not NameKind.NAME or _MIDDLE_DOT.search(name.text)
    if marked or name.text[-1:] not in _SHORT_SUFFIXES or not _HAN_RUN.fullmatch(name.text):
        return True
    if _NO_BEGIN.match(name.text) or _NO_NAME.search(name.text):
        return False
    behind = text[name.end : name.end + 1]
    return not _HAN.match(behind) or behind in _BEHIND or _HAN_BREAK.match(text, name.end) is not None


_HONORIFIC: Final = re.compile(
    r"^(?:the|mr|mrs|ms|dr|prof|professor|sir|dame|president|king|queen|saint|st)\.?\s+(?=\w)"
)
_POSSESSIVE: Final = re.compile(r"['\u2019]s\b")
_MARKS: Final = re.compile(r"[^\w\s]+")


def name_key(text: str) -> str:
    """Return the form in which names are compared.

    Case, accents, traditional characters, punctuation, title marks, a possessive "s" and a
    leading article or honorific do not count; initials are joined (J. R. R. is jrr).
    """
    key = _POSSESSIVE.sub("", fold(text)).strip()
    key = _HONORIFIC.sub("", key)
    key = re.sub(r"(?<=\b\w)\.\s?(?=\w\b)", "", key)
    key = key.replace("-", " ")
    return _SPACED.sub(" ", _MARKS.sub("", key)).strip()
