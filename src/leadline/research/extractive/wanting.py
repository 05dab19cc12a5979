"""The form of value that a question wants, and whether a sentence holds one.

Wider than `shapes`, which names a direct answer: this tells what a sentence must hold to say at all
what is asked. A duration, a price, a time of day, a temperature, a person, a place, a count.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, NamedTuple

from leadline.research.extractive.asking import Asked
from leadline.research.extractive.shapes import Shape, fit, shape_of
from leadline.text.dates import find_dates
from leadline.text.language import HAN
from leadline.text.names import find_names
from leadline.text.numbers import Kind as NumberKind
from leadline.text.numbers import find_numbers
from leadline.text.tokens import terms
from leadline.text.units import same_dimension


class Want(NamedTuple):
    """What is wanted: `kind` names it, empty where no form can be told.

    `units` are of the dimensions that fit, and `words` are terms of the question that the form itself says.
    """

    kind: str
    units: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    written: re.Pattern[str] | None = None

    def without(self, text: str) -> str:
        """Return a Chinese question without the words that the form says."""
        return text if self.written is None else self.written.sub(" ", text)


_MONEY: Final = re.compile(
    r"\bhow much\b.{1,60}\b(?:cost|pay|paid|charge|worth)|\bhow (?:expensive|much (?:is|are|was|were)\b)"
    r"|\bwhat (?:is|are|was|were|does|do|did)\b"
    r".{1,60}\b(?:price|cost|fee|rent|fare|salary)s?\b|\bat what price\b"
    r"|多少[钱錢元]|价格|售价|价钱|費用是|费用是|租金是",
    re.IGNORECASE,
)
_MUCH: Final = re.compile(r"\bhow much\b", re.IGNORECASE)
_LASTING: Final = re.compile(
    r"\bhow long\b|\bfor how (?:many|long)\b|\bhow many (?:seconds|minutes|hours"
    r"|days|weeks|months|years)\b|\bhow old\b"
    r"|多久|多[长長]时间|多少[天年周月小]|[几幾](?:天|年(?!建|成|开|出)|周|个月|小时|分钟)|多[长長](?=[？?]|\Z)",
    re.IGNORECASE,
)
# How long a thing is: in metres, or in hours.
_EITHER_LONG: Final = re.compile(r"how long (?:is|are|was|were)\b|多[长長](?!时间)", re.IGNORECASE)
_WARM: Final = re.compile(r"\btemperature\b|温度|多[热冷]", re.IGNORECASE)
_CLOCK: Final = re.compile(r"\bwhat time\b|\bwhat are the .{0,20}hours\b|[几幾][点點]|什么时间", re.IGNORECASE)
_HOURS: Final = re.compile(
    r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}\s?(?:a\.?m|p\.?m)\b|\b(?:noon|midnight"
    r"|o'clock)\b|[\d一二三四五六七八九十两]{1,3}[点點时時]"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:daily|weekdays?|weekends?|every day)\b"
    r"|周[一二三四五六日末]|星期|每天",
    re.IGNORECASE,
)
_SPAN: Final = re.compile(
    r"\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|several"
    r"|a few|half an?|\d+)[\s-](?:second"
    r"|minute|hour|day|night|"
    r"week|fortnight|month|year|decade|centur)|\b(?:until|since|forever|permanent"
    r"|indefinite|for life|lifetime)"
    r"|[一二三四五六七八九十百两半数\d]+个?(?:秒|分钟|小时|天|日|夜|周|星期|月|季度|年)|终身|永久|长期|直到",
    re.IGNORECASE,
)
_SUM: Final = re.compile(
    r"(?-i:\b[A-Z]{3}\s?\d|\d\s?[A-Z]{3}\b)|[$€£¥￥]\s?\d|\d[\d.,]*\s?(?:thousand"
    r"|million|billion)?\s?(?:[$€£¥]|kron"
    r"|crown|franc|peso"
    r"|rupee|dollar|euro|pound|yen|yuan|cent|pence|rand)|\bfree\b|\bnothing\b|no (?:charge|fee)"
    r"|[\d一二三四五六七八九十百千万两]\s?(?:元|块|人民币)|免费",
    re.IGNORECASE,
)
_LOWER_PLACE: Final = re.compile(
    r"\b(?:in|at|on|under|behind|near|beside|inside|outside|above|below|beneath"
    r"|opposite|between|into|next to|off"
    r"|from|to|via)\s"
    r"(?:(?:the|an?|its|his|her|their|our)\s)?[\w'-]+|\b(?:location|place|address"
    r"|room|street|building|floor)\b"
    rf"|[在于於至到往自从]|[{HAN}](?:省|市|县|区|镇|村|州|国|岛|河|江|山|海|湖|路|街|楼|层|室|房|库|站|厅|馆)|地址|地点|位置",
    re.IGNORECASE,
)
_NO_PLACE: Final = re.compile(
    r"\b(?:in|on|at|from|to|by|for)\s(?:\d|(?:the\s)?(?:year|month|week|day|morning"
    r"|evening|end)|(?:mon|tues|wednes"
    r"|thurs|fri|satur|sun)day|"
    r"january|february|march|april|may|june|july|august|september|october|november|december)",
    re.IGNORECASE,
)
_SOMEBODY: Final = re.compile(
    r"\b(?:nobody|no one|none|everybody|everyone|anybody|anyone|somebody|someone"
    r"|people|staff|team|crew|company"
    r"|committee|board|council"
    r"|government|tenant|landlord|owner|customer|user|member|driver|manager"
    r"|director|engineer|nurse|doctor|parent"
    r"|student|citizen|\w{4,}(?:ers?|ors?|ists?|ians?|ees?))\b",
    re.IGNORECASE,
)
_SOMEBODY_ZH: Final = re.compile(
    rf"[：:是由为叫]\s?[{HAN}]{{2,4}}|[{HAN}]{{2,4}}(?:任|担任|负责|率|说|表示|认为|设计|创办|创立|建造|主持|编)|[{HAN}](?:人|员|方|司|者|师|长|局|部|会)"
)
_DIMENSION_WORDS: Final = frozenset(
    terms(
        "long time cost price fee pay paid charge much expensive worth temperature hour o'clock depth height width"
        " length weight"
        " large big deep tall high wide heavy fast far hot cold warm"
    )
)
_DIMENSION_ZH: Final = re.compile("价格|售价|价钱|费用|温度|时间|长时|多久")


_CAUSED: Final = re.compile(r"\bwhat (?:caused|causes|led to|made|triggered)\b|起因", re.IGNORECASE)
_CAUSE: Final = re.compile(
    r"\b(?:because|since|due|so|therefore|caused?|causes|reasons?|led|leads"
    r"|results?|resulted|after|thanks|owing"
    r"|account|broke\w*"
    r"|prevents?|avoids?)\b|\bto [a-z]|因|由于|故|致|导致|引起|造成|为了|以便|以免|所以|使|起火|原因|目的|用于|用来",
    re.IGNORECASE,
)
_COUNT_ZH: Final = re.compile(f"(?:多少|[几幾])(?P<what>[{HAN}])")


_FIRST: Final = (
    (_MONEY, Want("money", (), _DIMENSION_WORDS, _DIMENSION_ZH)),
    (_CLOCK, Want("clock", (), _DIMENSION_WORDS, _DIMENSION_ZH)),
    (_WARM, Want("unit", ("°C",), _DIMENSION_WORDS, _DIMENSION_ZH)),
    (_EITHER_LONG, Want("lasting", ("s", "m"), _DIMENSION_WORDS)),
    (_LASTING, Want("lasting", ("s",), _DIMENSION_WORDS)),
)
_ASKS_WHO: Final = re.compile(r"\s*who\b|.*谁", re.IGNORECASE)
_CAUSING: Final = frozenset(terms("caused led triggered made"))
_NAMED: Final = MappingProxyType({Shape.DATE: "date", Shape.PERSON: "person", Shape.PLACE: "place"})


def want_of(asked: Asked) -> Want:
    """Return the form that a question wants."""
    text = asked.text
    for pattern, want in _FIRST:
        if pattern.search(text):
            return want
    if asked.unit is not None:
        return Want("unit", (asked.unit,), _DIMENSION_WORDS)
    if _CAUSED.search(text):
        return Want("cause", (), _CAUSING)
    return _by_shape(text, shape_of(asked))


def _by_shape(text: str, shape: Shape) -> Want:
    if shape is Shape.REASON:
        return Want("reason", (), _CAUSING)
    if shape is Shape.NUMBER:
        return Want("number" if _MUCH.search(text) is None else "much", (), _DIMENSION_WORDS)
    if _ASKS_WHO.match(text):
        return Want("person")
    return Want(_NAMED.get(shape, ""), (), _DIMENSION_WORDS if shape is Shape.DATE else frozenset())


def holds_form(want: Want, asked: Asked, text: str) -> bool | None:
    """Return whether a sentence holds the form that is wanted, `None` where none is."""
    if not want.kind:
        return None
    if want.kind in _WRITTEN:
        return bool(_WRITTEN[want.kind].search(text)) or _valued(want, text)
    if want.kind == "person":
        return _somebody(asked, text)
    if want.kind == "place":
        return bool(_LOWER_PLACE.search(_NO_PLACE.sub(" ", text)))
    return _measured(want, text) if want.kind == "unit" else _counted(want, asked, text)


_YEAR: Final = re.compile(r"\b(?:1\d|20)\d\d\b|\d月|[年月]")
_WRITTEN: Final = MappingProxyType(
    {
        "money": _SUM,
        "clock": _HOURS,
        "lasting": _SPAN,
        "reason": _CAUSE,
        "cause": _CAUSE,
        "date": re.compile(f"{_YEAR.pattern}|{_HOURS.pattern}", re.IGNORECASE),
    }
)
"""How each form is written; values are told otherwise as well."""


def _valued(want: Want, text: str) -> bool:
    """Whether a sentence holds the value as a number or date that is understood."""
    if want.kind == "money":
        return any(q.kind is NumberKind.MONEY for q in find_numbers(text))
    if want.kind == "date":
        return bool(find_dates(text))
    return want.kind == "lasting" and _measured(want, text)


def _measured(want: Want, text: str) -> bool:
    found = [q.unit for q in find_numbers(text) if q.unit is not None]
    return any(same_dimension(unit, wanted) for unit in found for wanted in want.units)


def _counted(want: Want, asked: Asked, text: str) -> bool:
    """Whether a sentence holds a number, of what the question counts where it names that."""
    chinese = _COUNT_ZH.search(asked.text)
    if chinese is not None and re.search(rf"[\d一二三四五六七八九十百千万两]\s?{chinese['what']}", text):
        return True
    found = fit(asked, Shape.NUMBER, text)
    return found.share >= 1.0 or (want.kind == "much" and found.share > 0.0)


def _somebody(asked: Asked, text: str) -> bool:
    """Whether a sentence names somebody whom the question does not."""
    known = frozenset(asked.terms)
    if any(known.isdisjoint(terms(name.text)) for name in find_names(text)):
        return True
    others = [found[0] for found in _SOMEBODY.finditer(text) if known.isdisjoint(terms(found[0]))]
    return bool(others) or bool(_SOMEBODY_ZH.search(text))
