from __future__ import annotations

from leadline.telling.queries import queries_told


def test_a_name_that_is_looked_up_stands_for_what_is_asked_of_it() -> None:
    asked = ["Who built it?", '"Nordlys"', '"Nordlys" built it', '"Per Dahl"']
    assert queries_told(asked) == ["Who built it?", "Nordlys", "Per Dahl"]


def test_what_a_model_asks_stays_as_it_is() -> None:
    assert queries_told('"exact words" site:example.org') == ['"exact words" site:example.org']
    assert queries_told([{"odd": 1}]) == ["{'odd': 1}"]
