"""Where the data of this machine lies."""

from __future__ import annotations

from pathlib import Path

from leadline.errors import SettingsError
from leadline.settings import Settings


def data_folder(settings: Settings) -> Path:
    """Return the data folder, made for this user alone. Raises `SettingsError`."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"cannot make the data folder {folder}: {error.strerror}; set LEADLINE_DATA_DIR") from error
    return folder
