"""The part of JSON Schema (2020-12) that tools of our own and structured answers use, checked exactly.

A validator of the whole standard takes a tenth of a second to import, cannot phrase its complaints
for a model, follows references to other machines and runs a stranger's patterns. A schema with a
keyword that is not read here is refused when the tool is registered or the question asked, so that
nothing is silently left unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson

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
MAX_DEPTH: Final = 16
"""Levels that a schema may be nested."""

MOST_PARTS: Final = 5_000
"""Values that a schema may have, its definitions put in their places."""


def refuse_unknown(schema: object, *, depth: int = MAX_DEPTH) -> None:
    """Raise `ValueError` for what is no schema, and for keywords or types that `faults` does not check."""
    if not isinstance(schema, Mapping):
        raise ValueError(f"this is no schema: {_shown(schema)}")  # noqa: TRY004 one error for what cannot be checked
    unknown = set(schema) - _NOTES - _CHECKED
    kinds = {str(name) for name in _names(schema)} - set(_TYPES)
    if unknown or kinds:
        raise ValueError(f"this schema cannot be checked: {sorted(map(str, unknown | kinds))}")
    wrong = [name for name, fits in _SHAPES.items() if name in schema and not fits(schema[name])]
    if wrong:
        raise ValueError(f"this schema cannot be checked: `{wrong[0]}` is {_shown(schema[wrong[0]])}")
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    if depth == 0:
        raise ValueError(f"this schema is nested deeper than {MAX_DEPTH} levels")
    for part in (*inner, *([schema["items"]] if "items" in schema else [])):
        refuse_unknown(part, depth=depth - 1)


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with its own definitions (`$defs`, `definitions`) put where they are referred to.

    Raises `ValueError` for a reference to anything else, and for one that leads back to itself.
    """
    defined = {
        f"#/{place}/{name}": part
        for place in ("$defs", "definitions")
        if isinstance(schema.get(place), Mapping)
        for name, part in schema[place].items()
    }
    body = {name: part for name, part in schema.items() if name not in {"$defs", "definitions"}}
    whole = _Inliner(defined).of(body, MAX_DEPTH)
    if not isinstance(whole, dict):
        raise ValueError("this is no schema: it only refers to another one")  # noqa: TRY004 as above
    return whole


class _Inliner:
    """Puts definitions in their places, a bounded number of them: few can refer to each other very often."""

    def __init__(self, defined: Mapping[str, object]) -> None:
        self._defined = defined
        self._left = MOST_PARTS

    def of(self, part: object, depth: int) -> object:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"this schema has more than {MOST_PARTS:,} parts")
        if isinstance(part, list):
            return [self.of(item, depth) for item in part]
        if not isinstance(part, Mapping):
            return part
        reference = part.get("$ref")
        if reference is None:
            return {name: self.of(item, depth) for name, item in part.items()}
        if not isinstance(reference, str) or reference not in self._defined:
            raise ValueError(f"this schema refers to what it does not define: {_shown(reference)}")
        if depth == 0:
            raise ValueError(f"this schema refers to itself: {_shown(reference)}")
        found = self.of(self._defined[reference], depth - 1)
        rest = {name: item for name, item in part.items() if name != "$ref"}
        return {**found, **rest} if isinstance(found, dict) else found


def faults(value: object, schema: Schema, where: str = "") -> Iterator[str]:
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


def _object_faults(value: Mapping[str, Any], schema: Schema, where: str) -> Iterator[str]:
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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_SHAPES: Final[Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {
        "enum": lambda value: isinstance(value, list) and bool(value),
        "anyOf": lambda value: isinstance(value, list) and bool(value),
        "properties": lambda value: isinstance(value, Mapping),
        "required": _is_names,
        "additionalProperties": lambda value: isinstance(value, bool),
        **dict.fromkeys(("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"), _is_number),
    }
)


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
    return list(named) if isinstance(named, list | tuple) else [named]


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
