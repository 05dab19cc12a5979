from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import (
    Secret,
    Settings,
    default_config_path,
    describe,
    items,
    load,
    load_prices,
)

MODEL = {"LEADLINE_MODEL__URLS": "http://127.0.0.1:1/v1", "LEADLINE_MODEL__NAME": "env-model"}


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def source_of(settings: Settings, name: str) -> str:
    return next(row.source for row in describe(settings) if row.name == name)


def test_with_nothing_set_the_defaults_are_in_force() -> None:
    settings = load(environ={})
    assert settings == Settings()
    assert settings.data_dir.is_absolute()
    assert {row.source for row in describe(settings)} == {"default"}
    assert settings.budget.steps == 50
    assert settings.budget.tokens == 1_000_000
    assert settings.budget.seconds == 1800
    assert settings.budget.usd is None


def test_flag_goes_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = written(
        tmp_path / "c.toml",
        "[budget]\nsteps = 5\ntokens = 7\nseconds = 9\n[model]\ntemperature = 0\n",
    )
    environ = {"LEADLINE_BUDGET__STEPS": "6", "LEADLINE_BUDGET__TOKENS": "8"}
    settings = load(flags={"budget.steps": "1"}, config=file, environ=environ)
    assert (settings.budget.steps, settings.budget.tokens) == (1, 8)
    assert (settings.budget.seconds, settings.budget.usd) == (9.0, None)
    assert settings.model.temperature == 0.0
    names = ("budget.steps", "budget.tokens", "budget.seconds", "budget.usd")
    assert [source_of(settings, n) for n in names] == ["flag", "environment", "file", "default"]


def test_the_users_file_is_read_and_one_in_the_working_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    hostile = tmp_path / "clone"
    for name in ("config.toml", "leadline.toml", ".env", ".leadline/config.toml"):
        written(hostile / name, 'policy = "drop"\nLEADLINE_POLICY=drop\n')
    monkeypatch.chdir(hostile)
    assert load().policy == "mark"
    written(default_config_path(), 'policy = "research"\n')
    settings = load()
    assert settings.policy == "research"
    assert settings.config_file == tmp_path / "config" / "leadline" / "config.toml"


def test_a_named_file_stands_in_place_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    written(default_config_path(), 'policy = "drop"\nlength = "long"\n')
    settings = load(config=written(tmp_path / "c.toml", 'policy = "research"\n'))
    assert (settings.policy, settings.length) == ("research", "normal")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    file = written(tmp_path / "c.toml", 'length = "long"\n')
    assert load(config=file, environ={"LEADLINE_LENGTH": " "}).length == "long"


def test_relative_paths_start_where_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "etc" / "c.toml", 'data_dir = "data"\n')
    monkeypatch.chdir(tmp_path)
    assert load(config=Path("etc/c.toml"), environ={}).data_dir == tmp_path / "etc" / "data"
    assert load(environ={"LEADLINE_DATA_DIR": "here"}).data_dir == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert load(environ={"LEADLINE_DATA_DIR": "~/d"}).data_dir == tmp_path / "me" / "d"


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("LEADLINE_MODEL__URLS", "", "model.urls", ()),
        ("LEADLINE_BUDGET__STEPS", "none", "budget.steps", None),
        ("LEADLINE_BUDGET__TOKENS", "1_000", "budget.tokens", 1000),
        ("LEADLINE_BUDGET__USD", "0.25", "budget.usd", 0.25),
        ("LEADLINE_EXTRACT__MEMORY", "512MiB", "extract.memory", 512 << 20),
        ("LEADLINE_EXTRACT__MAX_BYTES", "10 kb", "extract.max_bytes", 10 << 10),
        ("LEADLINE_MODEL__FREE", "Yes", "model.free", True),
        ("LEADLINE_RETENTION__DAYS", "30", "retention.days", 30.0),
        ("LEADLINE_VLLM__ARGUMENTS", "--seed 7 --name 'a b'", "vllm.arguments", ("--seed", "7", "--name", "a b")),
        ("LEADLINE_GATEWAY__PORT", "0", "gateway.port", 0),
        ("LEADLINE_STORE", "sqlite:///srv/runs.db", "store", "sqlite:///srv/runs.db"),
        ("LEADLINE_STORE", "postgres://u:p@db/x?sslmode=require", "store", "postgresql://u:p@db/x?sslmode=require"),
        ("LEADLINE_STORE", "postgresql://u@one,two:5433/x", "store", "postgresql://u@one,two:5433/x"),
    ],
)
def test_text_becomes_values(variable: str, text: str, name: str, value: object) -> None:
    settings: object = load(environ={variable: text})
    for part in name.split("."):
        settings = getattr(settings, part)
    assert settings == value


@pytest.mark.parametrize(
    "text",
    ["http://a/v1,https://b:8000/v1/", ' ["http://a/v1", "https://b:8000/v1"] '],
)
def test_servers_are_a_list(text: str) -> None:
    settings = load(environ={**MODEL, "LEADLINE_MODEL__URLS": text})
    assert settings.model.urls == ("http://a/v1", "https://b:8000/v1")


def test_servers_have_numbers_of_their_own() -> None:
    two = {**MODEL, "LEADLINE_MODEL__URLS": "http://a/v1,http://b/v1"}
    model = load(environ={**two, "LEADLINE_MODEL__WEIGHTS": "1, 2.5", "LEADLINE_MODEL__CONCURRENCY": "[8, 16]"}).model
    assert (model.weights, model.concurrency) == ((1.0, 2.5), (8, 16))
    assert load(environ={**two, "LEADLINE_MODEL__CONCURRENCY": "32"}).model.concurrency == (32,)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LEADLINE_BUDGET__STEP": "1"}, "did you mean LEADLINE_BUDGET__STEPS?"),
        ({"LEADLINE_XYZZY": "1"}, "`leadline settings` lists all"),
        ({"LEADLINE_BUDGET__STEPS": "many"}, "not allowed: many; allowed: a whole number"),
        ({"LEADLINE_BUDGET__STEPS": "0"}, "of at least 1"),
        ({"LEADLINE_BUDGET__SECONDS": "nan"}, "`LEADLINE_BUDGET__SECONDS` from the environment"),
        ({"LEADLINE_BUDGET__USD": "inf"}, "above 0"),
        ({"LEADLINE_MODEL__TOP_P": "1.5"}, "at most 1"),
        ({"LEADLINE_MODEL__FREE": "maybe"}, "true or false"),
        ({"LEADLINE_POLICY": "keep"}, "`mark`, `drop` or `research`"),
        ({"LEADLINE_STORE": "mongodb://db/x"}, "the value (not shown)"),  # it may hold a password
        ({"LEADLINE_STORE": "postgresql://u:s3cret@db"}, "`postgresql://USER:PASSWORD@HOST"),
        ({"LEADLINE_ENGINE": "celery+sentinel://h:26379"}, "`LEADLINE_ENGINE` from the environment is not allowed"),
        ({"LEADLINE_ENGINE": "celery+http://h"}, "`LEADLINE_ENGINE` from the environment is not allowed"),
        ({"LEADLINE_ENGINE": "postgres"}, "`engine` is `postgres`, but `store` is SQLite"),
        ({"LEADLINE_ENGINE": "threads"}, "`embedded`, `postgres`, or a broker"),
        ({"LEADLINE_BLOBS": "s3://Bucket/x"}, "`s3://BUCKET/PREFIX`"),
        ({"LEADLINE_S3__ACCESS_KEY": "id"}, "`s3.secret_key` is not set"),
        ({"LEADLINE_EVENT_LOG": "kafka://broker:9092"}, "BROKER:PORT"),
        ({"LEADLINE_MODEL__KIND": "gemini"}, "`openai` or `anthropic`"),
        ({**MODEL, "LEADLINE_MODEL__URLS": "http://a/v1,http://a/v1/"}, "names a server twice: http://a/v1"),
        ({**MODEL, "LEADLINE_MODEL__WEIGHTS": "1,2,3"}, "`model.weights` has 3 numbers"),
        ({**MODEL, "LEADLINE_MODEL__WEIGHTS": "0"}, "above 0"),
        ({**MODEL, "LEADLINE_MODEL__CONCURRENCY": "8,8,8"}, "give one for each server"),
        ({**MODEL, "LEADLINE_MODEL__THINKING": "4096"}, "kind `anthropic`"),
        ({"LEADLINE_VLLM__ARGUMENTS": "--seed 'x"}, "as a shell would split them"),
        ({"LEADLINE_EXTRACT__MEMORY": "12 parsecs"}, "such as"),
        ({**MODEL, "LEADLINE_MODEL__URLS": "ftp://a"}, "http:// or https://"),
        ({**MODEL, "LEADLINE_MODEL__URLS": "http://a:99999999/v1"}, "http:// or https://"),
        ({**MODEL, "LEADLINE_MODEL__URLS": "[1]"}, "http:// or https://"),
        ({**MODEL, "LEADLINE_MODEL__URLS": "[oops"}, "http:// or https://"),
        ({"LEADLINE_MODEL__URLS": "http://a/v1"}, "`model.name` is not"),
        ({"LEADLINE_MODEL__NAME": "m"}, "`model.urls` is not set"),
        ({**MODEL, "LEADLINE_MODEL__CONTEXT": "4096"}, "no room is left"),
        ({"LEADLINE_JUDGE__USE": "main"}, "no model is set"),
        ({"LEADLINE_JUDGE__USE": "own"}, "`judge.urls` and `judge.name`"),
        ({"LEADLINE_JUDGE__URLS": "http://j/v1"}, "set it to `own`"),
        ({"LEADLINE_PRICES": "/nowhere/prices.toml"}, "/nowhere/prices.toml"),
        ({"LEADLINE_DATA_DIR": "~nobody-of-this-name/x"}, "a path"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    assert says in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("budgets = 3", "no such setting"),
        ("[budget]\nstep = 3", "did you mean budget.steps?"),
        ("budget = 3", "`budget` is a table of settings: [budget]"),
        ("[budget]\nsteps = true", "not allowed: True"),
        ("[budget]\nsteps = 2.5", "not allowed: 2.5"),
        ("[model]\ntemperature = '0.5 or so'", "not allowed"),
        ("[model]\nurls = 5", "http:// or https://"),
        ("[policy]\nx = 1", "not allowed"),
        ("[nothing]", "no such setting"),
        ("a = [", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path / "c.toml", text)
    with pytest.raises(SettingsError) as caught:
        load(config=file, environ={})
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load(config=tmp_path / "none.toml", environ={})
    with pytest.raises(SettingsError, match="cannot read"):
        load(config=tmp_path, environ={})
    (tmp_path / "latin.toml").write_bytes(b'policy = "\xe9"')
    with pytest.raises(SettingsError, match="not valid TOML"):
        load(config=tmp_path / "latin.toml", environ={})


def test_unknown_flags_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"did you mean budget\.steps"):
        load(flags={"budget.stepz": "1"}, environ={})


KEY = "sk-very-secret-0123456789"


def test_a_key_never_prints() -> None:
    settings = load(environ={**MODEL, "LEADLINE_MODEL__API_KEY": KEY})
    assert settings.model.api_key is not None
    assert settings.model.api_key.reveal() == KEY
    shown = f"{settings!r}{settings}{settings.model.api_key!r}{describe(settings)}"
    assert KEY not in shown
    assert "********" in shown
    with pytest.raises(TypeError):
        pickle.dumps(settings.model.api_key)


@pytest.mark.parametrize("key", ["line\nbreak" + KEY, KEY + " x", KEY + "é"])
def test_a_wrong_key_is_not_shown_either(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={**MODEL, "LEADLINE_MODEL__API_KEY": key})
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_in_an_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="no user or password") as caught:
        load(environ={**MODEL, "LEADLINE_MODEL__URLS": f"http://me:{KEY}@host/v1"})
    assert KEY not in str(caught.value)


def test_a_readable_file_with_a_key_is_warned_of(tmp_path: Path) -> None:
    file = written(tmp_path / "c.toml", f'[model]\nurls = ["http://a/v1"]\nname = "m"\napi_key = "{KEY}"\n')
    file.chmod(0o644)
    assert "chmod 600" in load(config=file, environ={}).warnings[0]
    file.chmod(0o600)
    assert load(config=file, environ={}).warnings == ()


def test_values_set_by_a_program_are_told_apart() -> None:
    assert source_of(Settings(policy="drop"), "policy") == "code"


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_POLICY", "drop")
    assert load().policy == "drop"
    assert "LEADLINE_POLICY" in os.environ


def test_every_setting_is_documented_and_takes_its_own_default() -> None:
    for item in items().values():
        assert item.description.endswith(".")
        assert item.kind.allowed
        if item.default not in {"", "the platform's folder for user data"}:
            item.kind.parse(item.default, Path("/"))


PRICES = """
["big"]
prompt = 2.5
completion = 10
cached = 1.25
["big-*"]
prompt = 2
completion = 8
["big-mini*"]
prompt = 0.1
completion = 0.4
"""


def test_prices_by_name_then_by_the_longest_pattern(tmp_path: Path) -> None:
    prices = load_prices(written(tmp_path / "p.toml", PRICES))
    assert prices.of("big") == (2.5, 10.0, 1.25)
    assert prices.of("big-x") == (2.0, 8.0, None)
    assert prices.of("big-mini-2") == (0.1, 0.4, None)
    assert prices.of("other") is None


def test_prices_may_be_json(tmp_path: Path) -> None:
    file = written(tmp_path / "p.json", '{"m": {"prompt": 1, "completion": 2}}')
    assert load_prices(file).of("m") == (1.0, 2.0, None)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.json", "[]", "a table for each model"),
        ("p.json", "{", "not valid"),
        ("p.toml", "m = 3", "a table for each model: m"),
        ("p.toml", "[m]\nprompt = 1", "needs `prompt` and `completion`"),
        ("p.toml", "[m]\nprompt = 1\ncompletion = -1", "0 or more"),
        ("p.toml", "[m]\nprompt = nan\ncompletion = 1", "0 or more"),
        ("p.toml", "[m]\nprompt = true\ncompletion = 1", "must be a number"),
        ("p.toml", "[m]\nprompt = 1\ncompletion = 1\noutput = 2", "unknown key: output"),
    ],
)
def test_wrong_prices_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_prices(written(tmp_path / name, text))
    assert says in str(caught.value)


def test_vectors_need_a_server_and_its_model() -> None:
    settings = load(environ={"LEADLINE_EMBED__URL": "http://127.0.0.1:1/v1/", "LEADLINE_EMBED__NAME": "bag"})
    assert (settings.embed.url, settings.embed.name) == ("http://127.0.0.1:1/v1", "bag")
    assert (settings.embed.batch, settings.embed.seconds, settings.embed.tokens) == (64, 60.0, 2_000_000)
    with pytest.raises(SettingsError, match=r"embed\.name"):
        load(environ={"LEADLINE_EMBED__URL": "http://127.0.0.1:1"})
    with pytest.raises(SettingsError, match=r"embed\.url"):
        load(environ={"LEADLINE_EMBED__NAME": "bag"})
    for wrong in ("ftp://127.0.0.1", "127.0.0.1:1", "http://a:b@127.0.0.1"):
        with pytest.raises(SettingsError, match="LEADLINE_EMBED__URL"):
            load(environ={"LEADLINE_EMBED__URL": wrong, "LEADLINE_EMBED__NAME": "bag"})


def test_who_has_no_home_is_told_which_setting_takes_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless(_: str) -> str:
        return "~"  # what `expanduser` gives where neither HOME nor the user's entry names a folder

    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", homeless)
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: Path("~/.config").expanduser())
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: Path("~/.local").expanduser())
    with pytest.raises(SettingsError, match="LEADLINE_DATA_DIR"):
        load(environ={})
    assert load(environ={"LEADLINE_DATA_DIR": str(tmp_path)}).data_dir == tmp_path
