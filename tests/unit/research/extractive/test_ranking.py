"""Which pages a report draws on."""

from __future__ import annotations

from tests.unit.research.extractive.test_hops import ledger

from leadline.domain import Length
from leadline.research.extractive.quoting import extract

SURVEY = "The pump at Elmwood station failed on 3 March. It was replaced on 17 March at a cost of $48,200."


def test_a_page_that_alone_says_all_of_the_question_is_drawn_on_though_others_bear_its_name() -> None:
    found = ledger(
        Pump_survey=SURVEY,
        Elmwood="The new Elmwood pump was commissioned by Rina Okafor.",
        Elmwood_pump_report="The Elmwood pump was made by Kestrel Pumps of Leeds.",
    )
    made = extract("When was the Elmwood pump replaced?", found, Length.NORMAL)
    told = [found.text(one.source_id)[one.start : one.end] for one in (*made.first, *made.chosen)]
    assert any("replaced on 17 March" in one for one in told)
