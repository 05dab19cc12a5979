"""Disagreements between sources: told once, with both sides, and only where there is one."""

from __future__ import annotations

import time

import pytest

from leadline.domain import Contradiction, Source, sha256, source_id
from leadline.research.evidence import Ledger
from leadline.research.verification.contradictions import contradictions


def among(*texts: str, titles: tuple[str, ...] = ()) -> tuple[Contradiction, ...]:
    ledger = Ledger()
    for index, text in enumerate(texts):
        digest = sha256(text.encode())
        source = Source(
            id=source_id(digest),
            uri=f"https://example.org/{index}",
            sha256=digest,
            raw_sha256=digest,
            extractor="text/1",
            content_type="text/plain",
            chars=len(text),
            title=titles[index] if titles else "",
        )
        ledger.admit(source, text)
        ledger.excerpt(source.id, 0, len(text))
    found = contradictions(ledger.excerpts, ledger)
    for contradiction in found:
        for side in contradiction.sides:
            assert ledger.text(side.source_id)[side.start : side.end] == side.quote
    return found


def test_two_documents_that_disagree_on_a_date_yield_one_entry_with_both_sides() -> None:
    one = "Travel guide. The Halden bridge was opened to traffic on 14 June 1987. Tolls ended in 2004."
    two = "The Halden bridge opened to traffic on 4 June 1987, officials say. It spans the fjord."
    found = among(one, two)
    assert len(found) == 1
    assert [side.quote for side in found[0].sides] == [
        "The Halden bridge was opened to traffic on 14 June 1987.",
        "The Halden bridge opened to traffic on 4 June 1987, officials say.",
    ]
    assert "14 June 1987 / 4 June 1987" in found[0].about
    assert "Halden" in found[0].about


@pytest.mark.parametrize(
    "texts",
    [
        ("青石大桥于2009年10月28日建成通车。", "青石大桥于2009年10月18日建成通车，全长3260米。"),
        ("The city of Orlik has a population of 41,000.", "The city of Orlik has a population of 14,000."),
        ("The Skarvik tower is 324 m tall.", "The Skarvik tower is 330 metres tall."),
        ("The Kestrel vaccine is approved for children.", "The Kestrel vaccine is not approved for children."),
        ("该疫苗对儿童有效。", "该疫苗对儿童无效。"),
        ("Alma Lindqvist was born in Lund in 1894.", "Alma Lindqvist was born in Lund in 1895."),
        ("宁川市常住人口为300万人。", "宁川市常住人口为380万人。"),
    ],
)
def test_a_differing_value_or_negation_is_told(texts: tuple[str, str]) -> None:
    assert len(among(*texts)) == 1
    assert len(among(*reversed(texts))) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ("Aldous Ambrose was born in Oslo in 1814.", "Berit Ambrose was born in Oslo in 1820."),
        ("The Kestrel ferry was built in Bergen in 1931.", "The Gannet ferry was built in Bergen in 1936."),
    ],
)
def test_what_is_said_of_two_in_the_same_words_is_no_disagreement(texts: tuple[str, str]) -> None:
    assert among(*texts) == ()


def test_a_person_by_a_shorter_name_is_the_same_person() -> None:
    assert len(among("Alma Lindqvist was born in Lund in 1894.", "Lindqvist was born in Lund in 1895.")) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ("The Halden bridge opened on 14 June 1987.", "The Halden bridge opened on June 14, 1987."),
        ("The Halden bridge opened on 14 June 1987.", "The Halden bridge was opened in June 1987."),
        ("The Skarvik tower is 324 m tall.", "The Skarvik tower is 0.324 km tall."),
        ("The Skarvik tower is about 320 m tall.", "The Skarvik tower is 324 m tall."),
        ("水库总库容为1.2亿立方米。", "水库总库容为12000万立方米。"),
    ],
)
def test_two_documents_that_agree_yield_none(texts: tuple[str, str]) -> None:
    assert among(*texts) == ()


@pytest.mark.parametrize(
    "texts",
    [
        ("In 2019 Acme sold 300 cars in Norway.", "In 2020 Acme sold 410 cars in Norway."),
        ("The festival in Kiel was held in June 2019.", "The festival in Kiel was held in June 2020."),
        ("截至2020年末，宁川市常住人口为300万人。", "截至2023年末，宁川市常住人口为310万人。"),
        ("The Orlik dam is 30 m high.", "The Selby dam is 45 m high."),
        ("Orlik has 41,000 people.", "In 1910 Orlik had 14,000 people."),
        ("The tower was built in 1931 by Vale.", "青石大桥于2009年建成。"),
        ("[5] https://example.org/therapy-definition", "[3] https://example.org/therapy-definition"),
        ("They vote in Orlik but without a vote in Kiel.",) * 2,
    ],
)
def test_different_events_and_things_do_not_contradict(texts: tuple[str, ...]) -> None:
    assert among(*texts) == ()


def test_one_disagreement_among_many_sources_is_told_once() -> None:
    found = among(
        "The city of Orlik has a population of 41,000.",
        "The city of Orlik has a population of 14,000.",
        "Guide: The city of Orlik has a population of 41,000.",
        "Atlas: The city of Orlik has a population of 14,000.",
    )
    assert len(found) == 1


def test_sentences_without_a_name_speak_of_their_documents_subject() -> None:
    one, other = "The descent took 4 hours and 47 minutes.", "The descent took 2 hours and 36 minutes."
    assert among(one, other, titles=("Dive of the Trieste", "Deepsea Challenger")) == ()
    assert len(among(one, other, titles=("Dive of the Trieste", "The Trieste's dive of 1960"))) == 1


def test_what_a_title_names_may_stand_in_the_sentences_themselves() -> None:
    found = among("郑和于1433年去世。", "郑和于1435年去世。", titles=("郑和下西洋", "郑和生平"))
    assert len(found) == 1


def test_two_editions_of_one_document_do_not_disagree_with_each_other() -> None:
    both = "The port of Orlik handled 300 ships in May. The port of Orlik handled 410 ships in June of that year."
    assert among(both, "# Ports\n\n" + both, titles=("Ports", "Ports")) == ()


def test_one_source_is_not_held_against_itself() -> None:
    assert among("Orlik has a population of 41,000. Orlik has a population of 14,000.") == ()


def test_many_sentences_take_bounded_time() -> None:
    texts = [
        " ".join(f"The port of town {n} in region {k} handled {n * 7 + k} ships." for n in range(100))
        for k in range(30)
    ]
    began = time.process_time()
    among(*texts)
    assert time.process_time() - began < 6.0
