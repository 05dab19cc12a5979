"""Commands for setting up: `init`, `settings`, `completion`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
from click.shell_completion import get_completion_class

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, clean, line_of, pass_shell, write
from leadline.cli.story import plural
from leadline.errors import InputError
from leadline.settings import (
    ANTHROPIC_URL,
    Secret,
    Settings,
    default_config_path,
    describe,
    load,
    save_table,
)

if TYPE_CHECKING:
    from leadline.cli.trial import Kind

_KEY_LIMIT: Final = 1 << 16
_SHOWN: Final = 20
_TRIAL_SECONDS: Final = 120.0
"""How long a model may take for its first answer: some are loaded only then."""

_VARIABLE: Final = "_LEADLINE_COMPLETE"


@click.command(
    epilog="""\b
Examples:
  leadline init
  leadline init --url http://127.0.0.1:8000/v1
  leadline init --url https://models.example/v1 --name large --key-file - < key.txt
  leadline init --url anthropic --name claude-sonnet-4-5 --key-file - < key.txt
"""
)
@click.option(
    "--url",
    "urls",
    multiple=True,
    help="Base URL of a server, or `anthropic` for Anthropic's; may be given several times.",
)
@click.option(
    "--kind",
    type=click.Choice(("openai", "anthropic")),
    help="The protocol of the servers.  [default: openai; Anthropic's own at its address]",
)
@click.option("--name", help="The model's name.  [default: the only one that the server has]")
@click.option(
    "--key-file",
    type=click.File("r"),
    help="File with the API key; `-` is stdin. Keys do not belong on a command line.",
)
@click.option("--no-try", is_flag=True, help="Write the settings without trying them.")
@click.option("--force", is_flag=True, help="Replace a model that the file already names.")
@common
@pass_shell
def init(
    shell: Shell,
    *,
    urls: tuple[str, ...],
    kind: Kind | None,
    name: str | None,
    key_file: IO[str] | None,
    no_try: bool,
    force: bool,
) -> None:
    """Set a model: ask for it, try it, and write it into the settings file.

    With `--url` nothing is asked. Only the file's owner may read it, and nothing else in it
    changes.
    """
    path = (shell.config or default_config_path()).absolute()
    if shell.config is not None and not path.exists():
        shell.config = None  # it is about to be written
    asking = not urls
    if asking and not sys.stdin.isatty():
        raise InputError("there is no terminal to ask on: name the server with `--url`")
    present = settings_of(shell)
    _keep_present(present, force=force, asking=asking)
    if asking:
        urls = (_asked_url(),)
    urls = tuple(ANTHROPIC_URL if url.strip().lower() == "anthropic" else url for url in urls)
    model = Chosen(urls=urls, kind=kind or _kind_of(urls), name=name, key=_key(key_file, asking=asking))
    _checked(shell, model)
    if not no_try:
        model = on_loop(_tried(shell, model, asking=asking))
    elif name is None:
        raise InputError("without a trial the model's name is not known: give it with `--name`")
    named = model.kind != "openai" or present.model.kind != "openai"
    save_table(path, "model", _table(_checked(shell, model), model, with_kind=named))
    write(f"written: {path}")


@click.command(
    name="settings",
    epilog="""\b
Examples:
  leadline settings
  leadline settings --format json
""",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="A table, or one JSON line for each setting, with its description.",
)
@common
@pass_shell
def settings(shell: Shell, *, format_: str) -> None:
    """Print the settings in force, and whence each is; keys are masked.

    A flag goes before the environment, the environment before the file, the file before the
    default.
    """
    found = settings_of(shell)
    rows = describe(found)
    if format_ == "json":
        write("".join(line_of(asdict(row)) for row in rows))
        return
    shell.say(
        f"file: {found.config_file}"
        if found.config_file is not None
        else f"file: none; {default_config_path()} would be read"
    )
    width = max(len(row.name) for row in rows)
    write("\n".join(f"{row.name:<{width}}  {row.source:<11}  {row.value}" for row in rows))


@click.command(
    epilog="""\b
Examples:
  leadline completion bash > ~/.local/share/bash-completion/completions/leadline
  leadline completion zsh > ~/.zfunc/_leadline
  leadline completion fish > ~/.config/fish/completions/leadline.fish
"""
)
@click.argument("shell_name", metavar="SHELL", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, *, shell_name: str) -> None:
    """Print the completion script of SHELL: bash, zsh or fish."""
    program = get_completion_class(shell_name)
    if program is None:
        raise InputError(f"no completion for shell: {shell_name}")
    write(program(ctx.find_root().command, {}, "leadline", _VARIABLE).source())


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A model as it was asked for."""

    urls: tuple[str, ...]
    kind: Kind
    name: str | None
    key: Secret | None


def _keep_present(present: Settings, *, force: bool, asking: bool) -> None:
    """Ask before a model that the file names is replaced."""
    if force or present.sources.get("model.urls") != "file":
        return
    told = f"{present.config_file} names a model already: {present.model.name}"
    if not asking:
        raise InputError(f"{told}; replace it with `--force`")
    if not click.confirm(f"{told}. Replace it?", err=True):
        raise click.Abort


def _asked_url() -> str:
    """Ask for a server, having looked for one on this machine."""
    from leadline.cli.trial import local_servers  # noqa: PLC0415 aiohttp is slow to import

    found = on_loop(local_servers())
    for offer in found:
        click.echo(f"Found: {offer.url} ({clean(', '.join(offer.models[:_SHOWN]))})", err=True)
    default = found[0].url if found else None
    url: str = click.prompt("Base URL of the model server, or `anthropic`", default=default, err=True)
    return url


def _kind_of(urls: Sequence[str]) -> Kind:
    """Return the protocol that the servers speak as far as their address tells."""
    hosted = {urlsplit(url).hostname for url in urls} == {urlsplit(ANTHROPIC_URL).hostname}
    return "anthropic" if hosted else "openai"


def _key(key_file: IO[str] | None, *, asking: bool) -> Secret | None:
    if key_file is not None:
        text = key_file.read(_KEY_LIMIT).strip()
    elif asking:
        text = click.prompt(
            "API key (empty for none)", default="", hide_input=True, show_default=False, err=True
        ).strip()
    else:
        return None
    return Secret(text) if text else None


def _checked(shell: Shell, model: Chosen) -> Settings:
    """Return the settings as they would be. Raises `SettingsError`."""
    flags = {
        **shell.flags,
        "model.urls": ",".join(model.urls),
        "model.name": model.name or "?",
        "model.kind": model.kind,
    }
    if model.key is not None:
        flags["model.api_key"] = model.key.reveal()
    return load(flags=flags, config=shell.config)


async def _tried(shell: Shell, model: Chosen, *, asking: bool) -> Chosen:
    """Ask every server for its models and one of them for an answer. Raises `ModelError`."""
    from leadline.cli.trial import answers, offered  # noqa: PLC0415 aiohttp is slow to import

    offers = [await offered(url.rstrip("/"), model.key, kind=model.kind) for url in model.urls]
    for offer in offers:
        shell.say(f"{offer.url} offers {plural(len(offer.models), 'model')}")
    name = model.name or _pick(offers[0].models, asking=asking)
    for offer in offers:
        took = await answers(offer.url, name, key=model.key, seconds=_TRIAL_SECONDS, kind=model.kind)
        shell.say(f"{name} at {offer.url} answered in {took:.1f} s")
    return replace(model, urls=tuple(offer.url for offer in offers), name=name)


def _pick(models: Sequence[str], *, asking: bool) -> str:
    """Return the only model, or the one that a person names."""
    if len(models) == 1:
        return models[0]
    shown = ", ".join(models[:_SHOWN]) + (", ..." if len(models) > _SHOWN else "")
    if not asking:
        raise InputError(f"the server has {len(models)} models; name one with `--name`: {shown}")
    if shown:
        click.echo(f"Models: {clean(shown)}", err=True)
    name: str = click.prompt("Name of the model", err=True)
    return name


def _table(settings: Settings, model: Chosen, *, with_kind: bool) -> dict[str, str | list[str]]:
    table: dict[str, str | list[str]] = {
        "urls": list(settings.model.urls),
        "name": settings.model.name or "",
    }
    if with_kind:
        table["kind"] = model.kind
    if model.key is not None:
        table["api_key"] = model.key.reveal()
    return table
