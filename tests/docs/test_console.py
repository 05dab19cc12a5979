"""What the pages show as typed on a console: commands and options exist, and what backup.md shows is what happens."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.support.kept import fill, settings_of

from leadline.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^[ ]*```console\n(.*?)```", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d{8}T\d{6}Z(-\d+)?|\d[\d.,:TZ+-]*\d|\d")


def typed() -> Iterator[tuple[str, str]]:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        lines = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).splitlines()
        yield from ((str(page.relative_to(ROOT)), line.strip()[2:]) for line in lines if "$ leadline " in line)


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words name, and the words behind it."""
    command: click.Command = cli
    context = click.Context(cli, info_name="leadline")
    while isinstance(command, click.Group) and words:
        inner = command.get_command(context, words[0])
        if inner is None:
            default = command.get_command(context, "to")  # `backup DEST` is `backup to DEST`
            assert default is not None or words[0].startswith("-"), f"no such command: {words[0]}"
            return default or command, words
        command, words = inner, words[1:]
    return command, words


@pytest.mark.parametrize(
    ("page", "line"), [pytest.param(*one, id=f"{one[0]}-{number}") for number, one in enumerate(typed())]
)
def test_commands_and_options_exist(page: str, line: str) -> None:
    words = shlex.split(re.split(r"\s[|>&]", line)[0], comments=True)[1:]
    command, rest = command_of(words)
    assert command is not cli, f"{page}: no such command: {line}"
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= known, f"{page}: {line}"


@pytest.mark.parametrize("line", ["leadline keys nonsense", "leadline migrate sideways", "leadline nonsense"])
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    with pytest.raises(AssertionError, match="no such command"):
        command_of(shlex.split(line)[1:])


def test_what_the_page_of_backups_shows_is_what_happens(tmp_path: Path) -> None:
    """Numbers and times differ from one deployment to the next; everything else is compared."""
    asyncio.run(_filled(tmp_path / "data"))
    text = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
    given = {"LEADLINE_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    compared = 0
    for block in BLOCK.findall(text):
        shown: list[str] = []
        printed: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ export "):
                name, _, value = line.removeprefix("$ export ").partition("=")
                given[name] = shlex.split(value)[0]
            elif line.startswith("$ leadline "):
                printed += told(shlex.split(line)[2:], folder=tmp_path, given=given)
            else:
                shown.append(masked(line))
        if shown:
            assert [masked(line) for line in printed] == shown
            compared += len(shown)
    assert compared >= 3
    assert (tmp_path / "sealed").is_dir()


async def _filled(folder: Path) -> None:
    await fill(await settings_of(folder))


def told(words: list[str], *, folder: Path, given: dict[str, str]) -> list[str]:
    program = "from leadline.cli.main import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def masked(line: str) -> str:
    """Return a line with its numbers as N, and words that follow their number in one form."""
    plain = NUMBER.sub("N", line.replace(str(Path.cwd()), ""))
    plain = re.sub(r"\b(run|tenant|report|claim|object)s\b", r"\1", plain)
    return re.sub(r"written to \S*?(\w+)$", r"written to \1", plain)
