"""The cache's file among several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from leadline.cache.sqlite_file import open_file

COMES_AND_GOES = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute("SELECT count(*) FROM sqlite_master").fetchall()
file.close()
"""


def test_a_second_cache_in_a_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    first, second = open_file(path), open_file(path)
    for connection in (second.reading, second.writing):
        connection.close()
    subprocess.run([sys.executable, "-c", COMES_AND_GOES, str(path)], check=True)
    assert path.with_name("cache.db-wal").exists()
    for connection in (first.reading, first.writing):
        connection.close()
