"""What a model wrote as arguments, made to fit a tool's schema, or refused.

Only what cannot change the meaning is mended: an object written as a JSON string, a scalar where
a list is wanted, a list of one where a scalar is, digits in quotation marks, blanks around text,
an empty value for an optional argument, and keys that the tool does not know beside all that it
needs. Everything else is an `InvalidArguments` whose message tells the model what to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import orjson

from leadline.domain import Json, ToolSpec
from leadline.errors import InvalidArguments
from leadline.text.clean import squeeze
from leadline.text.schema import faults, refuse_unknown

_MOST_FAULTS: Final = 3
_NOTHING: Final[tuple[Json, ...]] = (None, "", "null", "None", [])


class ArgumentReader:
    """Reads the arguments of one tool. Raises `ValueError` for a schema that cannot be checked."""

    def __init__(self, spec: ToolSpec) -> None:
        self._name = spec.name
        self._schema: Mapping[str, Any] = spec.parameters
        refuse_unknown(spec.parameters)

    def read(self, arguments: Json | Mapping[str, Json]) -> Mapping[str, Json]:
        """Return arguments that fit the schema. Raises `InvalidArguments`."""
        given = self._as_object(arguments)
        properties = self._schema.get("properties", {})
        required = self._schema.get("required", [])
        missing = [name for name in required if name not in given]
        unknown = [name for name in given if name not in properties]
        if missing:
            raise InvalidArguments(self._missing(missing, unknown))
        mended: dict[str, Json] = {}
        for name, schema in properties.items():
            if name in given and not (name not in required and given[name] in _NOTHING):
                mended[name] = _mend(given[name], schema)
        self._check(mended)
        return mended

    def _as_object(self, arguments: Json | Mapping[str, Json]) -> Mapping[str, Json]:
        if isinstance(arguments, str):
            try:
                arguments = orjson.loads(arguments)
            except orjson.JSONDecodeError as error:
                raise InvalidArguments(f"the arguments of `{self._name}` are no valid JSON: {error}") from error
        if not isinstance(arguments, Mapping):
            raise InvalidArguments(f"the arguments of `{self._name}` must be a JSON object: {self._wanted()}")
        return arguments

    def _missing(self, missing: list[str], unknown: list[str]) -> str:
        lacks = ", ".join(f"`{name}`" for name in missing)
        message = f"`{self._name}` needs {lacks}"
        if unknown:
            names = ", ".join(f"`{squeeze(name, limit=40)}`" for name in unknown[:_MOST_FAULTS])
            message += f" and does not know {names}"
        return f"{message}; its arguments are {self._wanted()}"

    def _wanted(self) -> str:
        required = self._schema.get("required", [])
        names = self._schema.get("properties", {})
        return ", ".join(f"`{name}`" if name in required else f"`{name}` (optional)" for name in names)

    def _check(self, arguments: Mapping[str, Json]) -> None:
        found = list(islice(faults(arguments, self._schema), _MOST_FAULTS))
        if found:
            raise InvalidArguments(f"`{self._name}` cannot be called so: {'; '.join(found)}")


def _mend(value: Json, schema: Mapping[str, Any]) -> Json:
    """Return `value` in the form that its schema wants, as far as the meaning stays the same."""
    kinds = _kinds(schema)
    if isinstance(value, str):
        value = _mend_text(value.strip(), kinds)
    elif isinstance(value, float) and value.is_integer() and "number" not in kinds:
        value = int(value)
    if isinstance(value, list):
        if "array" not in kinds and len(value) == 1:
            return _mend(value[0], schema)
        items = schema.get("items", {})
        return [_mend(item, items) for item in value if item not in _NOTHING]
    if "array" in kinds and not kinds & {"string", "integer", "number", "boolean"}:
        return [_mend(value, schema.get("items", {}))]
    return value


def _mend_text(text: str, kinds: frozenset[str]) -> Json:
    if "string" in kinds and "array" not in kinds:
        return text
    if text[:1] in {"[", "{"}:
        try:
            parsed: Json = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        fits = "array" if isinstance(parsed, list) else "object"
        return parsed if fits in kinds else text
    if "integer" in kinds and text.lstrip("-").isdecimal() and len(text) < 16:
        return int(text)
    if "boolean" in kinds and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the JSON types that a schema names, itself or in its alternatives."""
    own = schema.get("type", [])
    kinds = {own} if isinstance(own, str) else set(own)
    for alternative in (*schema.get("anyOf", []), *schema.get("oneOf", [])):
        kinds |= _kinds(alternative)
    return frozenset(kinds)
