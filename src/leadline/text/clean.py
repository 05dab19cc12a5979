"""Makes foreign text inert before it enters a prompt, and tidies white space for display.

Only for text on its way out: stored text is never changed, since offsets count in it.
"""

from __future__ import annotations

import re
from typing import Final

# For use inside a character class: control characters without tab and line feed, soft hyphen,
# zero-width, bidirectional, invisible operators, annotation anchors, byte-order mark,
# non-characters, tag characters, variation selectors (they can carry hidden bytes).
INVISIBLE: Final = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe"
    "\uffff\U000e0000-\U000e0fff"
)
_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]+")
_CONTROLS: Final = bytes(code for code in range(128) if _INVISIBLE.match(chr(code)))
_LINE_BREAK: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ODD: Final = re.compile(f"[\r\x0b\x0c\x85\u2028\u2029\ud800-\udfff{INVISIBLE}]")
_OPENING: Final = "<\uff1c\ufe64\u2329\u3008"
_BAR: Final = "|\uff5c\u2223\u00a6"
# The names with which model families mark roles, calls, thoughts and answers.
_NAMES: Final = (
    "tool_calls?|tool_responses?|tool_results?|tool_outputs?|tools?|functions?|function_calls?|"
    "function_results?|function_response|invoke|parameters?|arguments|think(?:ing)?|thought|"
    "reasoning|answer|final_answer|code|interpreter|observation|system|user|assistant|human|"
    "system-reminder|instructions?|im_start|im_end|start_of_turn|end_of_turn|bos|eos|pad|unk|"
    "sys|inst|information|search|result|summary|report|plan|excerpts?|arg_key|arg_value|channel|"
    r"sop|eop|unused\d+|extra_id_\d+"
)
_CONTROL_TAG: Final = re.compile(
    rf"[{_OPENING}](?=[ \t]{{0,4}}[/{_BAR}]?[ \t]{{0,4}}(?:[a-z]{{1,12}}:)?(?:{_NAMES})\b)"
    rf"|[{_OPENING}](?=/?s>)"
    rf"|[{_OPENING}](?=[ \t]{{0,4}}/?[ \t]{{0,4}}[{_BAR}][\w\u2581])"
    rf"|[{_OPENING}](?=\w{{1,24}}[{_BAR}]>)",
    re.IGNORECASE,
)
# Mistral's, GLM's and MiniMax's marks are no tags.
_INSTRUCTION_MARK: Final = re.compile(
    r"\[(?=/?(?:inst|tool_calls|available_tools|tool_results|tool_content|system_prompt|think|s?gmask)\])"
    r"|\[(?=e~\[)|\](?=~!?b[\[\]])",
    re.IGNORECASE,
)
_SPACE: Final = re.compile(r"\s+")
# What a viewer of Markdown or HTML would load or follow: images, links, definitions of links, and
# elements that bring something of their own. Only the bracket is matched.
_LIVE: Final = re.compile(
    r"(?<=!)\["
    r"|(?<=\])\("
    r"|^[ \t>]{0,8}\[(?=[^\[\]\n]{1,200}\]:)"
    r"|<(?=(?:https?|ftp|mailto|data|javascript):)"
    r"|<(?=/?(?:a|audio|base|body|embed|form|frame|iframe|image|img|input|link|meta|object|picture|script|source|style"
    r"|svg|track|video)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_INERT: Final = {"[": "\u2045", "(": "\ufe59", "<": "\u2039"}


def neutralise(text: str) -> str:
    """Return `text` without invisible characters and with model control tags made inert.

    The bracket of a tag such as ``<tool_call>`` or ``<|im_start|>`` becomes a single guillemet,
    which a reader still understands, no parser or tokenizer takes for a tag, and
    `leadline.text.spans` folds back when a quotation is located. Line breaks of
    every kind become a line feed, lone surrogates U+FFFD. Idempotent.
    """
    if text.isascii():
        text = _plain(text)
    elif _ODD.search(text):
        text = _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text)))
    if "<" in text or not text.isascii():
        text = _CONTROL_TAG.sub("\u2039", text)
    return _INSTRUCTION_MARK.sub(_inert_bracket, text) if "[" in text or "]" in text else text


def _plain(text: str) -> str:
    """Return ASCII text without control characters: in one pass without a pattern, since nearly all text is clean."""
    if "\r" in text or "\x0b" in text or "\x0c" in text:
        text = _LINE_BREAK.sub("\n", text)
    return text.encode("ascii").translate(None, _CONTROLS).decode("ascii")


def _inert_bracket(found: re.Match[str]) -> str:
    return "\u2045" if found[0] == "[" else "\u3015"


def defused(text: str) -> str:
    """Return `text` with nothing in it that a viewer of Markdown or HTML would load or follow.

    For text of pages: an image whose address holds what a model knows would carry it away as soon
    as somebody looks. The opening brackets become look-alikes that `leadline.text.spans` folds
    back, so that quotations are still located. Idempotent.
    """
    if "[" not in text and "]" not in text and "<" not in text:
        return text
    return _LIVE.sub(lambda found: found[0][:-1] + _INERT[found[0][-1]], text)


def visible(text: str) -> str:
    """Return `text` without characters that hide or turn it and without lone surrogates: fit for a page."""
    return _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))


def squeeze(text: str, *, limit: int | None = None) -> str:
    """Return `text` on one line with single blanks, invisible characters removed.

    With `limit` the result has at most that many code points and ends in an ellipsis when
    something was left out, cut at a blank where one is near.
    """
    flat = _INVISIBLE.sub("", _SPACE.sub(" ", text)).strip()
    if limit is None or len(flat) <= limit:
        return flat
    if limit <= 1:
        return "\u2026"[: max(limit, 0)]
    blank = flat.rfind(" ", max(0, limit - 25), limit)
    return flat[: blank if blank > 0 else limit - 1].rstrip() + "\u2026"
