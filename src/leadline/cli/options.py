"""Options that several commands share; each tells once which setting it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from leadline.cli.shell import Shell
from leadline.domain import StrategyName
from leadline.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("text", "md", "html", "json", "docx", "pdf", "bibtex", "ris", "csl")


def setting_option(flag: str, name: str, **rest: Any) -> Callable[[F], F]:  # noqa: ANN401 click's own options
    """Declare an option that is the setting `name`: it goes before environment and file."""

    def remember(ctx: click.Context, _option: click.Parameter, value: object) -> None:
        if value is not None:
            ctx.ensure_object(Shell).flags[name] = str(value)

    return click.option(flag, callback=remember, expose_value=False, **rest)


def shell_option(flag: str, attribute: str, **rest: Any) -> Callable[[F], F]:  # noqa: ANN401 click's own options
    """Declare an option that says how the program behaves."""

    def remember(ctx: click.Context, _option: click.Parameter, value: object) -> None:
        if value:
            setattr(ctx.ensure_object(Shell), attribute, value)

    return click.option(flag, callback=remember, expose_value=False, is_eager=True, **rest)


def common(command: F) -> F:
    """Add what every command takes."""
    for option in reversed(
        (
            setting_option(
                "--data-dir",
                "data_dir",
                type=click.Path(file_okay=False),
                help="Folder of runs, sources and indexes.",
            ),
            shell_option(
                "--config",
                "config",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Settings file, instead of the one in the user's configuration folder.",
            ),
            shell_option("--quiet", "quiet", is_flag=True, help="Nothing on stderr but failures."),
            shell_option("--debug", "debug", is_flag=True, help="Show where a failure came from."),
        )
    ):
        command = option(command)
    return command


def elsewhere(command: F) -> F:
    """Add the service that is asked instead of this machine."""
    return setting_option(
        "--server",
        "server.url",
        metavar="URL",
        help="Ask the service at this address, with the key LEADLINE_SERVER__KEY.",
    )(command)


def queued(command: F) -> F:
    """Add when a service takes up a run."""
    return setting_option(
        "--priority",
        "server.priority",
        type=click.IntRange(-10, 10),
        help="With `--server`: before or after other runs that wait; above 0 for operators alone.",
    )(command)


def hosted(command: F) -> F:
    """Add what a run may use of what others hold: corpora of a service, tool servers of the settings."""
    corpora = click.option(
        "--corpus", "corpora", multiple=True, metavar="ID", help="A corpus of the service to search."
    )
    return corpora(served(command))


def served(command: F) -> F:
    """Add the tool servers of the settings that a run may use."""
    return click.option(
        "--mcp", "servers", multiple=True, metavar="NAME", help="A tool server of the settings that the model may use."
    )(command)


def watching(command: F) -> F:
    """Add what commands that watch a run take."""
    return shell_option(
        "--json-events",
        "events",
        is_flag=True,
        help="Everything on stderr as JSON lines: each has a `type`, as the journal names it, "
        "or `indexing`, `progress`, `message`, `error`.",
    )(command)


def limits(command: F) -> F:
    """Add a run's limits and manner, each of which is a setting."""
    for option in reversed(
        (
            setting_option("--model", "model.name", metavar="NAME", help="The model's name."),
            setting_option("--max-steps", "budget.steps", type=click.IntRange(1), help="Rounds at most."),
            setting_option("--budget-tokens", "budget.tokens", type=click.IntRange(1), help="Tokens at most."),
            setting_option(
                "--budget-usd",
                "budget.usd",
                type=click.FloatRange(0, min_open=True),
                help="US dollars at most.",
            ),
            setting_option(
                "--budget-seconds",
                "budget.seconds",
                type=click.FloatRange(0, min_open=True),
                help="Seconds at most.",
            ),
            setting_option(
                "--policy",
                "policy",
                type=click.Choice(("mark", "drop", "research")),
                help="What happens to unsupported claims.",
            ),
            setting_option(
                "--length",
                "length",
                type=click.Choice(("short", "normal", "long")),
                help="How long the report is.",
            ),
        )
    ):
        command = option(command)
    return command


def sources(command: F) -> F:
    """Add what a run reads."""
    return click.option(
        "--docs",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="A file or folder of documents; may be given several times.",
    )(command)


def strategy(command: F) -> F:
    """Add how a run gathers evidence."""
    return click.option(
        "--strategy",
        type=click.Choice([name.value for name in StrategyName]),
        default=StrategyName.AUTO.value,
        show_default=True,
        help="How evidence is gathered; `auto` goes by model, window, question and budget: see `--dry-run`.",
    )(command)


def person(command: F) -> F:
    """Add what a person wishes of the report, and whether a run may wait for one."""
    for option in reversed(
        (
            click.option("--researchers", type=click.IntRange(2, 8), help="How many work side by side in `heavy`."),
            click.option("--approve", is_flag=True, help="Wait after the plan until you approve or edit it."),
            click.option("--clarify", is_flag=True, help="Let the model ask you one question before it begins."),
            written,
        )
    ):
        command = option(command)
    return command


def written(command: F) -> F:
    """Add what a report is to be like; `person.wishes_in` reads the files."""
    for option in reversed(
        (
            click.option(
                "--instructions",
                type=click.Path(path_type=Path, dir_okay=False),
                help="A text file with your wishes: focus, form, audience.",
            ),
            click.option(
                "--schema",
                type=click.Path(path_type=Path, dir_okay=False),
                help="A JSON schema; the JSON report then holds the answer in that form as well.",
            ),
            click.option(
                "--lang", type=click.Choice(("en", "zh")), help="Language of the report, if not the question's."
            ),
        )
    ):
        command = option(command)
    return command


def tools(command: F) -> F:
    """Add the tools that a model may be given beside searching and reading."""
    for option in reversed(
        (
            click.option(
                "--python/--no-python",
                default=None,
                help="Whether the model may run Python programs in a sandbox.  [default: where there is one]",
            ),
            click.option(
                "--scholar/--no-scholar",
                default=None,
                help="Whether scholarly works are searched.  [default: with `--web`]",
            ),
        )
    ):
        command = option(command)
    return command


def chosen(**wishes: bool | None) -> dict[str, bool]:
    """Return the options that were given; the engine knows best about the others."""
    return {name: wish for name, wish in wishes.items() if wish is not None}


class Day(click.DateTime):
    """A day, told to a person as YYYY-MM-DD."""

    def __init__(self) -> None:
        super().__init__(("%Y-%m-%d",))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 as click has it
        """Return the day. Fails for what is none."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"'{value}' is no day of the form YYYY-MM-DD", param, ctx)


def reach(command: F) -> F:
    """Add how far into the web a run may reach."""
    for option in reversed(
        (
            click.option(
                "--web", is_flag=True, help="Search and read the open web, beside the documents where some are named."
            ),
            click.option(
                "--url",
                "urls",
                multiple=True,
                metavar="URL",
                help="A page to read; may be given several times. Without `--web` nothing else of the web is read.",
            ),
            click.option("--site", "sites", multiple=True, metavar="DOMAIN", help="Keep to this site of the web."),
            click.option("--exclude", multiple=True, metavar="DOMAIN", help="Leave this site of the web out."),
            click.option(
                "--since",
                type=Day(),
                metavar="DATE",
                help="Only what was published since, where the date is known.",
            ),
        )
    ):
        command = option(command)
    return command


def reached(
    *, web: bool, urls: tuple[str, ...], sites: tuple[str, ...], exclude: tuple[str, ...], since: datetime | None
) -> dict[str, Any]:
    """Return what `reach` took, as the engine takes it."""
    day = since.date().isoformat() if since else None
    return {"web": web, "urls": urls, "sites": sites, "exclude": exclude, "since": day}


def check_sources(docs: Sequence[Path], earlier: str | None = None, *, online: bool = False) -> None:
    """Raise `InputError` where a run would have nothing to search."""
    if not docs and earlier is None and not online:
        raise InputError("there is nothing to search: name documents with `--docs`, or read the web: `--web`, `--url`")
