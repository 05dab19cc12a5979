"""What never stands in a log line: keys, passwords, and whatever looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

HIDDEN: Final = "********"
LEAST: Final = 6
"""Characters of the shortest secret that is looked for: shorter ones are in half of all words."""

_NAMES: Final = re.compile(
    r"(?:^|[_\-.])(?:api[_-]?key|authorization|cookie|credential|passphrase|password|passwd|secret|token)s?(?:$|[_\-.])",
    re.IGNORECASE,
)
_COUNTS: Final = re.compile(r"(?:^|_)(?:prompt|completion|cached|input|output|total)?_?tokens$", re.IGNORECASE)
# Each is a mark that stays and what follows it, which does not.
_PATTERNS: Final = (
    re.compile(r"(?i)(\bbearer\s+)[^\s\"',;]+"),
    re.compile(
        r"(?i)(\b(?:api[_-]?key|access[_-]?token|token|password|passwd|secret)\b[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+"
    ),
    re.compile(r"(://)[^/\s@]+(?=@)"),
    re.compile(r"(\b(?:ll|sk|pk|xox[abp]|ghp|tvly|AKIA)[-_]?)[A-Za-z0-9_\-]{16,}"),
)
# What none of the patterns can be without: most texts are looked at once.
_SUSPECT: Final = re.compile(r"(?i)bearer|token|key|passw|secret|@|(?:ll|sk|pk|xox[abp]|ghp|tvly|AKIA)[-_]?[a-z0-9]")
_DEEPEST: Final = 6


class Redactor:
    """Hides `secrets` (the settings' own) wherever they stand, and what looks like a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({text for text in secrets if len(text) >= LEAST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, logger: Any, name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 structlog's own signature
        """Take a line's fields, as a processor of structlog does; return them without secrets."""
        for key, value in fields.items():
            fields[key] = self._field(key, value, 0)
        return fields

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern in _PATTERNS if _SUSPECT.search(text) else ():
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text

    def _field(self, key: str, value: Any, depth: int) -> Any:  # noqa: ANN401 a line holds anything
        if (
            _NAMES.search(key)
            and not _COUNTS.search(key)
            and value not in {None, ""}
            and not isinstance(value, int | float)
        ):
            return HIDDEN
        return self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:  # noqa: ANN401 as above
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEEPEST:
            return HIDDEN if isinstance(value, Mapping | list | tuple) else value
        if isinstance(value, Mapping):
            return {str(key): self._field(str(key), inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner, depth + 1) for inner in value]
        return value if value is None or isinstance(value, bool | int | float) else self.text(str(value))
