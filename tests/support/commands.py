"""Commands as the program reads them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from leadline.cli.main import cli


def parsed(command: click.Command, name: str, words: Sequence[str]) -> click.Context:
    """Return what a command reads from its words, below the program as always.

    Without it the command would keep other names for its help ever after: click makes that option once.
    """
    root = cli.make_context("leadline", [], resilient_parsing=True)
    return command.make_context(name, list(words), parent=root)
