"""Foreign text on one line of a prompt."""

from __future__ import annotations

from typing import Final

from leadline.text.clean import neutralise, squeeze

# What is cut off unseen, so that a huge text costs nothing: blanks and marks may take this share.
_SLACK: Final = 4


def brief(text: str, limit: int) -> str:
    """Return `text` inert and on one line, at most `limit` code points."""
    return squeeze(neutralise(text[: _SLACK * limit]), limit=limit)
