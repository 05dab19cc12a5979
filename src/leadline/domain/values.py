"""What has no shape of its own."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value as JSON has it; what tools exchange with models is JSON by nature."""
