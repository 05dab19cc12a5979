"""What a server says of a tool, made fit for a model, and the hash that pins it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from leadline import codec
from leadline.domain import Json, ToolSpec
from leadline.text.clean import neutralise, squeeze
from leadline.text.schema import inlined, refuse_unknown

MARK: Final = "__"
"""What stands between a server's name and a tool's."""

_MOST_DESCRIPTION: Final = 2_000
_MOST_NOTE: Final = 300
_MOST_NAME: Final = 64
_MOST_SCHEMA: Final = 16_000
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]")
_KEPT: Final = frozenset(
    {
        *("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
        *("properties", "required", "additionalProperties", "items", "anyOf", "description"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """A tool as its server describes it. `idempotent` is the server's own word."""

    name: str
    description: str
    schema: Mapping[str, Any]
    idempotent: bool = False

    @property
    def digest(self) -> str:
        """Return the hash of everything here: another word of the server's is another hash."""
        parts = [self.name, self.description, dict(self.schema), self.idempotent]
        return hashlib.sha256(codec.canonical(parts)).hexdigest()


def full_name(server: str, tool: str) -> str:
    """Return the name by which a model calls a tool of a server."""
    return f"{_UNFIT.sub('_', server)}{MARK}{_UNFIT.sub('_', tool)}"[:_MOST_NAME]


def spec_of(server: str, tool: Described) -> ToolSpec:
    """Return a tool as it is offered: its description inert, its schema in the part that is checked here.

    Raises `ValueError` for a schema that cannot be offered.
    """
    schema = _plain(inlined(tool.schema))
    if schema.get("type", "object") != "object" or len(codec.encode(schema)) > _MOST_SCHEMA:
        raise ValueError("its arguments are no object, or their schema is too large")
    schema["type"] = "object"
    refuse_unknown(schema)
    words = squeeze(neutralise(tool.description), limit=_MOST_DESCRIPTION)
    return ToolSpec(
        name=full_name(server, tool.name),
        description=f"Tool `{squeeze(tool.name, limit=_MOST_NAME)}` of the server `{server}`. {words}".strip(),
        parameters=schema,
        idempotent=tool.idempotent,
    )


def _plain(schema: Mapping[str, Any]) -> dict[str, Json]:
    """Return a schema without what is not checked here: its server checks the rest itself."""
    kept: dict[str, Json] = {name: part for name, part in schema.items() if name in _KEPT}
    if not isinstance(kept.get("additionalProperties", False), bool):
        del kept["additionalProperties"]
    if isinstance(schema.get("oneOf"), list) and "anyOf" not in kept:
        kept["anyOf"] = schema["oneOf"]
    if "const" in schema and "enum" not in kept:
        kept["enum"] = [schema["const"]]
    for name in ("properties",):
        if isinstance(kept.get(name), Mapping):
            kept[name] = {key: _inner(part) for key, part in schema[name].items()}
    if "items" in kept:
        kept["items"] = _inner(kept["items"])
    if isinstance(kept.get("anyOf"), list):
        kept["anyOf"] = [_inner(part) for part in schema.get("anyOf", schema.get("oneOf", []))]
    if isinstance(kept.get("description"), str):
        kept["description"] = squeeze(neutralise(schema["description"]), limit=_MOST_NOTE)
    else:
        kept.pop("description", None)
    return kept


def _inner(part: object) -> dict[str, Json]:
    return _plain(part) if isinstance(part, Mapping) else {}
