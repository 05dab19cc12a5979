"""How every form of a report names what programs made."""

from __future__ import annotations

from dataclasses import replace

from tests.support.reports import english

from leadline.domain import Artefact
from leadline.telling.artefacts import groups, listing, paths, title

RAIN = Artefact(
    name="rain.png", sha256="a" * 64, media_type="image/png", size=9, program="f" * 64, caption="Rain \u202eby\nyear"
)
TABLE = Artefact(name="rain.csv", sha256="b" * 64, media_type="text/csv", size=1_234, program="f" * 64)
SNOW = Artefact(name="snow.png", sha256="c" * 64, media_type="image/png", size=9, program="e" * 64)
REPORT = replace(english().report, artefacts=(RAIN, SNOW, TABLE))


def test_pictures_are_numbered_and_stand_with_their_program() -> None:
    found = [(group.program[0], [(one.made.name, one.number) for one in group.shown]) for group in groups(REPORT)]
    assert found == [("f", [("rain.png", 1), ("rain.csv", None)]), ("e", [("snow.png", 2)])]


def test_titles_are_flat_and_turn_nothing() -> None:
    (rain, table), (snow,) = (group.shown for group in groups(REPORT))
    assert title(rain, "en") == "Figure 1: Rain by year (rain.png)"
    assert title(rain, "zh") == "图 1：Rain by year（rain.png）"
    assert title(snow, "en") == "Figure 2: snow.png"
    assert title(table, "en") == "rain.csv (text/csv, 1,234 bytes)"


def test_places_are_hashes_and_nothing_that_a_stranger_chose() -> None:
    assert paths(REPORT) == {
        f"artefacts/{'a' * 64}.png": "a" * 64,
        f"artefacts/{'b' * 64}": "b" * 64,
        f"artefacts/{'c' * 64}.png": "c" * 64,
        f"artefacts/{'f' * 64}.py": "f" * 64,
        f"artefacts/{'e' * 64}.py": "e" * 64,
    }
    foreign = replace(REPORT, artefacts=(replace(RAIN, sha256="../../x"), replace(RAIN, program="y")))
    assert paths(foreign) == {}


def test_a_listing_keeps_blanks_and_says_what_it_leaves_out() -> None:
    body = b"\nif x:\n\ty = '\xe2\x80\xae1'\n\nprint(y)\xff\n"
    assert listing(body, most=10) == (("if x:", "    y = '1'", "", "print(y)\ufffd"), 0)
    assert listing(body, most=1) == (("if x:",), 3)
    assert listing(None, most=5) == ((), 0)
