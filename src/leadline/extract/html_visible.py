"""Remove from a parsed page what a person looking at it does not see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# Never text: programs, styles, forms' inner life, embedded objects, frames of scripts.
_NEVER: Final = (
    "script,style,noscript,template,iframe,frame,frameset,object,embed,svg,canvas,audio,video,map,"
    "select,datalist,dialog:not([open]),textarea,progress,meter,applet,noframes,noembed"
)
_HIDDEN: Final = "[hidden],[aria-hidden='true'],input[type='hidden']"
_STYLED: Final = "[style]"
_COLOURED: Final = "font[color]"

_STYLE_HIDES: Final = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|content-visibility:hidden"
    r"|(?<![-\w])opacity:0*\.?0+(?:%|;|!|$)"
    r"|font-size:[01]?(?:\.\d+)?(?:px|pt|em|rem|%)?(?:;|!|$)|font:0"
    r"|(?:text-indent|left|top|right|bottom|margin-left|margin-top):-\d{3,}(?:\.\d+)?"
    r"(?:px|pt|em|rem|%|vw|vh)"
    r"|translate[xy]?\(-\d{3,}|scale\(0(?:\.0+)?\)"
    r"|clip:rect\((?:0|1px)|clip-path:inset\((?:50|100)%"
    r"|(?<![-\w])color:transparent|-webkit-text-fill-color:transparent"
)
_TINY_BOX: Final = re.compile(r"(?<![-\w])(?:max-)?(?:width|height):[01](?:px)?(?:;|!|$)")
_COLOUR: Final = re.compile(r"(?<![-\w])color:([^;!]+)")
_GROUND: Final = re.compile(r"background(?:-color)?:([^;!]+)")
_WHITES: Final = frozenset(
    {
        "white",
        "#fff",
        "#ffffff",
        "#ffff",
        "#ffffffff",
        "snow",
        "#fefefe",
        "rgb(255,255,255)",
        "rgba(255,255,255,1)",
        "rgb(100%,100%,100%)",
        "hsl(0,0%,100%)",
    }
)
# Rules of the page's own style sheets that hide a class or an id outright.
_HIDES: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_LONGEST_RULE: Final = 2_000
_LONGEST_SELECTOR: Final = 400
_SIMPLE_SELECTOR: Final = re.compile(r"^(?:[a-z][a-z0-9]*)?[.#][a-z][a-z0-9_-]*$", re.IGNORECASE)
_MOST_RULES: Final = 2_000
_LONGEST_SHEET: Final = 200_000


def remove_invisible(tree: LexborHTMLParser) -> None:
    """Drop scripts, hidden and unreadably styled elements from `tree`, in place.

    Seen: attributes, inline styles, and simple rules (`.x{display:none}`) of the page's own style
    elements. Not seen: linked style sheets and what scripts do.
    """
    hidden_by_sheet = _hiding_selectors(tree)
    _drop(tree, _NEVER)
    _drop(tree, _HIDDEN)
    for selector in hidden_by_sheet:
        _drop(tree, selector)
    for node in tree.css(_STYLED):
        if is_hiding(node.attributes.get("style") or ""):
            _drop_node(node)
    for node in tree.css(_COLOURED):
        if _squeeze(node.attributes.get("color") or "") in _WHITES and not _on_own_ground(node):
            _drop_node(node)


def is_hiding(style: str) -> bool:
    """Whether an inline style makes its element's text unreadable."""
    style = _squeeze(style)
    if _STYLE_HIDES.search(style):
        return True
    if "overflow:hidden" in style and _TINY_BOX.search(style):
        return True
    colour, ground = _COLOUR.search(style), _GROUND.search(style)
    if not colour:
        return False
    if ground:
        return ground[1] == colour[1]
    return colour[1] in _WHITES


def _squeeze(value: str) -> str:
    return re.sub(r"/\*.*?\*/|\s+", "", value, flags=re.DOTALL).lower()


def _on_own_ground(node: LexborNode) -> bool:
    """White text is readable where an element around it brings a background of its own."""
    around: LexborNode | None = node
    while around is not None and around.tag not in {"body", "html"}:
        attributes = around.attributes
        if attributes.get("bgcolor") or _GROUND.search(_squeeze(attributes.get("style") or "")):
            return True
        around = around.parent
    return False


def _hiding_selectors(tree: LexborHTMLParser) -> list[str]:
    found: list[str] = []
    rules = 0
    for sheet in tree.css("style"):
        text = (sheet.text() or "")[:_LONGEST_SHEET]
        for hit in _HIDES.finditer(text):
            rules += 1
            if rules > _MOST_RULES:
                break
            found += [name for part in _selectors(text, hit.start()) if _SIMPLE_SELECTOR.match(name := part.strip())]
    return [selector for selector in dict.fromkeys(found) if not _is_toggled(selector)]


def _selectors(sheet: str, position: int) -> list[str]:
    """Return the selectors of the rule that `position` lies in."""
    opened = sheet.rfind("{", max(0, position - _LONGEST_RULE), position)
    if opened < 0 or sheet.rfind("}", opened, position) >= 0:
        return []
    least = max(0, opened - _LONGEST_SELECTOR)
    start = max(sheet.rfind("{", least, opened), sheet.rfind("}", least, opened), least - 1) + 1
    return sheet[start:opened].split(",")


def _is_toggled(selector: str) -> bool:
    """Classes that scripts switch on (tabs, code in several languages) hold text people do read."""
    return bool(re.search(r"tab|toggle|collaps|accordion|expand|panel|details|lang", selector, re.IGNORECASE))


def _drop(tree: LexborHTMLParser, selector: str) -> None:
    for node in tree.css(selector):
        _drop_node(node)


def _drop_node(node: LexborNode) -> None:
    if node.parent is not None and node.tag not in {"html", "body"}:
        node.decompose()
