from __future__ import annotations

import pytest

from leadline.errors import SettingsError
from leadline.settings import LOCAL, load
from leadline.wiring.programs import sandbox_place
from leadline.wiring.tool_host import at_home


def test_tools_are_here_unless_an_address_is_named() -> None:
    assert load(environ={}).tools.search == LOCAL
    set_ = {"LEADLINE_TOOLS__SEARCH": "http://h:8001/", "LEADLINE_TOOLS__VISIT": "Local", "LEADLINE_TOOLS__KEY": "k"}
    tools = load(environ=set_).tools
    assert (tools.search, tools.visit, tools.scholar) == ("http://h:8001", LOCAL, LOCAL)
    assert "k" not in str(tools.key)


@pytest.mark.parametrize("value", ["ftp://h", "h:8001", "http://user:pass@h", "remote"])
def test_what_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="LEADLINE_TOOLS__PYTHON"):
        load(environ={"LEADLINE_TOOLS__PYTHON": value})


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"USE": "main"}, "no model is set"),
        ({"USE": "own"}, "set `summarizer.urls`"),
        ({"USE": "own", "URLS": "http://h/v1"}, "set `summarizer.name`"),
        ({"URLS": "http://h/v1"}, "set it to `own`"),
    ],
)
def test_half_a_summariser_is_refused(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load(environ={f"LEADLINE_SUMMARIZER__{name}": value for name, value in given.items()})


def test_a_service_needs_no_name() -> None:
    given = {"USE": "own", "URLS": "http://h:8005", "KIND": "service"}
    section = load(environ={f"LEADLINE_SUMMARIZER__{name}": value for name, value in given.items()}).summarizer
    assert (section.urls, section.kind) == (("http://h:8005",), "service")


def test_programs_run_at_one_place() -> None:
    there, other = "http://h:8004", "http://i:8004"
    assert sandbox_place(load(environ={"LEADLINE_TOOLS__PYTHON": there})) == there
    assert sandbox_place(load(environ={"LEADLINE_SANDBOX": there})) == there
    assert sandbox_place(load(environ={"LEADLINE_SANDBOX": there, "LEADLINE_TOOLS__PYTHON": there})) == there
    assert sandbox_place(load(environ={"LEADLINE_SANDBOX": "off", "LEADLINE_TOOLS__PYTHON": there})) == "off"
    with pytest.raises(SettingsError, match="one place"):
        load(environ={"LEADLINE_SANDBOX": other, "LEADLINE_TOOLS__PYTHON": there})


def test_a_service_asks_no_other_for_its_own_work() -> None:
    settings = load(environ={"LEADLINE_TOOLS__SEARCH": "http://h:8001", "LEADLINE_TOOLS__KEY": "k"})
    assert at_home(settings, "search").tools.search == LOCAL
    assert at_home(settings, "search").tools.key == settings.tools.key
    with pytest.raises(SettingsError, match="runs programs itself"):
        at_home(load(environ={"LEADLINE_SANDBOX": "http://h"}), "python")
    given = {"USE": "own", "URLS": "http://h:8005", "KIND": "service"}
    served = load(environ={f"LEADLINE_SUMMARIZER__{name}": value for name, value in given.items()})
    with pytest.raises(SettingsError, match="sums up itself"):
        at_home(served, "summarize")
