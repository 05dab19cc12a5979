"""What each tool's service does with a request: the same as the tool of a run, and its answer as JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from leadline import codec
from leadline.errors import InvalidArguments
from leadline.ports import Program, Query
from leadline.resilience import Deadline
from leadline.service.tools.asked import Asked, PythonAsked, SearchAsked, SummarizeAsked, VisitAsked
from leadline.service.tools.host import Host
from leadline.wire.tool_shapes import (
    WrongShape,
    decoded,
    found_body,
    papers_body,
    ran_body,
    source_body,
)

_MiB: Final = 1 << 20
# Reading a page leaves this share of the time to choosing passages and summing up.
_READ_SHARE: Final = 0.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request that was checked, with the tenant and the seconds that came with it."""

    asked: Asked
    tenant: str
    seconds: float


Work: TypeAlias = Callable[[Host, Call], Coroutine[Any, Any, dict[str, Any]]]


class Offer(NamedTuple):
    """One tool: what it takes, how large that may be, what it does, and the seconds that it has unless told."""

    asked: type[Asked]
    most_bytes: int
    work: Work
    seconds: float


async def _search(host: Host, call: Call) -> dict[str, Any]:
    assert isinstance(call.asked, SearchAsked)  # noqa: S101 the offer's own type
    search = await host.search(call.tenant)
    return found_body(await search.search(_query(call.asked), deadline=call.seconds))


async def _scholar(host: Host, call: Call) -> dict[str, Any]:
    assert isinstance(call.asked, SearchAsked)  # noqa: S101 the offer's own type
    library = await host.library(call.tenant)
    return papers_body(await library.papers(_query(call.asked), deadline=call.seconds))


async def _visit(host: Host, call: Call) -> dict[str, Any]:
    asked = call.asked
    assert isinstance(asked, VisitAsked)  # noqa: S101 the offer's own type
    left = Deadline(call.seconds)
    reader = await host.reader(call.tenant)
    share = _READ_SHARE if asked.content else 1.0
    fetched = await reader.read(asked.url, deadline=call.seconds * share)
    content = ""
    if asked.content:
        content = await host.content(fetched, asked.goal, language=asked.language, deadline=left.left())
    return {"content": content, "sources": [source_body(fetched, have=frozenset(asked.have))]}


async def _python(host: Host, call: Call) -> dict[str, Any]:
    asked = call.asked
    assert isinstance(asked, PythonAsked)  # noqa: S101 the offer's own type
    try:
        files = {name: decoded(text) for name, text in asked.files.items()}
    except WrongShape as error:
        raise InvalidArguments("`files` maps names to base64 text") from error
    session = f"{call.tenant}/{asked.session}" if asked.session is not None else None
    seconds = min(asked.timeout, call.seconds)
    program = Program(code=asked.code, files=files, timeout=seconds, session=session, tenant=call.tenant)
    return ran_body(await host.run(program))


async def _summarize(host: Host, call: Call) -> dict[str, Any]:
    asked = call.asked
    assert isinstance(asked, SummarizeAsked)  # noqa: S101 the offer's own type
    said = await host.summarise(asked.content, asked.goal, language=asked.language, deadline=call.seconds)
    return {"summary": said.summary, "evidence": list(said.evidence), "usage": codec.orjson_tree(said.usage)}


def _query(asked: SearchAsked) -> Query:
    return Query(
        text=asked.query,
        limit=asked.num_results,
        language=asked.language,
        sites=tuple(asked.sites),
        exclude=tuple(asked.exclude),
        since=asked.since,
        year=asked.filter_year,
    )


OFFERS: Final[Mapping[str, Offer]] = {
    "search": Offer(SearchAsked, _MiB // 4, _search, 30.0),
    "visit": Offer(VisitAsked, _MiB // 4, _visit, 60.0),
    "scholar": Offer(SearchAsked, _MiB // 4, _scholar, 30.0),
    # Files of 32 MiB as base64, and the program.
    "python": Offer(PythonAsked, 46 * _MiB, _python, 120.0),
    "summarize": Offer(SummarizeAsked, 20 * _MiB, _summarize, 60.0),
}
"""The tools by name; `wire.tool_client.PORTS` says where each listens."""
