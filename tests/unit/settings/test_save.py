from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import SettingsError
from leadline.settings import save_table
from leadline.settings.save import Value

MODEL: dict[str, Value] = {"urls": ["http://a/v1"], "name": "m", "api_key": "k"}


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    save_table(path, "model", MODEL)
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"model": MODEL}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_the_rest_of_a_file_stays_as_its_owner_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '# mine\npolicy = "drop" # yes\n\n[model]\nname = "old"\ntop_p = 0.9\n\n[budget] # money\nusd = 1.5\n',
        encoding="utf-8",
    )
    save_table(path, "model", MODEL)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('# mine\npolicy = "drop" # yes\n')
    assert "[budget] # money\nusd = 1.5" in text
    assert tomllib.loads(text)["model"] == {"top_p": 0.9, **MODEL}


@pytest.mark.parametrize(
    "text",
    ["model.name = 'x'\n", "model = {name = 'x'}\n", "[[x]]\na='''\n[model]\n'''\n[model]\nname='y'\n"],
)
def test_what_cannot_be_edited_safely_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="by hand"):
        save_table(path, "model", MODEL)
    assert path.read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot write"):
        save_table(tmp_path / "file" / "config.toml", "model", MODEL)


@given(name=st.text(min_size=1), number=st.floats(allow_nan=False, allow_infinity=False))
def test_any_value_comes_back_or_is_refused(name: str, number: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("save") / "config.toml"
    values: dict[str, Value] = {"name": name, "temperature": number, "free": True}
    try:
        save_table(path, "model", values)
    except SettingsError:
        assert not path.exists()
        return
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"model": values}
