"""The run store on SQLite: one file, any number of processes of one machine."""

from leadline.tasks.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
