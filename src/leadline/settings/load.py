"""From flags, environment and file to checked settings."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import platformdirs

from leadline.errors import SettingsError
from leadline.settings.kinds import comes_later, is_secret
from leadline.settings.masking import masked
from leadline.settings.models import check_model
from leadline.settings.prices import load_prices
from leadline.settings.registry import PREFIX, Item, items
from leadline.settings.rerank import check_rerank
from leadline.settings.s3 import check_s3
from leadline.settings.sections import APP, Settings
from leadline.settings.tasks import check_engine, shared_broker
from leadline.settings.tools import check_summarizer, check_tools

_NO_FLAGS: Final[Mapping[str, str]] = MappingProxyType({})
_LARGEST_FILE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layer:
    """One origin of values, by dotted names; relative paths in it start at `base`."""

    source: str
    origin: str
    values: Mapping[str, object]
    base: Path


def default_config_path() -> Path:
    """Return the settings file in the user's configuration folder; it need not exist.

    Raises `SettingsError` where the user has no home.
    """
    try:
        return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"
    except RuntimeError as error:
        raise SettingsError("this user has no home folder: set HOME or XDG_CONFIG_HOME, or name the file") from error


def load(
    *,
    flags: Mapping[str, str] = _NO_FLAGS,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings in force: flag before environment before file before default.

    `flags` are by dotted name (`model.name`). `config` names a file instead of the one in the
    user's configuration folder. `environ` stands for the process's environment. An empty
    variable counts as not set. Raises `SettingsError`.
    """
    environment = os.environ if environ is None else environ
    here = Path.cwd()
    path = _config_path(config)
    layers = [
        _Layer(source="flag", origin="the command line", values=_known(flags), base=here),
        _Layer(
            source="environment",
            origin="the environment",
            values=_from_environment(environment),
            base=here,
        ),
    ]
    if path is not None:
        layers.append(
            _Layer(
                source="file",
                origin=str(path),
                values=_from_file(path),
                base=path.parent.absolute(),
            )
        )
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for item in items().values():
        layer = next((one for one in layers if item.name in one.values), None)
        if layer is not None:
            values[item.name] = _parse(item, layer)
            sources[item.name] = layer.source
    settings = Settings(**_assemble(values, sources), config_file=path, warnings=_warnings(path, sources))
    _check(settings)
    others = {"cache": settings.cache.url, "limits": settings.limits.url}
    return replace(settings, warnings=(*settings.warnings, *shared_broker(engine=settings.engine, others=others)))


def _config_path(config: Path | None) -> Path | None:
    if config is not None:
        return config.absolute()
    try:
        path = default_config_path()
    except SettingsError:
        return None  # as in a container under any user id: the environment says it all
    try:
        return path if path.exists() else None
    except OSError as error:
        raise SettingsError(
            f"cannot look for the settings file {path}: {error.strerror}; let this user enter the folder, "
            "or name another one in XDG_CONFIG_HOME"
        ) from error


def _known(flags: Mapping[str, str]) -> Mapping[str, object]:
    for name in flags:
        if name not in items():
            raise SettingsError(f"no such setting: {name}{_nearest(name, list(items()))}")
    return flags


def _from_environment(environ: Mapping[str, str]) -> Mapping[str, object]:
    names = {item.variable: item.name for item in items().values()}
    found: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in names:
            hint = _nearest_variable(variable, names)
            raise SettingsError(f"no such setting in the environment: {variable}{hint}")
        if text.strip():
            found[names[variable]] = text
    return found


def _from_file(path: Path) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for name, value in _flat(read_toml(path), ""):
        if name not in items():
            raise SettingsError(f"no such setting in {path}: {name}{_unknown_hint(name)}")
        found[name] = value
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a settings file. Raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    if len(data) > _LARGEST_FILE:
        raise SettingsError(f"the settings file {path} is larger than 1 MiB")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"the settings file {path} is not valid TOML: {error}") from error


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict) and name not in items():
            yield from _flat(value, f"{name}.")
            if not value and not _is_section(name):
                yield name, value
        else:
            yield name, value


def _is_section(name: str) -> bool:
    return any(known.startswith(f"{name}.") for known in items())


def _unknown_hint(name: str) -> str:
    if _is_section(name):
        return f"; `{name}` is a table of settings: [{name}]"
    return _nearest(name, list(items()))


def _nearest(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "; `leadline settings` lists all"


def _nearest_variable(variable: str, names: Mapping[str, str]) -> str:
    """Compare without the prefix that all share."""
    near = get_close_matches(variable.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in names], n=1, cutoff=0.6)
    return f"; did you mean {PREFIX}{near[0]}?" if near else "; `leadline settings` lists all"


def _parse(item: Item, layer: _Layer) -> object:
    try:
        return item.kind.parse(layer.values[item.name], layer.base)
    except (TypeError, ValueError, OverflowError):
        # The cause stays out: it may repeat a secret.
        raise _refuse(item, layer) from None


def _refuse(item: Item, layer: _Layer) -> SettingsError:
    raw = layer.values[item.name]
    name = item.variable if layer.source == "environment" else item.name
    shown = "the value (not shown)" if is_secret(item.kind) else _short(raw)
    what = "not available in this version" if comes_later(item.kind, raw) else "not allowed"
    return SettingsError(f"`{name}` from {layer.origin} is {what}: {shown}; allowed: {item.kind.allowed}")


def _short(raw: object) -> str:
    text = masked(" ".join(str(raw).split()))
    return text if len(text) <= 80 else text[:77] + "..."


def _assemble(values: Mapping[str, object], sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the constructor's arguments: sections first, then plain settings."""
    arguments: dict[str, Any] = {"sources": MappingProxyType(dict(sources))}
    return arguments | _fields(Settings, values)


def _fields(section: type[Any], values: Mapping[str, object]) -> dict[str, Any]:
    """Return the constructor's arguments of one section, the sections in it included."""
    arguments: dict[str, Any] = {}
    for entry in fields(section):
        inner = entry.metadata.get("section")
        if inner is not None:
            prefix = f"{entry.name}."
            own = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
            arguments[entry.name] = inner(**_fields(inner, own))
        elif entry.name in values:
            arguments[entry.name] = values[entry.name]
    return arguments


def _warnings(path: Path | None, sources: Mapping[str, str]) -> tuple[str, ...]:
    """Warn of keys in a file that other users of the machine may read."""
    if path is None:
        return ()
    held = [n for n, source in sources.items() if source == "file" and is_secret(items()[n].kind)]
    if not held or not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return ()
    return (f"{path} holds `{held[0]}` and others may read it; protect it with: chmod 600 {path}",)


def _check(settings: Settings) -> None:
    """Refuse settings that cannot work together."""
    model = settings.model
    if model.urls and model.name is None:
        raise SettingsError("`model.urls` is set, but `model.name` is not: name the model that the servers offer")
    if model.name is not None and not model.urls:
        raise SettingsError(f"`model.name` is {model.name}, but `model.urls` is not set: name its servers")
    if model.context is not None and model.max_tokens >= model.context:
        raise SettingsError(
            f"`model.max_tokens` is {model.max_tokens}, but the window `model.context` has only "
            f"{model.context}: no room is left for a prompt"
        )
    check_model(model)
    check_engine(engine=settings.engine, store=settings.store)
    check_s3(settings.s3)
    _check_others(settings)
    _check_auth(settings)
    _check_search(settings)
    _check_scholar(settings)
    if settings.prices is not None:
        load_prices(settings.prices)


def _check_others(settings: Settings) -> None:
    """Refuse what is half set of the models beside the main one."""
    model, judge, embed = settings.model, settings.judge, settings.embed
    if judge.use == "main" and not model.urls:
        raise SettingsError("`judge.use` is `main`, but no model is set: set `model.urls`")
    if judge.use == "own" and not (judge.urls and judge.name):
        raise SettingsError("`judge.use` is `own`: set `judge.urls` and `judge.name`")
    if judge.urls and "judge.use" not in settings.sources:
        raise SettingsError("`judge.urls` is set, but `judge.use` is not: set it to `own`")
    if embed.url is not None and embed.name is None:
        raise SettingsError("`embed.url` is set, but `embed.name` is not: name the model that the server offers")
    if embed.name is not None and embed.url is None:
        raise SettingsError(f"`embed.name` is {embed.name}, but `embed.url` is not set: name its server")
    check_rerank(settings.rerank)
    check_summarizer(settings.summarizer, model=bool(model.urls), given="summarizer.use" in settings.sources)
    check_tools(settings.tools, sandbox=settings.sandbox)


def _check_auth(settings: Settings) -> None:
    """Refuse tokens of an issuer that is half described."""
    auth = settings.auth
    parts = {"jwt_issuer": auth.jwt_issuer, "jwt_audience": auth.jwt_audience, "jwks_url": auth.jwks_url}
    missing = [name for name, value in parts.items() if value is None]
    if missing and len(missing) < len(parts):
        raise SettingsError(f"`auth.{missing[0]}` is not set: tokens need an issuer, an audience and its keys' address")


def _check_search(settings: Settings) -> None:
    """Refuse a service that searches the web and lacks what it cannot do without, and more than there are at once."""
    most, known = settings.search.fuse, len(settings.search.providers)
    if 0 < known < most:
        raise SettingsError(f"`search.fuse` is {most}, but `search.providers` names {known}: name more")
    if "search.providers" not in settings.sources:
        return
    for name in settings.search.providers:
        if name == "searxng" and settings.search.of(name).base_url is None:
            raise SettingsError("`search.providers` names `searxng`: set `search.searxng.base_url`")
        if settings.search.needs_own(name) and not settings.search.own_keys:
            raise _keyless("search", name)


def _check_scholar(settings: Settings) -> None:
    """Refuse a scholarly service that lacks its key."""
    for name in settings.scholar.providers:
        if settings.scholar.needs_own(name) and not settings.scholar.own_keys:
            raise _keyless("scholar", name)


def _keyless(section: str, name: str) -> SettingsError:
    return SettingsError(
        f"`{section}.providers` names `{name}`, which needs a key: set `{section}.{name}.api_keys`, "
        f"or `{section}.own_keys` where tenants bring theirs"
    )
