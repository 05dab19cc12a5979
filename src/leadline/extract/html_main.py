"""Choose the part of a page that holds its content, and prune what surrounds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
_BOILERPLATE: Final = re.compile(
    r"(?:^|[-_\s])(?:comments?|sidebar|side-?bar|related|recommend(?:ed|ations?)?|share|sharing|social|newsletter|"
    r"subscribe|subscription|promo|advert(?:isement)?|ads?|sponsor(?:ed)?|cookies?|consent|gdpr|popup|modal|banner|"
    r"footer|masthead|menu|navbar|navigation|pagination|pager|tags|tag-list|disqus|outbrain|taboola|"
    r"most-?(?:read|popular)|trending|read-?more|more-(?:stories|news|on)|byline-?share|login|signup|paywall)"
    r"(?:$|[-_\s])",
    re.IGNORECASE,
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
_PRUNABLE: Final = frozenset({"div", "section", "aside", "ul", "ol", "footer", "header", "form", "table", "p"})
_ENOUGH: Final = 0.25  # of the body's text: a marked container with less is a shell
_DOMINANT: Final = 0.75  # of the prose: descend into the child that holds so much
_LINKED: Final = 0.6  # of the text inside links: a list of links, not prose
_SHORT: Final = 25  # code points: a shorter run of text is no prose
_BIG: Final = 0.4  # of the content's text: too much to be boilerplate whatever its name says


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
    _prune(weights, chosen, only_links=marked is not None)
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
                linked = weights[index].linked or child.tag == "a"
                weights.append(_Weight(node=child, parent=index, linked=linked))
                stack.append((child, len(weights) - 1))
            child = child.next
    for weight in reversed(weights[1:]):
        above = weights[weight.parent]
        above.text += weight.text
        above.links += weight.links
        above.prose += weight.prose
    return weights


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


def _prune(weights: list[_Weight], top: int, *, only_links: bool) -> None:
    """Remove blocks named or built like navigation and advertising inside the content."""
    most = _BIG * weights[top].text
    inside = {top}
    for index, weight in enumerate(weights[top + 1 :], top + 1):
        if weight.parent not in inside:
            continue  # beside the content, or in what was removed
        if weight.node.tag in _PRUNABLE and weight.text <= most and _is_noise(weight, only_links=only_links):
            _remove(weight.node)
        else:
            inside.add(index)


def _is_noise(weight: _Weight, *, only_links: bool) -> bool:
    attributes = weight.node.attributes
    named = bool(_BOILERPLATE.search(f"{attributes.get('class') or ''} {attributes.get('id') or ''}"))
    linked = weight.links > _LINKED * max(weight.text, 1)
    if only_links:
        return named and (linked or weight.prose == 0)
    if weight.node.tag in {"footer", "form", "aside"}:
        return True
    return named or (linked and weight.prose == 0 and weight.node.tag != "p")


def _remove(node: LexborNode) -> None:
    if node.parent is not None and node.tag not in {"html", "body"}:
        node.decompose()
