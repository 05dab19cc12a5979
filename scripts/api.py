#!/usr/bin/env python3
"""Writes docs/api.md from the service's own OpenAPI document.

A test compares the page with what this gives, so they cannot drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from leadline.service.app import create_app
from leadline.service.routing import ACTION
from leadline.settings import Settings

Schema: TypeAlias = dict[str, Any]

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "api.md"
TITLES: Final[Mapping[str, str]] = {
    "service": "The service itself",
    "research": "Research",
    "evidence": "Reports and evidence",
    "tools": "Tools",
    "schedules": "Schedules",
    "webhooks": "Webhooks",
    "shares": "Share links",
    "accounts": "Keys, secrets, usage, audit",
}
HEAD: Final = """\
# HTTP API

Written by `scripts/api.py` from the OpenAPI document, which a running service gives at
`/openapi.json`. [The service](service.md) tells how it is run and what it promises.

Every request carries `Authorization: Bearer ll_...`; each operation names the action that the key
must be permitted ([tenancy](tenancy.md)). Bodies are JSON, unknown fields are refused, times are UTC
in ISO 8601. Whatever is no success is a problem detail (RFC 9457) with a stable `code`:

```json
{"type": "about:blank", "title": "unknown run", "status": 404, "code": "unknown_run",
 "detail": "no such run: r1", "instance": "urn:leadline:request:5c1f0a9be2d34417"}
```

Beside what is listed, every operation with an action may answer 401, 403, 429, 500, 503 and 507;
422 where something does not fit its description; 400, 408, 413 and 415 for a body that cannot be taken.
"""
ALWAYS: Final = frozenset({"400", "401", "403", "413", "415", "422", "429", "500", "503", "507"})


def page() -> str:
    """Return the page."""
    document = create_app(Settings()).openapi()
    groups: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, verbs in document["paths"].items():
        for method, told in verbs.items():
            groups.setdefault(told["tags"][0], []).append((method.upper(), path, told))
    parts = [HEAD]
    for tag in sorted(groups, key=_order):
        parts.append(f"## {TITLES.get(tag, tag.capitalize())}\n")
        parts += ["\n".join(_operation(*one)) for one in groups[tag]]
    parts.append("## Shapes\n")
    parts += ["\n".join(_shape(name, schema)) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(parts).rstrip() + "\n"


def _order(tag: str) -> tuple[int, str]:
    known = list(TITLES)
    return (known.index(tag), "") if tag in known else (len(known), tag)


def _operation(method: str, path: str, told: Schema) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    yield f"{told['summary']}." + (f" {_text(told)}" if _text(told) else "") + "\n"
    if ACTION in told:
        yield f"Action: `{told[ACTION]}`.\n"
    rows = [
        (
            f"`{one['name']}`",
            one["in"],
            _type(one["schema"]),
            one.get("description") or one["schema"].get("description", ""),
        )
        for one in told.get("parameters", ())
    ]
    if rows:
        yield from _table(("parameter", "in", "type", "meaning"), rows)
    content = told.get("requestBody", {}).get("content", {})
    for media, body in content.items():
        yield f"Body: {_type(body['schema'])} (`{media}`).\n"
    answers = [
        (f"`{status}`", _answer(answer), answer.get("description", ""))
        for status, answer in told["responses"].items()
        if status not in ALWAYS or int(status) < 300
    ]
    yield from _table(("answer", "holds", "meaning"), answers)


def _text(told: Schema) -> str:
    words = str(told.get("description", ""))
    return "" if words.rstrip(".").startswith(told["summary"]) else words


def _answer(answer: Schema) -> str:
    held = [
        _type(body["schema"]) if media == "application/json" else f"`{media}`"
        for media, body in answer.get("content", {}).items()
    ]
    return ", ".join(held)


def _shape(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if schema.get("description"):
        yield " ".join(schema["description"].split()) + "\n"
    required = set(schema.get("required", ()))
    rows = [
        (f"`{field}`" + ("" if field in required else " (optional)"), _type(told), _default(told))
        for field, told in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("field", "type", "meaning"), rows)


def _default(told: Schema) -> str:
    words = " ".join(str(told.get("description", "")).split())
    if "default" in told and told["default"] not in (None, [], {}):
        return f"{words} Default: `{told['default']}`.".strip()
    return words


def _type(schema: Schema) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema or "oneOf" in schema:
        kinds = [_type(one) for one in schema.get("anyOf") or schema["oneOf"]]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"{schema.get('type', 'any')}{_bounds(schema)}"


def _bounds(schema: Schema) -> str:
    low, high = (_whole(schema.get(end, schema.get(f"{end[:3]}Length"))) for end in ("minimum", "maximum"))
    if low is None and high is None:
        return ""
    if low is None:
        return f", at most {high}"
    return f", at least {low}" if high is None else f", {low} to {high}"


def _whole(bound: float | None) -> float | None:
    """Return a bound as people write it: the document has `10.0` for 10."""
    return int(bound) if bound is not None and bound == int(bound) else bound


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
