"""Pytest plugin: no test reaches the network unless the run allows it.

Use it with `-p leadline.testing.pytest_plugin`, or `pytest_plugins = ["leadline.testing.pytest_plugin"]`
in the top `conftest.py`. `--allow-network CIDR` (repeatable) opens further networks than loopback.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Final

from leadline.testing.network import LOOPBACK, no_network

_STACK: Final = "_leadline_no_network"


def pytest_addoption(parser: Any) -> None:  # noqa: ANN401 pytest is no dependency of ours
    """Declare the option."""
    parser.addoption(
        "--allow-network",
        action="append",
        default=[],
        metavar="CIDR",
        help="a network that tests may reach, besides loopback",
    )


def pytest_configure(config: Any) -> None:  # noqa: ANN401 as above
    """Close the network before anything is collected."""
    stack = ExitStack()
    stack.enter_context(no_network((*LOOPBACK, *config.getoption("--allow-network"))))
    setattr(config, _STACK, stack)


def pytest_unconfigure(config: Any) -> None:  # noqa: ANN401 as above
    """Open it again."""
    stack = getattr(config, _STACK, None)
    if stack is not None:
        stack.close()
