"""The part of JSON Schema (2020-12) that tools of our own use, checked exactly.

A validator of the whole standard takes a tenth of a second to import and cannot phrase its
complaints for a model. A schema with a keyword that is not read here is refused when the tool is
registered, so that nothing is silently left unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson

from leadline.domain import Json
from leadline.text.clean import squeeze

Schema: TypeAlias = Mapping[str, Any]

_NOTES: Final = frozenset({"$schema", "title", "description", "default", "examples", "format"})
_CHECKED: Final = frozenset(
    {
        *("type", "enum", "anyOf", "minimum", "maximum", "minLength", "maxLength"),
        *("items", "minItems", "maxItems", "properties", "required", "additionalProperties"),
    }
)
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = MappingProxyType(
    {
        "string": str,
        "array": list,
        "object": Mapping,
        "boolean": bool,
        "null": type(None),
        "number": (int, float),
        "integer": (int, float),
    }
)
_MOST_VALUE: Final = 60


def refuse_unknown(schema: Schema) -> None:
    """Raise `ValueError` for a schema with keywords or types that `faults` does not check."""
    unknown = set(schema) - _NOTES - _CHECKED
    kinds = set(_names(schema)) - set(_TYPES)
    if unknown or kinds or not isinstance(schema.get("additionalProperties", False), bool):
        raise ValueError(f"this schema cannot be checked: {sorted(unknown | kinds)}")
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    for part in (*inner, *([schema["items"]] if "items" in schema else [])):
        refuse_unknown(part)


def faults(value: Json | Mapping[str, Json], schema: Schema, where: str = "") -> Iterator[str]:
    """Yield what is wrong with `value`, in words for who wrote it; nothing where it fits."""
    names = _names(schema)
    if names and not any(_is(value, name) for name in names):
        yield f"{_at(where)} must be {_either(names)}, not {_shown(value)}"
        return
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield f"{_at(where)} must be one of {_shown(schema['enum'])}, not {_shown(value)}"
    options = schema.get("anyOf", [])
    if options and not any(not list(faults(value, option)) for option in options):
        yield f"{_at(where)} fits none of the forms that are allowed"
    if isinstance(value, str):
        yield from _length(len(value), schema, where, of="Length")
    elif isinstance(value, list):
        yield from _list_faults(value, schema, where)
    elif isinstance(value, Mapping):
        yield from _object_faults(value, schema, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_faults(value, schema, where)


def _list_faults(value: list[Any], schema: Schema, where: str) -> Iterator[str]:
    yield from _length(len(value), schema, where, of="Items")
    if "items" in schema:
        for index, item in enumerate(value):
            yield from faults(item, schema["items"], f"{where}[{index}]")


def _object_faults(value: Mapping[str, Json], schema: Schema, where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"`{_inside(where, name)}` is missing"
    for name, item in value.items():
        if name in properties:
            yield from faults(item, properties[name], _inside(where, name))
        elif schema.get("additionalProperties", True) is False:
            yield f"`{squeeze(_inside(where, name), limit=_MOST_VALUE)}` is unknown"


def _number_faults(value: float, schema: Schema, where: str) -> Iterator[str]:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if value < least:
        yield f"{_at(where)} must be at least {least}, not {_shown(value)}"
    if value > most:
        yield f"{_at(where)} must be at most {most}, not {_shown(value)}"


def _length(length: int, schema: Schema, where: str, *, of: str) -> Iterator[str]:
    least, most = schema.get(f"min{of}", 0), schema.get(f"max{of}", math.inf)
    what = "characters" if of == "Length" else "entries"
    if length < least:
        yield f"{_at(where)} must have at least {least} {what}, not {length}"
    if length > most:
        yield f"{_at(where)} must have at most {most} {what}, not {length}"


def _is(value: object, name: str) -> bool:
    """Whether a value is of a JSON type: a boolean is no number, 3.0 is an integer."""
    if name in {"integer", "number"}:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return name == "number" or isinstance(value, int) or value.is_integer()
    return isinstance(value, _TYPES[name])


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _names(schema: Schema) -> list[str]:
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)


def _either(names: list[str]) -> str:
    return " or ".join(f"{'an' if name[0] in 'aio' else 'a'} {name}" for name in names)


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _at(where: str) -> str:
    return f"`{where}`" if where else "the value"


def _shown(value: object) -> str:
    if isinstance(value, str):
        value = value[:_MOST_VALUE]
    try:
        told = orjson.dumps(value).decode()
    except TypeError:
        told = str(type(value).__name__)
    return squeeze(told[: 2 * _MOST_VALUE], limit=_MOST_VALUE)
