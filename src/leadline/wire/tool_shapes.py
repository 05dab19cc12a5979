"""What tools' services send, as JSON and back: hits, works, pages with their stored text, what programs left.

What comes back is checked like anything that enters: types, hashes, lengths. `WrongShape` is for
the caller to translate.
"""

from __future__ import annotations

import base64
import binascii
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, Final, TypeVar

from leadline import codec
from leadline.domain import Fetched, Hit, Source, sha256, source_id
from leadline.errors import ToolFailed
from leadline.ports import Found, OutFile, Ran, Unanswered
from leadline.wire.papers import Paper, Papers
from leadline.wire.problems import failure_from, problem_of

T = TypeVar("T")

MOST_RAW: Final = 16 << 20
"""Bytes of a page that travel beside its text; a larger page comes without them."""

_FAILED: Final = 502


class WrongShape(ValueError):
    """A service's answer is not what it should be."""


def found_body(found: Found) -> dict[str, Any]:
    """Return what a search found; `url` and `date` as other programs look for them."""
    results = [
        {
            "title": hit.title,
            "url": hit.uri,
            "snippet": hit.snippet,
            "date": hit.published,
            "provider": hit.provider,
            "rank": hit.rank,
            "score": hit.score,
        }
        for hit in found.hits
    ]
    failures = [{"provider": one.provider, "code": one.code, "detail": one.message} for one in found.failures]
    return {
        "results": results,
        "ignored": list(found.ignored),
        "failures": failures,
        "cost_usd": found.usd,
        "sources": [],
    }


def found_from(body: Mapping[str, Any]) -> Found:
    """Return what a search found. Raises `WrongShape`."""
    hits = [
        checked(
            Hit,
            {
                "uri": item.get("url"),
                "title": item.get("title") or "",
                "snippet": item.get("snippet") or "",
                "provider": item.get("provider") or "",
                "rank": item.get("rank", number),
                "score": item.get("score", 0.0),
                "published": item.get("date"),
            },
        )
        for number, item in enumerate(_objects(body, "results"), start=1)
    ]
    failures = [
        checked(
            Unanswered,
            {"provider": item.get("provider"), "code": item.get("code"), "message": item.get("detail") or ""},
        )
        for item in _objects(body, "failures", needed=False)
    ]
    return Found(hits=tuple(hits), ignored=_texts(body, "ignored"), failures=tuple(failures), usd=_amount(body))


def papers_body(papers: Papers) -> dict[str, Any]:
    """Return scholarly works; a service that failed comes as its problem details."""
    return {
        "results": [codec.orjson_tree(paper) for paper in papers.papers],
        "ignored": list(papers.ignored),
        "failures": [{"provider": name, **problem_of(error, status=_FAILED)} for name, error in papers.failures],
        "cost_usd": papers.usd,
        "sources": [],
    }


def papers_from(body: Mapping[str, Any]) -> Papers:
    """Return scholarly works. Raises `WrongShape`."""
    failures: list[tuple[str, ToolFailed]] = []
    for item in _objects(body, "failures", needed=False):
        name = str(item.get("provider", ""))
        failures.append((name, failure_from(item, service=f"`{name}`", status=_FAILED)))
    return Papers(
        papers=tuple(checked(Paper, item) for item in _objects(body, "results")),
        ignored=_texts(body, "ignored"),
        failures=tuple(failures),
        usd=_amount(body),
    )


def source_body(fetched: Fetched, *, have: frozenset[str]) -> dict[str, Any]:
    """Return a source with its stored text, and with its raw bytes unless `have` names their hash."""
    raw = fetched.raw
    body: dict[str, Any] = {**codec.orjson_tree(fetched.source), "text": fetched.text, "links": list(fetched.links)}
    if raw is not None and fetched.source.raw_sha256 not in have and len(raw) <= MOST_RAW:
        body["raw"] = base64.b64encode(raw).decode()
    return body


def source_from(body: Mapping[str, Any]) -> Fetched:
    """Return a source with its text. Raises `WrongShape`, also where a hash, the id or the length is not its own."""
    source = checked(Source, body)
    text, encoded = body.get("text"), body.get("raw")
    if not isinstance(text, str):
        raise WrongShape("`text` is no text")
    if sha256(text.encode("utf-8", "replace")) != source.sha256 or source_id(source.sha256) != source.id:
        raise WrongShape("the text is not the one that its hash names")
    if len(text) != source.chars:
        raise WrongShape("the text has another length")
    raw = None if encoded is None else decoded(encoded)
    if raw is not None and sha256(raw) != source.raw_sha256:
        raise WrongShape("the bytes are not those that their hash names")
    return Fetched(source=source, text=text, raw=raw, links=_texts(body, "links"))


def ran_body(ran: Ran) -> dict[str, Any]:
    """Return how a program ended; its files as base64 by name."""
    return {
        "stdout": ran.stdout,
        "stderr": ran.stderr,
        "exit": ran.exit,
        "files": {file.name: encoded(file) for file in ran.files},
        "truncated": list(ran.truncated),
        "killed_by": ran.killed_by,
        "fresh": ran.fresh,
    }


def encoded(file: OutFile) -> str:
    """Return a file's bytes as base64."""
    return base64.b64encode(file.data).decode()


def decoded(text: object) -> bytes:
    """Return the bytes of base64. Raises `WrongShape`."""
    if not isinstance(text, str):
        raise WrongShape("no base64")
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise WrongShape("no base64") from error


def checked(cls: type[T], value: object) -> T:
    """Return the instance of dataclass `cls` that JSON describes, every field of its type. Raises `WrongShape`."""
    try:
        made = codec.build(cls, value)
    except (ValueError, TypeError, KeyError) as error:
        raise WrongShape(f"no {cls.__name__}") from error
    if not _fits(made, cls):
        raise WrongShape(f"no {cls.__name__}: a field is of another type")
    return made


@lru_cache(maxsize=64)
def _hints(cls: type[Any]) -> Mapping[str, Any]:
    return typing.get_type_hints(cls)


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 a type hint has no narrower type
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, UnionType}:
        return any(_fits(value, one) for one in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if is_dataclass(hint):
        hints = _hints(hint)  # type: ignore[arg-type]  # is_dataclass narrows to instance or class
        return all(_fits(getattr(value, item.name), hints[item.name]) for item in fields(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _objects(body: Mapping[str, Any], name: str, *, needed: bool = True) -> Sequence[dict[str, Any]]:
    found = body.get(name, None if needed else [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise WrongShape(f"`{name}` is no list of objects")
    return found


def _amount(body: Mapping[str, Any]) -> float:
    """Return what an answer cost, nothing where it does not tell."""
    usd = body.get("cost_usd", 0.0)
    if not _fits(usd, float) or not 0.0 <= usd < math.inf:
        raise WrongShape("`cost_usd` is no amount")
    return float(usd)


def _texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise WrongShape(f"`{name}` is no list of texts")
    return tuple(found)
