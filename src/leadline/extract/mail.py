"""Mail messages (RFC 5322, MIME): the main headers, the body, and the names of what is attached."""

from __future__ import annotations

from email import policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.utils import getaddresses
from typing import TYPE_CHECKING, Final

from leadline.errors import BrokenDocument
from leadline.extract.builder import TextBuilder, one_line
from leadline.extract.decode import decode
from leadline.extract.html import html_reader, render_part
from leadline.extract.html_meta import iso_date
from leadline.extract.work import Job, Parsed

if TYPE_CHECKING:
    from email.message import Message

_SHOWN: Final = ("From", "To", "Cc", "Date", "Subject")
_MOST_PARTS: Final = 1_000


def parse_mail(job: Job) -> Parsed:
    """Read a message; of alternatives the plain text is taken, else the HTML."""
    message = BytesParser(policy=policy.compat32).parsebytes(job.raw)
    shown = [(name, _header(message, name)) for name in _SHOWN]
    if not any(name in message for name in _SHOWN):
        msg = "it has none of the headers of a mail message"
        raise BrokenDocument(msg)
    out = TextBuilder(job.limits.chars)
    out.add("\n".join(f"{name}: {value}" for name, value in shown if value))
    _Body(out).read(message)
    sender = _header(message, "From")
    return Parsed.of(
        out,
        title=_header(message, "Subject") or None,
        authors=tuple(name or address for name, address in getaddresses([sender]) if name or address),
        published=iso_date(_header(message, "Date")),
        reader=html_reader(),
    )


class _Body:
    def __init__(self, out: TextBuilder) -> None:
        self._out = out
        self._parts = 0

    def read(self, message: Message) -> None:
        """Write the parts in order; nested messages are read too."""
        pending: list[Message] = [message]
        while pending and self._parts < _MOST_PARTS and not self._out.full:
            part = pending.pop()
            self._parts += 1
            if part.get_content_type() == "multipart/alternative":
                pending.append(_best(part))
            elif part.is_multipart():
                pending.extend(reversed(_children(part)))
            else:
                self._leaf(part)

    def _leaf(self, part: Message) -> None:
        kind, name = part.get_content_type(), part.get_filename()
        payload = part.get_payload(decode=True)
        raw = payload if isinstance(payload, bytes) else b""
        self._out.new_part("part", str(self._parts))
        if part.get_content_disposition() == "attachment" or kind not in {"text/plain", "text/html"}:
            called = one_line(_decoded(name)) if name else "without a name"
            self._out.add(f"[attachment: {called}, {kind}, {len(raw)} bytes]")
        elif kind == "text/html":
            render_part(raw, self._out, declared=part.get_content_charset())
        else:
            self._out.add(decode(raw, declared=part.get_content_charset()).text.strip("\r\n").replace("\r\n", "\n"))


def _children(part: Message) -> list[Message]:
    return [child for child in part.get_payload() if not isinstance(child, str)]


def _best(alternative: Message) -> Message:
    """Of several forms of one text the plainest comes without tricks of layout."""
    children = _children(alternative)
    plain = (child for child in children if child.get_content_type() == "text/plain" and child.get_payload(decode=True))
    return next(plain, children[-1])


def _header(message: Message, name: str) -> str:
    value = message.get(name)
    return one_line(_decoded(str(value)), 2_000) if value is not None else ""


def _decoded(value: str) -> str:
    """Decode RFC 2047 words; what is not well formed stays as it is."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value
