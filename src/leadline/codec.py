"""JSON to frozen dataclasses and back, by their type hints.

For Leadline's own records: journal, tasks, reports. Foreign bytes are validated where they enter,
not here. Encoding is orjson's; decoding builds a decoder for each class once.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

import orjson

T = TypeVar("T")
Decoder = Callable[[Any], Any]


def encode(value: object) -> bytes:
    """Return compact UTF-8 JSON of a dataclass or plain JSON value.

    Raises `TypeError` for what JSON cannot hold. Lone surrogates (model output may hold them) are
    replaced, never fatal.
    """
    try:
        return orjson.dumps(value)
    except TypeError as error:
        if "surrogates" not in str(error):
            raise
        return orjson.dumps(_without_surrogates(orjson_tree(value)))


def canonical(value: object) -> bytes:
    """Return JSON with sorted keys: equal values give equal bytes, fit for hashing."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        if "surrogates" not in str(error):
            raise
        return orjson.dumps(_without_surrogates(orjson_tree(value)), option=orjson.OPT_SORT_KEYS)


def decode(cls: type[T], data: bytes | str) -> T:
    """Return the instance of dataclass `cls` that `data` (JSON) describes.

    Unknown keys are ignored, so that an older reader understands a newer writer; a missing key
    without default raises `ValueError`, and so does a value of the wrong shape.
    """
    return build(cls, orjson.loads(data))


def build(cls: type[T], value: object) -> T:
    """Return the instance of `cls` that a parsed JSON value describes; see `decode`."""
    result: T = _decoder(cls)(value)  # type: ignore[arg-type]  # a class is hashable
    return result


def orjson_tree(value: object) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    """Return `value` as plain dicts, lists and scalars."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: orjson_tree(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): orjson_tree(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [orjson_tree(v) for v in value]
    return value


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 a JSON tree has no narrower type
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(v) for v in value]
    return value


def _identity(value: Any) -> Any:  # noqa: ANN401 decoders take any JSON value
    return value


@lru_cache(maxsize=512)
def _decoder(hint: Any) -> Decoder:  # noqa: ANN401 a type hint has no narrower type
    if is_dataclass(hint):
        return _dataclass_decoder(hint)  # type: ignore[arg-type]  # is_dataclass narrows to instance or class
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _union_decoder(arguments)
    if origin is tuple:
        return _tuple_decoder(arguments)
    if origin in {Mapping, dict}:
        return _mapping_decoder(arguments)
    if origin in {Sequence, list}:
        return _list_decoder(arguments)
    return _identity


def _union_decoder(arguments: tuple[Any, ...]) -> Decoder:
    decoders = [_decoder(a) for a in arguments if a is not type(None)]
    rich = [d for d in decoders if d is not _identity]
    if len(decoders) != 1 or not rich:
        return _identity
    inner = rich[0]
    return lambda value: None if value is None else inner(value)


def _tuple_decoder(arguments: tuple[Any, ...]) -> Decoder:
    inner = [_decoder(a) for a in arguments if a is not Ellipsis]
    if Ellipsis in arguments:
        item = inner[0]
        if item is _identity:
            return lambda value: tuple(_expect(value, list))
        return lambda value: tuple([item(v) for v in _expect(value, list)])
    return lambda value: tuple(d(v) for d, v in zip(inner, _expect(value, list), strict=True))


def _list_decoder(arguments: tuple[Any, ...]) -> Decoder:
    item = _decoder(arguments[0])
    return lambda value: [item(v) for v in _expect(value, list)]


def _mapping_decoder(arguments: tuple[Any, ...]) -> Decoder:
    item = _decoder(arguments[1])
    if item is _identity:
        return lambda value: _expect(value, dict)
    return lambda value: {k: item(v) for k, v in _expect(value, dict).items()}


def _dataclass_decoder(cls: type[Any]) -> Decoder:
    hints = typing.get_type_hints(cls)
    plan: list[tuple[str, Decoder, bool]] = []
    for item in fields(cls):
        required = item.default is MISSING and item.default_factory is MISSING
        plan.append((item.name, _decoder(hints[item.name]), required))

    def decode_one(value: Any) -> Any:  # noqa: ANN401 decoders take any JSON value
        source = _expect(value, dict)
        arguments = {}
        for name, inner, required in plan:
            if name in source:
                arguments[name] = inner(source[name])
            elif required:
                raise ValueError(f"{cls.__name__}: `{name}` is missing")
        return cls(**arguments)

    return decode_one


def _expect(value: Any, kind: type[Any]) -> Any:  # noqa: ANN401 narrows any JSON value
    if not isinstance(value, kind):
        raise ValueError(f"expected a JSON {kind.__name__}, got {type(value).__name__}")  # noqa: TRY004 one error type for bad records
    return value
