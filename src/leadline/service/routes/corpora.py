"""`/v1/corpora`: documents that a tenant keeps at the service, to be searched by its runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header, Path, Query, Request
from fastapi.responses import Response

from leadline.errors import InputError, WrongState
from leadline.ports.access import Action
from leadline.ports.corpora import CorpusDocument, Tally, TenantCorpus
from leadline.service.corpora_shapes import CorpusShown, CorpusTaken, DocumentShown
from leadline.service.deps import CallerDep, ObjectId, ServicesDep
from leadline.service.paging import Limit, Page, pack, unpack
from leadline.service.routing import Routes, name_object
from leadline.service.shown import iso

DocumentName: TypeAlias = Annotated[
    str,
    Path(
        min_length=1,
        max_length=255,
        description="The document's name; slashes make folders. Its end, such as `.md`, helps to tell its type.",
    ),
]
Place: TypeAlias = Annotated[str | None, Query(max_length=2_000, description="`next` of the page before.")]
Digest: TypeAlias = Annotated[
    str | None,
    Header(max_length=400, description="`sha-256=:...:` (RFC 9530): what came and does not fit it is refused."),
]

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The document's bytes, whatever type is named: they are typed by themselves.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }
}


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/corpora", tag="corpora")
    read, write = Action.CORPORA_READ, Action.CORPORA_WRITE
    made.add("POST", "", make_corpus, action=write, status=201, model=CorpusShown, errors=(409,))
    made.add("GET", "", corpora, action=read, model=Page[CorpusShown], errors=(400,))
    made.add("GET", "/{corpus_id}", corpus, action=read, model=CorpusShown)
    made.add("DELETE", "/{corpus_id}", forget_corpus, action=write, status=204)
    made.add("GET", "/{corpus_id}/documents", documents, action=read, model=Page[DocumentShown], errors=(400,))
    name = "/{corpus_id}/documents/{name:path}"
    made.add("PUT", name, upload, action=write, model=DocumentShown, errors=(409,), extra=_BODY)
    made.add("GET", name, document, action=read, model=DocumentShown)
    made.add("DELETE", name, remove, action=write, status=204)
    return made


async def make_corpus(taken: CorpusTaken, request: Request, *, services: ServicesDep, caller: CallerDep) -> CorpusShown:
    """Make an empty corpus."""
    known, most = services.accounts.corpora, services.settings.corpora.sets
    if len(await known.list(caller.tenant, limit=most)) >= most:
        raise WrongState(f"there are {most} corpora already: delete one first")
    made = await known.create(caller.tenant, name=taken.name)
    name_object(request, made.id)
    return corpus_shown(made, Tally())


async def corpora(
    services: ServicesDep, caller: CallerDep, *, limit: Limit = 50, cursor: Place = None
) -> Page[CorpusShown]:
    """List the tenant's corpora, by name."""
    known, after = services.accounts.corpora, _name_at(cursor)
    found = await known.list(caller.tenant, after=after, limit=limit + 1)
    tallies = await known.tally(caller.tenant, [one.id for one in found])
    items = [corpus_shown(one, tallies[one.id]) for one in found[:limit]]
    return Page(items=items, next=pack([items[-1].name]) if len(found) > limit else None)


async def corpus(corpus_id: ObjectId, services: ServicesDep, caller: CallerDep) -> CorpusShown:
    """Look at a corpus, and how far its documents are read."""
    known = services.accounts.corpora
    found = await known.get(caller.tenant, corpus_id)
    return corpus_shown(found, (await known.tally(caller.tenant, [found.id]))[found.id])


async def forget_corpus(corpus_id: ObjectId, services: ServicesDep, caller: CallerDep) -> Response:
    """Delete a corpus with all its documents.

    What runs have taken from it already stays with them; runs that have still to search it find that
    it is gone.
    """
    await services.accounts.corpora.delete(caller.tenant, corpus_id)
    return Response(status_code=204)


async def documents(
    corpus_id: ObjectId, services: ServicesDep, caller: CallerDep, *, limit: Limit = 50, cursor: Place = None
) -> Page[DocumentShown]:
    """List a corpus's documents, by name, each with its state."""
    known, after = services.accounts.corpora, _name_at(cursor)
    found = await known.documents(caller.tenant, corpus_id, after=after, limit=limit + 1)
    items = [document_shown(one) for one in found[:limit]]
    return Page(items=items, next=pack([items[-1].name]) if len(found) > limit else None)


async def upload(
    corpus_id: ObjectId,
    name: DocumentName,
    request: Request,
    *,
    services: ServicesDep,
    caller: CallerDep,
    content_digest: Digest = None,
) -> DocumentShown:
    """Add a document, or replace the one of its name.

    The answer comes when its bytes are stored; it is read afterwards. The same bytes again change
    nothing, so that a lost answer does no harm; what could not be read is read again.
    """
    name_object(request, f"{corpus_id}/{name}")
    announced = request.headers.get("content-length", "")
    found = await services.uploads.put(
        caller.tenant,
        corpus_id,
        name,
        pieces=_pieces(request),
        announced=int(announced) if announced.isascii() and announced.isdigit() else 0,
        digest=content_digest,
    )
    return document_shown(found)


async def document(
    corpus_id: ObjectId, name: DocumentName, *, services: ServicesDep, caller: CallerDep
) -> DocumentShown:
    """Look at a document."""
    return document_shown(await services.accounts.corpora.document(caller.tenant, corpus_id, name))


async def remove(
    corpus_id: ObjectId, name: DocumentName, request: Request, *, services: ServicesDep, caller: CallerDep
) -> Response:
    """Take a document out of a corpus.

    Runs that have begun keep to the version that they began with; its bytes are deleted when no run
    needs them any more.
    """
    name_object(request, f"{corpus_id}/{name}")
    await services.accounts.corpora.remove(caller.tenant, corpus_id, name)
    return Response(status_code=204)


def corpus_shown(corpus: TenantCorpus, tally: Tally) -> CorpusShown:
    """Return a corpus as it is listed."""
    return CorpusShown(
        id=corpus.id,
        name=corpus.name,
        version=corpus.version,
        created_at=iso(corpus.created_at),
        updated_at=iso(corpus.updated_at),
        documents=tally.documents,
        bytes=tally.bytes,
        queued=tally.queued,
        reading=tally.reading,
        ready=tally.ready,
        failed=tally.failed,
    )


def document_shown(document: CorpusDocument) -> DocumentShown:
    """Return a document as it is listed."""
    return DocumentShown(
        name=document.name,
        sha256=document.blob,
        size=document.size,
        type=document.type,
        added_at=iso(document.added_at),
        state=document.state.value,
        characters=document.characters,
        code=document.code,
        reason=document.reason or None,
    )


def _name_at(cursor: str | None) -> str:
    """Return the name behind which a page begins. Raises `InputError`."""
    if cursor is None:
        return ""
    match unpack(cursor):
        case [str() as name] if name.isprintable():
            return name
    raise InputError(f"no cursor of a page before: {cursor[:60]!r}")


async def _pieces(request: Request) -> AsyncGenerator[bytes]:
    going = True
    while going:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise InputError("the sender went away before all of it had come")
        if piece := message.get("body", b""):
            yield piece
        going = message.get("more_body", False)
