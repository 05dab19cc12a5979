"""A cleaned element tree to stored text: paragraphs, headings, lists, tables and code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from selectolax.lexbor import LexborNode

    from leadline.extract.builder import TextBuilder

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_BLOCKS_NAMES: Final = (
    "address article aside blockquote body center dd details dialog div dl dt fieldset "
    "figcaption figure footer form header hgroup hr html legend li main nav ol p pre section "
    "summary table tbody td tfoot th thead tr ul caption option"
)
_BLOCKS: Final = frozenset(_BLOCKS_NAMES.split())
_SKIPPED: Final = frozenset({"head", "script", "style", "template", "noscript", "annotation", "annotation-xml", "rp"})
_TIGHT: Final = frozenset({"li", "dd", "tr"})
_MARKS: Final = frozenset({"¶", "#", "§", "🔗"})


class HtmlRenderer:
    """Walks a tree without recursion and writes blocks into a `TextBuilder`.

    White space is folded except in `pre`. Cells of a table row are joined by ` | `; a table that
    only lays out the page is read as blocks.
    """

    def __init__(self, out: TextBuilder) -> None:
        self._out = out
        self._lines: list[str] = []
        self._inline: list[str] = []
        self._lists: list[int | None] = []  # next number, or None for bullets
        self._bullet = ""
        self._tight = False
        self._pre = 0
        self._heading = 0
        self._cells: list[str] | None = None
        self._tables: list[bool] = []  # whether each open table holds data
        self._leave: dict[str, Callable[[LexborNode], None]] = {
            "pre": self._leave_pre,
            "td": self._leave_cell,
            "th": self._leave_cell,
            "tr": self._leave_row,
            "table": self._leave_table,
            "ul": self._leave_list,
            "ol": self._leave_list,
            "li": self._leave_item,
        }
        self._enter: dict[str, Callable[[LexborNode], None]] = {
            "br": self._break,
            "pre": self._enter_pre,
            "table": self._enter_table,
            "tr": self._enter_row,
            "ul": self._enter_list,
            "ol": self._enter_list,
            "li": self._enter_item,
            "dd": self._enter_tight,
        }

    def render(self, top: LexborNode) -> None:
        """Write everything under `top`."""
        node, depth = top, 0
        while not self._out.full:
            child = node.child if self._open(node) else None
            if child is not None:
                node, depth = child, depth + 1
                continue
            self._close(node)
            while depth and node.next is None:
                above = node.parent
                if above is None:
                    return
                node, depth = above, depth - 1
                self._close(node)
            following = node.next
            if not depth or following is None:
                break
            node = following
        self._flush()

    def _open(self, node: LexborNode) -> bool:
        if node.is_text_node:
            self._inline.append(node.text_content or "")
            return False
        tag = node.tag or ""
        if tag in _SKIPPED or not node.is_element_node:
            return False
        if tag in _HEADINGS and self._cells is None:
            self._flush()
            self._heading = _HEADINGS[tag]
        elif tag in _BLOCKS:
            self._boundary()
        enter = self._enter.get(tag)
        if enter:
            enter(node)
        return True

    def _close(self, node: LexborNode) -> None:
        if node.is_text_node or not node.is_element_node:
            return
        tag = node.tag or ""
        if tag in _SKIPPED:
            return
        if tag in _HEADINGS and self._cells is None:
            self._end_heading()
            return
        leave = self._leave.get(tag)
        if leave:
            leave(node)
        elif tag in _BLOCKS:
            self._boundary()

    def _boundary(self) -> None:
        """A block begins or ends: a new paragraph, a blank in a cell, a new line in `pre`."""
        if self._cells is not None:
            self._inline.append(" ")
        elif self._pre:
            if self._inline and not "".join(self._inline[-1:]).endswith("\n"):
                self._inline.append("\n")
        elif not self._heading:
            self._flush()
        else:
            self._inline.append(" ")

    def _break(self, _node: LexborNode) -> None:
        if self._pre:
            self._inline.append("\n")
        elif self._cells is not None or self._heading:
            self._inline.append(" ")
        else:
            self._end_line()

    def _end_line(self) -> None:
        line = " ".join("".join(self._inline).split())
        self._inline.clear()
        if line and line not in _MARKS:
            self._lines.append(line)

    def _flush(self) -> None:
        self._end_line()
        if not self._lines:
            return
        text = "\n".join(self._lines)
        self._lines.clear()
        self._write(text)

    def _write(self, text: str) -> None:
        separator = "\n" if self._tight else "\n\n"
        self._out.add(self._bullet + text, separator=separator)
        self._bullet, self._tight = "", False

    def _end_heading(self) -> None:
        title = "".join(self._inline).strip().rstrip("¶#§").strip()
        self._inline.clear()
        level, self._heading = self._heading, 0
        self._bullet, self._tight = "", False
        self._out.heading(level, title)

    def _enter_pre(self, _node: LexborNode) -> None:
        self._pre += 1

    def _leave_pre(self, _node: LexborNode) -> None:
        self._pre -= 1
        if self._pre or self._cells is not None:
            return
        code = "".join(self._inline).strip("\r\n").rstrip()
        self._inline.clear()
        if code:
            self._write(code)

    def _enter_list(self, node: LexborNode) -> None:
        first = node.attributes.get("start") or "1"
        start = int(first) if first.isascii() and first.isdigit() and len(first) < 9 else 1
        self._lists.append(start if node.tag == "ol" else None)

    def _leave_list(self, _node: LexborNode) -> None:
        self._boundary()
        if self._lists:
            self._lists.pop()
        self._tight = False

    def _enter_item(self, _node: LexborNode) -> None:
        if self._cells is not None or self._pre:
            return
        indent = "  " * min(max(len(self._lists) - 1, 0), 10)
        number = self._lists[-1] if self._lists else None
        self._bullet = f"{indent}- " if number is None else f"{indent}{number}. "
        if number is not None:
            self._lists[-1] = number + 1
        self._tight = self._after_item
        self._after_item = True

    _after_item = False

    def _leave_item(self, _node: LexborNode) -> None:
        self._boundary()
        self._bullet = ""

    def _enter_tight(self, _node: LexborNode) -> None:
        self._tight = True

    def _enter_table(self, node: LexborNode) -> None:
        self._tables.append(_holds_data(node))
        self._tight = False

    def _leave_table(self, _node: LexborNode) -> None:
        self._boundary()
        if self._tables:
            self._tables.pop()
        self._tight = False

    def _enter_row(self, _node: LexborNode) -> None:
        if self._tables and self._tables[-1]:
            self._cells = []

    def _leave_cell(self, _node: LexborNode) -> None:
        if self._cells is None:
            self._boundary()
            return
        self._cells.append(" ".join("".join(self._inline).split()))
        self._inline.clear()

    def _leave_row(self, _node: LexborNode) -> None:
        if self._cells is None:
            self._boundary()
            return
        cells, self._cells = self._cells, None
        self._inline.clear()
        if any(cells):
            self._write(" | ".join(cells))
            self._tight = True


def _holds_data(table: LexborNode) -> bool:
    """A table of data has rows of several cells and no table, code or headings inside."""
    if (table.attributes.get("role") or "").lower() in {"presentation", "none"}:
        return False
    if table.css_first("table table, pre, h1, h2, h3, ul ul") is not None:
        return False
    return table.css_first("th, td + td") is not None
