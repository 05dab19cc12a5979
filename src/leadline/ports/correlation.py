"""Which run, request and trace the present work belongs to: what log lines and outgoing requests carry.

It travels with the task (a context variable), so that no call needs a parameter for it, and decides
nothing. A trace's ids derive from the run's: a run that is resumed elsewhere goes on in its trace,
and a call's id is known before it is made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from leadline.domain import Origin

TRACEPARENT: Final = "traceparent"
"""Header of a request: the trace and the span that it belongs to (W3C Trace Context)."""

REQUEST_ID: Final = "X-Request-Id"
"""Header of a request: its id."""

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """A place in a trace: 32 and 16 hexadecimal digits; `sampled` means that it is recorded."""

    trace: str
    span: str
    sampled: bool = False

    @property
    def header(self) -> str:
        """The value of `traceparent`."""
        return f"00-{self.trace}-{self.span}-{int(self.sampled):02x}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ids:
    """What the present work belongs to; a part that is not known is empty."""

    run: str = ""
    tenant: str = ""
    request: str = ""
    call: str = ""
    trace: Trace | None = None


_CURRENT: Final[ContextVar[Ids]] = ContextVar("leadline.ids")


def current() -> Ids:
    """Return what the present work belongs to."""
    return _CURRENT.get(None) or Ids()


@contextmanager
def belonging(ids: Ids) -> Iterator[None]:
    """Let work within the context, and tasks that it starts, belong to `ids`."""
    token = _CURRENT.set(ids)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def calling(call: str) -> Iterator[None]:
    """Let work within the context belong to this call of its run."""
    ids = current()
    if not ids.run:
        yield
        return
    trace = ids.trace
    if trace is not None:
        trace = Trace(trace=trace.trace, span=span_of(ids.run, call), sampled=trace.sampled)
    # Once a call: `replace` would take four times as long.
    with belonging(Ids(run=ids.run, tenant=ids.tenant, request=ids.request, call=call, trace=trace)):
        yield


def span_of(run_id: str, part: str = "") -> str:
    """Return the span of a run, or of a call of it."""
    return hashlib.blake2b(f"{run_id}/{part}".encode(), digest_size=8, person=b"leadline.span").hexdigest()


def trace_of(run_id: str, origin: Origin, *, share: float = 0.0) -> Trace:
    """Return the trace of a run: its request's, or one of its own."""
    own = hashlib.blake2b(run_id.encode(), digest_size=16, person=b"leadline.trace").hexdigest()
    return begun(parse_traceparent(origin.traceparent), own, span=span_of(run_id), share=share)


def begun(parent: Trace | None, own: str, *, span: str, share: float) -> Trace:
    """Return a place in the trace of who asked, or in `own`, of whose kind a `share` is recorded.

    Who asked has decided already; where nothing is recorded here (`share` is 0) nothing is.
    """
    if parent is not None:
        return Trace(trace=parent.trace, span=span, sampled=parent.sampled and share > 0)
    return Trace(trace=own, span=span, sampled=int(own[-14:], 16) < share * (1 << 56))


def parse_traceparent(header: str) -> Trace | None:
    """Return the place that a header names, `None` for what is none."""
    found = _TRACEPARENT.fullmatch(header.strip())
    if found is None:
        return None
    trace, span, flags = found.groups()
    return Trace(trace=trace, span=span, sampled=bool(int(flags, 16) & 1))


def origin_here(method: str) -> Origin:
    """Return the origin of a run that is asked for now, with the request and the trace that it is asked in."""
    ids = current()
    return Origin(method=method, request=ids.request, traceparent=ids.trace.header if ids.trace is not None else "")


def outgoing_headers() -> dict[str, str]:
    """Return the headers by which another service of ours knows what its work belongs to."""
    ids = current()
    headers = {REQUEST_ID: ids.request} if ids.request else {}
    if ids.trace is not None:
        headers[TRACEPARENT] = ids.trace.header
    return headers


def recorded_headers() -> dict[str, str]:
    """Return `traceparent` where the trace is recorded: what a model server is told, others' as well as ours."""
    trace = current().trace
    return {TRACEPARENT: trace.header} if trace is not None and trace.sampled else {}
