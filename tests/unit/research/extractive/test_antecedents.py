"""What a pronoun stands for that follows a phrase, or a thing called by its kind: sure, or silent."""

from __future__ import annotations

import pytest
from tests.unit.research.extractive.test_hops import ledger

from leadline.research.extractive.antecedents import antecedent

BODY = (
    "The Otter was a diving boat, a small craft that sank twice. It was built in Hull. "
    "Anna Moss and her son made the first dives. In 1958 the Royal Navy bought the craft and brought it to Cowes. "
    "For the dive off Guam it was given a stronger hull. "
)


@pytest.mark.parametrize(
    ("more", "opens", "stands_for"),
    [
        ("", "For the dive", "Otter"),
        ("The craft was sold in 1970. It was lost in 1971.", "It was lost", "Otter"),
        ("In 1990 the Navy built a dock for the craft. It was closed in 1999.", "It was closed", ""),
        ("In 1990 the Navy closed the dock near the craft. It was never used.", "It was never", ""),
        ("In 1990 the craft met the pilot ship. It was damaged.", "It was damaged", ""),
        ("The craft was sold. In 1990 it was thought that nobody knew.", "In 1990 it", ""),
        ("The craft was sold. In 1990 Moss made it known.", "In 1990 Moss", ""),
        ("The craft was sold. Their crew was paid.", "Their crew", ""),
        ("The Otter had divers. They wear casks. For girls it has a skirt.", "For girls", ""),
    ],
)
def test_a_thing_may_be_called_by_what_it_is(more: str, opens: str, stands_for: str) -> None:
    found = ledger(The_dives_of_the_Otter=BODY + more)
    [source] = found.sources
    assert antecedent(found, source.id, found.text(source.id).index(opens)) == stands_for
