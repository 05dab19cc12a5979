"""Commands for corpora of a service: `corpora create`, `add`, `list`, `documents`, `delete`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from leadline.cli.held import as_format, listed
from leadline.cli.keep import not_read, summary
from leadline.cli.options import common, elsewhere, watching
from leadline.cli.remote_keys import with_service
from leadline.cli.session import settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.uploads import Uploaded, bring, files_under
from leadline.cli.views import view_for
from leadline.client import AsyncClient, CorpusView, DocumentView
from leadline.errors import InputError, UnknownObject

T = TypeVar("T")

NO_SERVICE = (
    "corpora are a service's: name it with `--server URL`; on this machine `ask --docs PATH` and `index PATH` need none"
)


@click.group(
    epilog="""\b
Examples:
  leadline corpora create papers --server https://research.example.org
  leadline corpora add papers ./pdfs notes.md
  leadline corpora documents papers --format json
  leadline corpora delete papers --document old.pdf
  leadline ask "What do they say?" --corpus 5c1f0a9be2d34417
"""
)
def corpora() -> None:
    """Keep documents at a service, to be searched by its runs.

    CORPUS is an id or a name. `ask --docs` with `--server` does all of this by itself.
    """


@corpora.command("create")
@click.argument("name")
@elsewhere
@common
@pass_shell
def create(shell: Shell, *, name: str) -> None:
    """Make an empty corpus called NAME and print its id."""
    write(_asked(shell, lambda client: client.corpora.create(name)).id)


@corpora.command("list")
@as_format
@elsewhere
@common
@pass_shell
def list_(shell: Shell, *, format_: str) -> None:
    """List the corpora, by name."""
    found = _asked(shell, lambda client: client.corpora.list())
    listed(shell, found, format_, line=_line, none="there are no corpora")


@corpora.command("add")
@click.argument("corpus")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sync", is_flag=True, help="Also remove documents that are not among PATHS.")
@watching
@elsewhere
@common
@pass_shell
def add(shell: Shell, *, corpus: str, paths: tuple[Path, ...], sync: bool) -> None:
    """Send the files of PATHS that CORPUS does not have, and wait until they are read.

    What is there already is known by the hash of its bytes and not sent again.
    """
    files = files_under(paths)

    async def work(client: AsyncClient) -> Uploaded:
        found = await _found(client, corpus)
        with view_for(shell) as view:
            return await bring(client, found.id, files, remove=sync, progress=view.indexing)

    done = _asked(shell, work)
    not_read(shell.say, done)
    write(summary(done))


@corpora.command("documents")
@click.argument("corpus")
@as_format
@elsewhere
@common
@pass_shell
def documents(shell: Shell, *, corpus: str, format_: str) -> None:
    """List the documents of CORPUS, by name, and how far each is read."""

    async def work(client: AsyncClient) -> list[DocumentView]:
        return list(await client.corpora.documents((await _found(client, corpus)).id))

    found = _asked(shell, work)
    listed(shell, found, format_, line=_document, none="the corpus has no documents")


@corpora.command("delete")
@click.argument("corpus")
@click.option(
    "--document", "names", multiple=True, metavar="NAME", help="Only this document; may be given several times."
)
@elsewhere
@common
@pass_shell
def delete(shell: Shell, *, corpus: str, names: tuple[str, ...]) -> None:
    """Delete CORPUS with all its documents, or some of them."""

    async def work(client: AsyncClient) -> str:
        found = await _found(client, corpus)
        if not names:
            await client.corpora.delete(found.id)
        for name in names:
            await client.corpora.remove(found.id, name)
        return found.name

    name = _asked(shell, work)
    shell.say(f"deleted from {name}: {', '.join(names)}" if names else f"deleted: {name}")


def _asked(shell: Shell, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    if settings_of(shell).server.url is None:
        raise InputError(NO_SERVICE)
    return with_service(shell, work)


async def _found(client: AsyncClient, corpus: str) -> CorpusView:
    """Return a corpus by its id or, where it has none, by its name. Raises `UnknownObject`."""
    listed = await client.corpora.list()
    found = [one for one in listed if one.id == corpus] or [one for one in listed if one.name == corpus]
    if not found:
        raise UnknownObject(f"no such corpus: {corpus}")
    return found[0]


def _line(corpus: CorpusView) -> tuple[str, ...]:
    states = [f"{count:,} {state}" for state, count in _counts(corpus).items() if count]
    return corpus.id, f"{corpus.bytes:,} bytes", ", ".join(states) or "empty", corpus.name


def _counts(corpus: CorpusView) -> dict[str, int]:
    return {"ready": corpus.ready, "reading": corpus.reading, "queued": corpus.queued, "failed": corpus.failed}


def _document(one: DocumentView) -> tuple[str, ...]:
    return one.state, f"{one.size:,}", one.type, _said(one)


def _said(document: DocumentView) -> str:
    return f"{document.name}: {document.reason}" if document.reason else document.name
