#!/usr/bin/env python3
"""Writes docs/reference/{cli,settings}.md from the commands and the settings themselves.

A test compares the pages with what this gives, so they cannot drift.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby
from pathlib import Path

import click

from leadline import errors
from leadline.cli.main import SECTIONS, cli
from leadline.cli.shell import INTERRUPTED, PIPE_CLOSED, TERMINATED
from leadline.events import EVENTS
from leadline.settings import Item, items

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
WIDTH = 96

SETTINGS_HEAD = """\
# Settings

Written by `scripts/reference.py` from the settings themselves. `leadline settings` prints what is
in force, and whence.

A setting is taken from the first of these that has it:

1. an option of the command, where there is one;
2. the environment: the variable below; an empty one counts as not set;
3. the settings file: `config.toml` in the user's configuration folder (`~/.config/leadline` on
   Linux), or the file that `--config` names. A file in the working folder counts only so: a cloned
   repository must not be able to set an address or a key;
4. the default.

An unknown name and a value that is not allowed are errors (exit code 3), in every command. In the
file, `model.name` is `name` under `[model]`:

```toml
[model]
urls = ["http://127.0.0.1:8000/v1"]
name = "example-model"

[budget]
usd = 0.50
```

`leadline init` writes `[model]` for you, readable by its owner alone. A relative path in the file
starts at the file's folder, elsewhere at the working folder. Keys are never printed.
"""

SETTINGS_TAIL = """\
## The price file

`prices` names a TOML file with a table for each model, by its name or by a pattern (`*`, `?`); an
exact name goes before a pattern, and a longer pattern before a shorter one. A JSON file (`.json`)
holds the same as an object of objects. Prices are US dollars per million tokens.

```toml
["example-large"]
prompt = 2.50
completion = 10.00
cached = 1.25 # prompt tokens from the server's cache; left out, they cost as others

["example-*"]
prompt = 0.15
completion = 0.60
```
"""

CLI_HEAD = """\
# Commands

Written by `scripts/reference.py` from the commands themselves.

Results go to stdout, everything else to stderr. RUN is an id, the beginning of one, or `last` for
the newest. Options that are settings go before the environment and the settings file; see
[settings](settings.md).

`ask`, `resume` and `batch` can be interrupted: Ctrl-C once stops gathering and writes what there
is, twice cancels, three times leaves at once. After SIGTERM, or a killed process, `leadline resume
RUN` goes on, and what was paid for is not paid for again.
"""

EVENTS_HEAD = """\
## JSON events

With `--json-events` every line on stderr is a JSON object with a `type`. The journal's events
carry `run_id`, `seq`, `at` (Unix time), `branch` and their own fields; `show --raw` prints the
same. Beside them there are:

| type | fields |
|---|---|
| `indexing` | `found`, `done`, `name`: how far the index of the documents is |
| `progress` | `run_id`, `branch`, `kind`, `text`: live text of a model, never stored |
| `message` | `text`: a line for a person |
| `row` | `id`, `ok`, `state`: a row of a batch has its answer or failed |
| `error` | `code`, `message`, `exit`: why the program ends |

The journal's events:

| type | fields | meaning |
|---|---|---|
"""


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    parts = [SETTINGS_HEAD]
    for section, group in groupby(items().values(), key=_section):
        parts.append(f"## {section or 'general'}\n")
        parts.extend(_setting(item) for item in group)
    return "\n".join([*parts, SETTINGS_TAIL])


def _section(item: Item) -> str:
    return item.name.rpartition(".")[0]


def _setting(item: Item) -> str:
    default = f"`{item.default}`" if item.default and " " not in item.default else item.default
    return (
        f"### `{item.name}`\n\n{item.description}\n\n"
        f"- variable: `{item.variable}`\n"
        f"- default: {default or 'empty'}\n"
        f"- allowed: {item.kind.allowed}\n"
    )


def cli_page() -> str:
    """Return docs/reference/cli.md."""
    parts = [CLI_HEAD, _help(cli, None)]
    for name in (name for section in SECTIONS.values() for name in section):
        command = cli.get_command(click.Context(cli, info_name="leadline"), name)
        if command is not None:
            parts.append(f"## leadline {name}\n\n{_help(command, name)}")
        if isinstance(command, click.Group):
            parts.extend(
                f"### leadline {name} {inner}\n\n{_help(below, name, inner)}"
                for inner, below in sorted(command.commands.items())
            )
    return "\n".join([*parts, _exits(), EVENTS_HEAD + "".join(_events())])


def _help(command: click.Command, *names: str | None) -> str:
    root = cli.make_context("leadline", [], resilient_parsing=True, terminal_width=WIDTH)
    context = root
    given = [name for name in names if name is not None]
    if given:
        *above, last = given
        parent = click.Context(click.Group(above[0]), info_name=above[0], parent=root) if above else root
        context = command.make_context(last, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH)
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


def _exits() -> str:
    families = [
        (cls.exit_code, _first_line(cls))
        for cls in errors.LeadlineError.__subclasses__()
        if cls.__module__ == errors.__name__
    ]
    rows = [
        (0, "It is done."),
        (1, "Some rows of a batch failed or were written in spite of a failure, or an internal error."),
        *families,
        (INTERRUPTED, "Stopped by a second Ctrl-C, or the run was cancelled."),
        (PIPE_CLOSED, "The reader of stdout went away."),
        (TERMINATED, "Ended by SIGTERM; runs can be resumed."),
    ]
    table = "".join(f"| {code} | {meaning} |\n" for code, meaning in sorted(rows))
    return f"## Exit codes\n\n| code | meaning |\n|---|---|\n{table}"


def _events() -> Iterator[str]:
    for name, cls in EVENTS.items():
        names = ", ".join(f"`{item.name}`" for item in fields(cls))
        yield f"| `{name}` | {names} | {_first_line(cls)} |\n"


def _first_line(cls: type) -> str:
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())


def main() -> None:
    """Write both pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "cli.md").write_text(cli_page(), encoding="utf-8")
    (FOLDER / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
