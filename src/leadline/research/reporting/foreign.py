"""A report that comes from outside (a file, another machine), held to its shape before anything trusts it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, Final

import orjson

from leadline import codec
from leadline.domain import REPORT_SCHEMA, Report
from leadline.errors import CheckFailed

LARGEST: Final = 64 << 20
"""Bytes that a report may have."""

_SHOWN: Final = 60


def read_report(data: bytes) -> Report:
    """Return the report that `data` (JSON of schema `leadline.report/1`) describes.

    Unlike `codec.decode` every value is compared with its field's type; keys that this version does
    not know are ignored. Raises `CheckFailed` naming the first place that does not fit.
    """
    if len(data) > LARGEST:
        raise CheckFailed(f"the report has {len(data):,} bytes; at most {LARGEST:,} are read")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CheckFailed(f"the report is no JSON: {error}") from error
    if not isinstance(value, dict) or value.get("schema") != REPORT_SCHEMA:
        raise CheckFailed(f"this is no report of schema {REPORT_SCHEMA}")
    wrong = next(_misfits(value, Report, "report"), None)
    if wrong is not None:
        raise CheckFailed(f"the report does not fit its schema: {wrong}")
    return codec.build(Report, value)


def _misfits(value: object, hint: Any, where: str) -> Iterator[str]:  # noqa: ANN401 a type hint has no narrower type
    """Yield the places where a JSON value does not fit a type hint."""
    if is_dataclass(hint):
        yield from _record(value, hint, where)
        return
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if not any(next(_misfits(value, one, where), None) is None for one in arguments):
            yield _wrong(value, where)
    elif origin in {dict, list}:
        if not isinstance(value, origin):  # a value that is JSON by nature, of any shape
            yield _wrong(value, where)
    elif origin is tuple:
        yield from _items(value, arguments, where)
    elif origin is Mapping:
        yield from _entries(value, arguments[1], where)
    elif not _is(value, hint):
        yield _wrong(value, where)


def _record(value: object, hint: Any, where: str) -> Iterator[str]:  # noqa: ANN401 as above
    if not isinstance(value, dict):
        yield _wrong(value, where)
        return
    hints = typing.get_type_hints(hint)
    for item in fields(hint):
        if item.name in value:
            yield from _misfits(value[item.name], hints[item.name], f"{where}.{item.name}")
        elif item.default is MISSING and item.default_factory is MISSING:
            yield f"{where}.{item.name} is missing"


def _items(value: object, arguments: tuple[Any, ...], where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _wrong(value, where)
        return
    kinds = [arguments[0]] * len(value) if Ellipsis in arguments else list(arguments)
    if len(kinds) != len(value):
        yield f"{where} has {len(value)} items, not {len(kinds)}"
        return
    for index, (item, kind) in enumerate(zip(value, kinds, strict=True)):
        yield from _misfits(item, kind, f"{where}[{index}]")


def _entries(value: object, kind: Any, where: str) -> Iterator[str]:  # noqa: ANN401 as above
    if not isinstance(value, dict):
        yield _wrong(value, where)
        return
    for key, item in value.items():
        yield from _misfits(item, kind, f"{where}.{key[:_SHOWN]}")


def _is(value: object, hint: Any) -> bool:  # noqa: ANN401 as above
    if isinstance(hint, type) and issubclass(hint, Enum):
        return value in {one.value for one in hint} if isinstance(value, str) else False
    if hint is float:
        return type(value) in {int, float}
    return type(value) is hint


def _wrong(value: object, where: str) -> str:
    shown = repr(value)[:_SHOWN]
    return f"{where} is {shown}"
