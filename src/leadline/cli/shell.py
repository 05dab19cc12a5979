"""What every command has: where it writes, and what its options said."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import orjson

from leadline.errors import InputError, LeadlineError, MissingPath, Unauthenticated

INTERRUPTED: Final = 130
"""Exit code after a second Ctrl-C, as shells have it: 128 + SIGINT."""

PIPE_CLOSED: Final = 141
"""Exit code where the reader of stdout went away: 128 + SIGPIPE."""

TERMINATED: Final = 143
"""Exit code after SIGTERM: 128 + SIGTERM."""

_ORDERING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(slots=True)
class Shell:
    """One call of the program.

    `factory` makes its engine from settings; without one it is `leadline.api.Leadline`. `flags`
    are settings by dotted name. `events` turns everything on stderr into JSON lines.
    """

    factory: Callable[..., Any] | None = None
    flags: dict[str, str] = field(default_factory=dict)
    config: Path | None = None
    debug: bool = False
    quiet: bool = False
    events: bool = False

    def say(self, text: str) -> None:
        """Tell the person at the terminal something that is no result."""
        if self.events:
            self.event({"type": "message", "text": text})
        elif not self.quiet:
            write_error(text)

    def event(self, body: dict[str, Any]) -> None:
        """Write one JSON line for a program that reads stderr."""
        _to_stderr(line_of(body))

    def fail(self, error: LeadlineError) -> int:
        """Report a failure in one line and return its exit code."""
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, Unauthenticated):  # what a service says of headers is not for who calls a command
            text += "; set LEADLINE_SERVER__KEY to a key of that service"
        family = error.family
        if self.events:
            self.event(
                {
                    "type": "error",
                    "code": family.code,
                    "message": text,
                    "exit": family.exit_code,
                }
            )
        else:
            write_error(f"leadline: {text}")
        return family.exit_code

    def misuse(self, error: click.ClickException) -> int:
        """Report a wrong call: what is wrong, and how to see what is right."""
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            return self._without_command(error, path)
        text = error.format_message()
        if self.events:
            self.event({"type": "error", "code": "usage", "message": text, "exit": error.exit_code})
        else:
            write_error(f"leadline: {text}" + (f" (see: {path} --help)" if path else ""))
        return error.exit_code

    def _without_command(self, error: click.exceptions.NoArgsIsHelpError, path: str) -> int:
        """Show what there is where only the name of the program, or of a group of commands, was given."""
        if self.events:
            text = f"a command is missing (see: {path} --help)"
            self.event({"type": "error", "code": "usage", "message": text, "exit": error.exit_code})
        else:
            write_error(error.format_message())
        return error.exit_code

    def bug(self, error: BaseException) -> int:
        """Report a failure that should not be, and return its exit code."""
        text = f"internal error: {type(error).__name__}: {' '.join(str(error).split())}"
        if self.events:
            self.event({"type": "error", "code": "internal", "message": text, "exit": 1})
        else:
            hint = "" if self.debug else "; `--debug` shows where"
            write_error(f"leadline: {text}{hint}")
        return 1


def write(text: str) -> None:
    """Write a result to stdout; on a terminal without what could steer it."""
    if sys.stdout.isatty():
        text = clean(text)
    with _to_stdout():
        sys.stdout.write(text if not text or text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout. Raises `InputError` where that is a terminal, which would show rubbish."""
    if sys.stdout.isatty():
        raise InputError("this format is no text: name a file with `-o`, or redirect the output")
    with _to_stdout():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def _to_stdout() -> Iterator[None]:
    """End the command where stdout takes no more. Raises `MissingPath` for a full disk and the like."""
    try:
        yield
    except OSError as error:
        # Nothing more can be written, not even what is left to be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has what it wanted
            raise click.exceptions.Exit(PIPE_CLOSED) from None
        raise MissingPath(f"cannot write the result to standard output: {error.strerror}") from error


def write_error(text: str) -> None:
    """Write a line to stderr, without what could steer a terminal."""
    _to_stderr(f"{clean(text)}\n")


def _to_stderr(text: str) -> None:
    with suppress(BrokenPipeError):  # nobody watches: no reason to end a run
        sys.stderr.write(text)
        sys.stderr.flush()


def line_of(body: dict[str, Any]) -> str:
    """Return one JSON line; lone surrogates, as model output may have them, are escaped."""
    try:
        return orjson.dumps(body).decode() + "\n"
    except TypeError:
        return json.dumps(body, default=str) + "\n"


def clean(text: str) -> str:
    """Return text whose control and direction characters are marked; line feeds and tabs stay.

    Pages and models are hostile: none of their text may steer a terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_mark(c) for c in text)


def _mark(character: str) -> str:
    if character in "\n\t":
        return character
    steers = unicodedata.category(character) in {"Cc", "Cs"} or character in _ORDERING
    return "\ufffd" if steers else character


pass_shell = click.make_pass_decorator(Shell)
