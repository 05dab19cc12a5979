"""Parts the thoughts of a reasoning model from what it says, in one piece or as it streams.

A thought stands between ``<think>`` and ``</think>``. Chat templates often put the opening tag into
the prompt, so that an answer may hold the closing tag alone: all before it was thought. Past the
first ``<tool_call>`` or ``<answer>`` tags are data (a program may print them) and stay untouched.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

Kind = Literal["text", "reasoning"]

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"
_TAG: Final = re.compile(r"</?think>|<tool_call>|<answer>")
_TAGS: Final = (_OPEN, _CLOSE, "<tool_call>", "<answer>")
_LONGEST: Final = max(map(len, _TAGS))


class Piece(NamedTuple):
    """Characters that arrived, and whether they are text or reasoning."""

    kind: Kind
    text: str


class ThinkSplitter:
    """Splits streamed text; tags may be cut anywhere between two chunks.

    `feed` returns pieces as soon as they are certain, `close` what was held back. Afterwards
    `text` and `reasoning` hold the whole. A thought that never ends stays in `text`, tag included,
    since what follows an unclosed tag may still be a call or an answer.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._settled = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._open_thought: list[str] = []
        self._eat_space = False

    def feed(self, chunk: str) -> list[Piece]:
        """Take the next characters; return what is now certain."""
        if self._settled or ("<" not in chunk and not self._held):
            return self._emit(chunk)  # the common case of a stream
        pieces: list[Piece] = []
        buffer = self._held + chunk
        at = 0
        while (tag := _TAG.search(buffer, at)) is not None:
            pieces += self._emit(buffer[at : tag.start()])
            if not self._thinking and tag[0] not in {_OPEN, _CLOSE}:
                self._settled = True
                self._held = ""
                return pieces + self._emit(buffer[tag.start() :])
            self._meet(tag[0])
            at = tag.end()
        keep = _held_back(buffer, at)
        pieces += self._emit(buffer[at:keep])
        self._held = buffer[keep:]
        return pieces

    def close(self) -> list[Piece]:
        """Return what was held back; the stream is over."""
        pieces = self._emit(self._held)
        self._held = ""
        if self._open_thought:
            self._text += (_OPEN, *self._open_thought)
            self._open_thought = []
        return pieces

    @property
    def begun(self) -> bool:
        """Whether any character has come."""
        return bool(self._held or self._text or self._reasoning or self._open_thought)

    @property
    def text(self) -> str:
        """What was said, without thoughts."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """What was thought."""
        return "".join(self._reasoning)

    def _meet(self, tag: str) -> None:
        if tag == _OPEN:
            self._thinking = True
        elif tag == _CLOSE:
            # Without an opening tag the prompt held it: all before was thought.
            self._reasoning += self._open_thought if self._thinking else self._text
            self._open_thought = []
            if not self._thinking:
                self._text = []
            self._thinking = False
            self._eat_space = True
        else:
            self._open_thought.append(tag)

    def _emit(self, piece: str) -> list[Piece]:
        if not piece:
            return []
        if self._thinking:
            self._open_thought.append(piece)
            return [Piece("reasoning", piece)]
        return self._say(piece)

    def _say(self, piece: str) -> list[Piece]:
        if self._eat_space:
            piece = piece.lstrip()
            self._eat_space = not piece
        if not piece:
            return []
        self._text.append(piece)
        return [Piece("text", piece)]


def _held_back(buffer: str, at: int) -> int:
    """Return where a tag may begin that the end of the buffer cuts."""
    start = buffer.rfind("<", max(at, len(buffer) - _LONGEST + 1))
    if start >= 0 and any(tag.startswith(buffer[start:]) for tag in _TAGS):
        return start
    return len(buffer)


def split_thoughts(text: str) -> tuple[str, str]:
    """Return (text, reasoning) of a whole answer."""
    splitter = ThinkSplitter()
    splitter.feed(text)
    splitter.close()
    return splitter.text, splitter.reasoning
