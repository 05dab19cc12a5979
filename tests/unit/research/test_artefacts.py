"""What programs made: read from outcomes, titled by the program, bounded for a report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Artefact, Json, ToolCall
from leadline.research.artefacts import MOST, MOST_BYTES, bodies, bounded, made_by
from leadline.research.evidence import Ledger

HASH = "a" * 64
OTHER = "b" * 64
CODE = """
plt.plot(x, y)
plt.title("Rain by year")
plt.savefig("rain.png")
plt.clf()
fig, ax = plt.subplots()
ax.set_title('Snow')
fig.savefig("snow.png", dpi=200)
fig.savefig("again.png")
"""


def value(*names: str, kind: str = "image/png", program: Json = OTHER) -> Json:
    files: list[Json] = [{"name": name, "sha256": HASH, "size": 3, "media_type": kind} for name in names]
    return {"stdout": "", "files": files, "program": program}


def call(code: Json = CODE) -> ToolCall:
    return ToolCall(name="python", arguments={"code": code})


def test_a_picture_has_the_title_that_was_given_since_the_one_before() -> None:
    made = {one.name: one.caption for one in made_by(call(), value("rain.png", "snow.png", "again.png", "lost.png"))}
    assert made == {"rain.png": "Rain by year", "snow.png": "Snow", "again.png": "", "lost.png": ""}


def test_a_file_that_is_no_picture_has_no_title() -> None:
    (made,) = made_by(call(), value("rain.png", kind="text/csv"))
    assert (made.caption, made.is_picture, made.program) == ("", False, OTHER)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {"files": [{"name": "a", "sha256": HASH, "size": 1, "media_type": "x"}]},
        value("a.png", program="../../etc"),
        {"program": OTHER, "files": "none"},
        {"program": OTHER, "files": [None, {"name": 1, "sha256": HASH, "size": 1, "media_type": "x"}]},
        {"program": OTHER, "files": [{"name": "a", "sha256": "short", "size": 1, "media_type": "x"}]},
    ],
)
def test_what_is_no_such_outcome_made_nothing(wrong: Json) -> None:
    assert list(made_by(call(), wrong)) == []


@given(st.text(), st.text(min_size=1, max_size=20))
def test_any_program_is_read(code: str, name: str) -> None:
    (made,) = made_by(call(code), value(name))
    assert len(made.caption) <= 200


def test_the_bodies_of_an_outcome_are_those_that_it_names() -> None:
    assert list(bodies(value("a.png", "b.png"))) == [OTHER, HASH, HASH]
    assert list(bodies({"pages": []})) == []


def artefact(name: str, *, sha256: str = HASH, size: int = 1) -> Artefact:
    return Artefact(name=name, sha256=sha256, media_type="image/png", size=size, program=OTHER)


def test_a_report_names_the_latest_that_it_has_room_for() -> None:
    many = [artefact(str(n)) for n in range(MOST + 5)]
    assert bounded(many) == tuple(many[5:])
    large = [artefact("old", size=10), artefact("huge", size=MOST_BYTES), artefact("new", size=10)]
    assert [one.name for one in bounded(large)] == ["old", "new"]


def test_a_file_done_better_takes_the_place_of_the_first() -> None:
    ledger = Ledger()
    for one in (artefact("a.png"), artefact("b.png", sha256=OTHER), artefact("a.png", sha256="c" * 64)):
        ledger.keep(one)
    assert [(one.name, one.sha256[0]) for one in ledger.artefacts] == [("b.png", "b"), ("a.png", "c")]


def test_what_branches_made_stands_side_by_side_and_once() -> None:
    one, other = Ledger(), Ledger()
    one.keep(artefact("a.png"))
    other.keep(artefact("a.png", sha256=OTHER))
    other.keep(artefact("copy.png"))
    one.merge(other)
    one.merge(other)
    assert [made.sha256[0] for made in one.artefacts] == ["a", "b"]
