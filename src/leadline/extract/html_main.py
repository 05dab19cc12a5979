"""Choose the part of a page that holds its content, and prune what surrounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadline.extract.html_names import APART, BESIDE, BOXES, LEAD, LIKELY, heads_a_list, is_notice, names_of

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# Containers by which authors and documentation generators mark the content, best first.
_MARKED: Final = (
    "main",
    "[role='main']",
    "article",
    "[itemprop='articleBody']",
    "#mw-content-text",
    "#docContent",
    "div.document div.body",
    "#main-content",
    "#content",
    ".markdown-body",
)
_AROUND: Final = (
    "nav,[role='navigation'],[role='search'],[role='menu'],[role='menubar'],[role='toolbar'],"
    "[role='dialog'],[role='alertdialog'],[role='tooltip'],body>header,body>footer,body>aside,[role='banner'],"
    "[role='contentinfo'],[role='complementary'],.skip-link,.sr-only,.visually-hidden,.screen-reader-text,"
    ".screen-reader-only,.mw-editsection,.mw-jump-link,.navbox,#toc,.toc,.breadcrumb,.breadcrumbs,"
    "a.headerlink,a.anchor,a.heading-anchor,a.hash-link,a.permalink,.anchorjs-link,td.linenos,.linenodiv,"
    "span.linenos,.lineno,.sphinxsidebar,button,label[for]"
)
_CONTAINERS: Final = frozenset(
    {
        "div",
        "section",
        "article",
        "main",
        "td",
        "tr",
        "tbody",
        "table",
        "body",
        "form",
        "center",
        "span",
        "li",
        "ul",
    }
)
_PRUNABLE: Final = frozenset(
    {
        *("div", "section", "aside", "header", "footer", "nav", "form", "table", "figure"),
        *("ul", "ol", "dl", "li", "p", "span", "h2", "h3", "h4", "figcaption", "time", "small"),
    }
)
_CODE: Final = frozenset({"pre", "code"})
_NEVER_CONTENT: Final = frozenset({"footer", "form", "aside", "nav"})
_LEADS: Final = frozenset({"div", "p", "section", "header", "h2"})
_ENOUGH: Final = 0.25  # of the body's text: a marked container with less is a shell
_DOMINANT: Final = 0.75  # of the prose: descend into the child that holds so much
_LINKED: Final = 0.5  # of the text inside links: a list of links, not prose
_MOSTLY_LINKED: Final = 0.75
_SOME_LINKS: Final = 0.2
_FEW_LINKS: Final = 0.08
_SHORT: Final = 25  # code points: a shorter run of text is no prose
# Shares of the content's prose: with more a part is content, whatever speaks against it.
_ALL: Final = 0.95
_NEARLY_ALL: Final = 0.8
_MUCH: Final = 0.4
_A_THIRD: Final = 0.3
_A_QUARTER: Final = 0.25
_SOME: Final = 0.1
_BOX_PROSE: Final = 0.5  # of its text: a box with more, and next to no links, tells something
_NOTICE: Final = 260  # code points: a paragraph up to here may be a notice
_BLOCK: Final = 3_000
_TEASERS: Final = 3
_LEAD_LENGTH: Final = (40, 1_000)
_ELLIPSES: Final = ("...", "…", "[…]", "[...]")


@dataclass(slots=True)
class _Weight:
    """What one element holds, descendants included."""

    node: LexborNode
    parent: int
    linked: bool  # inside a link
    text: int = 0
    links: int = 0
    prose: int = 0


def choose_main(tree: LexborHTMLParser) -> LexborNode | None:
    """Return the element that holds the page's content; prunes navigation from `tree` in place."""
    body = tree.body
    if body is None:
        return tree.root
    for node in tree.css(_AROUND):
        _remove(node)
    weights = weigh(body)
    marked = _marked(tree, weights)
    chosen = _densest(weights) if marked is None else marked
    if chosen is None:
        return body
    _take_lead(weights, chosen)
    _prune(weights, chosen)
    return weights[chosen].node


def weigh(top: LexborNode) -> list[_Weight]:
    """Measure text, linked text and prose of every element under `top`, itself first."""
    weights = [_Weight(node=top, parent=-1, linked=False)]
    stack: list[tuple[LexborNode, int]] = [(top, 0)]
    while stack:
        node, index = stack.pop()
        child = node.child
        while child is not None:
            if child.is_text_node:
                _count(weights[index], child.text_content or "")
            elif child.is_element_node:
                linked = (weights[index].linked or _leads_elsewhere(child)) and child.tag not in _CODE
                weights.append(_Weight(node=child, parent=index, linked=linked))
                stack.append((child, len(weights) - 1))
            child = child.next
    for weight in reversed(weights[1:]):
        above = weights[weight.parent]
        above.text += weight.text
        above.links += weight.links
        above.prose += weight.prose
    return weights


def _leads_elsewhere(node: LexborNode) -> bool:
    """Whether an element is a link, other than to a place within a page: documentation is full of those."""
    return node.tag == "a" and "#" not in (node.attributes.get("href") or "")


def _count(weight: _Weight, text: str) -> None:
    length = len(text.strip())
    weight.text += length
    if weight.linked:
        weight.links += length
    elif length >= _SHORT:
        weight.prose += length


def _marked(tree: LexborHTMLParser, weights: list[_Weight]) -> int | None:
    """Return the index of the container that the author marked as the content."""
    by_id = {weight.node.mem_id: index for index, weight in enumerate(weights)}
    total = weights[0].text
    for selector in _MARKED:
        found = [by_id[node.mem_id] for node in tree.css(selector) if node.mem_id in by_id]
        if not found:
            continue
        best = max(found, key=lambda index: weights[index].text)
        text = weights[best].text
        # Several articles are a listing or a thread: one of them alone is not the content.
        if text >= _ENOUGH * total and text >= sum(weights[index].text for index in found) / 2:
            return best
    return None


def _densest(weights: list[_Weight]) -> int | None:
    """Descend from the body as long as one child holds nearly all prose."""
    children: dict[int, list[int]] = {}
    for index, weight in enumerate(weights[1:], 1):
        children.setdefault(weight.parent, []).append(index)
    place, prose = 0, weights[0].prose
    if not prose:
        return None
    while True:
        below = [index for index in children.get(place, ()) if weights[index].node.tag in _CONTAINERS]
        best = max(below, key=lambda index: weights[index].prose, default=None)
        if best is None or weights[best].prose < _DOMINANT * prose:
            return place
        place, prose = best, weights[best].prose


def _take_lead(weights: list[_Weight], chosen: int) -> None:
    """Move the lead paragraph into the content where it stands outside of it."""
    first = weights[chosen].node.child
    if first is None:
        return
    above = _ancestors(weights, chosen)
    least, most = _LEAD_LENGTH
    for index, weight in enumerate(weights):
        if not least <= weight.text <= most or weight.node.tag not in _LEADS or index in above:
            continue
        if weight.links > _A_THIRD * weight.text or chosen in _ancestors(weights, index):
            continue
        names = names_of(weight.node)
        if LEAD.search(names) and not _is_beside(names) and not is_notice(_start(weight.node)):
            first.insert_before(weight.node)
            return


def _ancestors(weights: list[_Weight], index: int) -> set[int]:
    """Return `index` and what is above it."""
    above: set[int] = set()
    while index >= 0:
        above.add(index)
        index = weights[index].parent
    return above


def _prune(weights: list[_Weight], top: int) -> None:
    """Remove what is named, built or introduced like navigation and advertising inside the content.

    Where that would be nearly all prose (a thread of comments is one), prose stays whatever its name.
    """
    prose = max(weights[top].prose, 1)
    inside, noise = {top}, []
    for index, weight in enumerate(weights[top + 1 :], top + 1):
        if weight.parent not in inside:
            continue  # beside the content, or in what will be removed
        if weight.text and weight.node.tag in _PRUNABLE and _is_noise(weight, weight.prose / prose):
            noise.append(weight)
        elif weight.node.tag not in _CODE:
            inside.add(index)
    spared = sum(weight.prose for weight in noise) > _ALL * prose
    for weight in noise:
        if not (spared and weight.prose):
            _remove(weight.node)


def _is_noise(weight: _Weight, share: float) -> bool:
    """Whether a part with this share of the prose is none of the content."""
    tag, names = weight.node.tag, names_of(weight.node)
    if tag == "span":
        return share < _SOME and bool(LIKELY.search(names))
    if share < _NEARLY_ALL and APART.search(names):
        return True
    if share > _MUCH:
        return False
    if tag in _NEVER_CONTENT or BESIDE.search(names):
        return True
    if tag == "p":
        return bool(LIKELY.search(names)) or _is_notice(weight)
    unlinked = weight.links < _FEW_LINKS * weight.text
    prose = share > _SOME and unlinked
    if BOXES.search(names) and not prose and not (unlinked and weight.prose > _BOX_PROSE * weight.text):
        return True
    if share < _A_THIRD and not prose and LIKELY.search(names):
        return True
    return _is_listing(weight, share)


def _is_notice(paragraph: _Weight) -> bool:
    if paragraph.text > _NOTICE:
        return False
    text = _start(paragraph.node)
    return is_notice(text) or (paragraph.links > _A_THIRD * paragraph.text and heads_a_list(text))


def _is_listing(weight: _Weight, share: float) -> bool:
    """Whether a part consists of links to elsewhere, with or without the beginnings of their texts."""
    if weight.links > _LINKED * weight.text and (not weight.prose or weight.links > _MOSTLY_LINKED * weight.text):
        return True
    if share < _A_THIRD and weight.node.tag in {"ul", "ol"} and _holds_teasers(weight.node):
        return True
    linked = share < _A_QUARTER and weight.text < _BLOCK and weight.links > _SOME_LINKS * weight.text
    return linked and heads_a_list(_start(weight.node))


def _holds_teasers(node: LexborNode) -> bool:
    items = [item for item in node.iter() if item.tag == "li"]
    if len(items) < _TEASERS:
        return False
    broken = [item for item in items if item.text(separator=" ").rstrip().endswith(_ELLIPSES)]
    return 2 * len([item for item in broken if item.css_first("a") is not None]) >= len(items)


def _is_beside(names: str) -> bool:
    return any(kind.search(names) for kind in (APART, BESIDE, BOXES, LIKELY))


def _start(node: LexborNode) -> str:
    return node.text(separator=" ").strip()[:60]


def _remove(node: LexborNode) -> None:
    if node.parent is not None and node.tag not in {"html", "body"}:
        node.decompose()
