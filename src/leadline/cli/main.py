"""The program `leadline`: which commands there are, and what becomes of their failures.

Command modules are imported when they are called: `leadline --help` imports click and little else.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from leadline.cli.shell import INTERRUPTED, Shell
from leadline.errors import LeadlineError
from leadline.version import __version__


class Entry(NamedTuple):
    """Where a command lies, and what the list of commands says of it."""

    module: str
    name: str
    help: str


SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Research": {
        "ask": Entry("ask", "ask", "Research a question and print the report."),
        "batch": Entry("batch", "batch", "Research many questions from a file."),
        "eval": Entry("evaluate", "evaluate", "Compare strategies and models over known answers."),
    },
    "Runs": {
        "runs": Entry("runs", "runs", "List runs, newest first."),
        "show": Entry("runs", "show", "Print a run's report, or its journal."),
        "resume": Entry("person", "resume", "Go on with a run that was cut off."),
        "approve": Entry("person", "approve", "Answer a run that waits for a person."),
        "finish": Entry("runs", "finish", "Let a run stop gathering and write its report now."),
        "cancel": Entry("runs", "cancel", "Stop a run."),
    },
    "Trust": {
        "verify": Entry("trust", "verify", "Check every quote of a report against its sources."),
        "replay": Entry("trust", "replay", "Run again over what was recorded and compare."),
        "export": Entry("trust", "export", "Write a run with all its evidence into one file."),
    },
    "Services": {
        "serve": Entry("serve", "serve", "Serve research over HTTP."),
        "worker": Entry("worker", "worker", "Take runs from the queue and carry them through."),
        "mcp": Entry("mcp", "mcp", "Serve a host of the Model Context Protocol; pin tools of others."),
        "serve-tool": Entry("serve_tool", "serve_tool", "Serve one tool over HTTP, for runs elsewhere."),
    },
    "All on one machine": {
        "up": Entry("up", "up", "Start balancer, services, workers, stores and monitoring."),
        "status": Entry("up", "status", "Print how each part does."),
        "logs": Entry("up", "logs", "Print the last lines of the parts' logs."),
        "stop": Entry("up", "stop", "End some parts, and keep them down."),
        "start": Entry("up", "start", "Start parts again that were stopped."),
        "down": Entry("up", "down", "End all parts, the balancer first."),
    },
    "Model servers": {
        "serve-models": Entry("serve_models", "serve_models", "Put model servers behind one address."),
        "pool": Entry("pool", "pool", "List, add, drain and remove servers of a running gateway."),
        "vllm-command": Entry("vllm", "vllm_command", "Print how to start a vLLM server."),
    },
    "Tenants": {
        "keys": Entry("keys", "keys", "Make, list, rotate and revoke keys of the service."),
        "tenants": Entry("tenants", "tenants", "Make, list, limit and disable tenants."),
        "schedules": Entry("schedules", "schedules", "Ask questions again and again."),
        "secrets": Entry("secrets", "secrets", "Keep tenants' keys at providers, encrypted."),
        "audit": Entry("audit", "audit", "Print who did what, or check that nothing was changed."),
    },
    "Set-up and upkeep": {
        "init": Entry("setup", "init", "Set a model: ask for it, try it, write it down."),
        "settings": Entry("setup", "settings", "Print the settings in force, and whence."),
        "doctor": Entry("doctor", "doctor", "Check everything that is set, and say what to do."),
        "preflight": Entry("preflight", "preflight", "Go through the list before going into production."),
        "support-bundle": Entry("support", "support_bundle", "Pack what helps others to help, without secrets."),
        "corpora": Entry("corpora", "corpora", "Keep documents at a service."),
        "index": Entry("keep", "index", "Index documents before a question comes."),
        "sandbox": Entry("sandbox", "sandbox", "Set up and test where a model's programs run."),
        "cache": Entry("cache", "cache", "Look into the cache of the web, forget, or warm it."),
        "migrate": Entry("migrate", "migrate", "Make and change the tables of PostgreSQL."),
        "backup": Entry("backup", "backup", "Copy all that is kept, and check copies."),
        "restore": Entry("backup", "restore", "Put a backup into empty servers, and prove it."),
        "ship": Entry("ship", "ship", "Ship what happened to the event log."),
        "gc": Entry("keep", "gc", "Delete old runs and what nothing refers to."),
        "completion": Entry("setup", "completion", "Print a shell's completion script."),
    },
}

EXAMPLES: Final = """\b
Examples:
  leadline ask "When was the cache added?" --docs ./docs
  leadline ask "Why do builds fail?" --docs notes/ -o report.html
  leadline show last --format json
  leadline verify last
"""


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        for section in SECTIONS.values():
            if cmd_name in section:
                entry = section[cmd_name]
                command: click.Command = getattr(import_module(f"leadline.cli.{entry.module}"), entry.name)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; a wrong name is told with those that are like it."""
        name, known = args[0], self.list_commands(ctx)
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches  # noqa: PLC0415 only where a name is wrong

        near = get_close_matches(name, known, n=2)
        if near:
            ctx.fail(f"No such command '{name}'. Did you mean {' or '.join(f'`{one}`' for one in near)}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()])


@click.group(
    cls=Commands,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.version_option(__version__, prog_name="leadline", message="%(prog)s %(version)s")
def cli() -> None:
    """Research a question; get a report whose every claim is tied to a source, and checked.

    Results go to stdout, everything else to stderr.
    """


def main(arguments: Sequence[str] | None = None, *, factory: Callable[..., Any] | None = None) -> int:
    """Run the program and return its exit code; `factory` makes its engine."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal cannot show must not end a run.
            stream.reconfigure(errors="backslashreplace")
    shell = Shell(factory=factory)
    try:
        result = cli.main(
            None if arguments is None else list(arguments),
            prog_name="leadline",
            standalone_mode=False,
            obj=shell,
        )
    except BaseExceptionGroup as group:
        return _failed(shell, _first(group))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 the border of the process
        return _failed(shell, error)
    return result if isinstance(result, int) else 0


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure that a task group's end is about: an expected one before any other."""
    expected = group.subgroup((LeadlineError, click.exceptions.Exit, click.Abort)) or group
    inner = expected.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _failed(shell: Shell, error: BaseException) -> int:
    """Report a failure and return its exit code."""
    if shell.debug:
        traceback.print_exception(error)
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            shell.say("stopped")
            return INTERRUPTED
        case click.ClickException():
            return shell.misuse(error)
        case LeadlineError():
            return shell.fail(error)
        case _:
            return shell.bug(error)
