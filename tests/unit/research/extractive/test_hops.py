"""Pages found over a bridge, sentences chosen for the question as a whole, answers by rule."""

from __future__ import annotations

from leadline.domain import Length, Source, sha256, source_id
from leadline.research.evidence import Ledger
from leadline.research.extractive.answering import answer
from leadline.research.extractive.antecedents import antecedent
from leadline.research.extractive.bridging import first_queries, next_queries
from leadline.research.extractive.hops import survey
from leadline.research.extractive.quoting import extract, extractive_draft

FILM = "Night Ferry is a 1951 drama film directed by Greta Holm. It was shot in Tromso."
HOLM = "Greta Holm (3 May 1911 – 9 June 1980) was a Norwegian director. She was born in Hamar. Holm died in Bergen."
OTHER = "Iron Valley is a 1949 western film directed by Paul Stark. The film was a success."
STARK = "Paul Stark (7 July 1899 – 1 January 1970) was an American director. He lived in Reno."
NOISE = "The ferry between the two islands runs at night. A film about ferries was never made."


def ledger(**pages: str) -> Ledger:
    """Return a ledger of pages, title (blanks as underscores) to text."""
    made = Ledger()
    for name, body in pages.items():
        title = name.replace("_", " ")
        text = f"{title}\n\n{body}\n"
        digest = sha256(text.encode())
        source = Source(
            id=source_id(digest),
            uri=f"file:///{name}.txt",
            sha256=digest,
            raw_sha256=digest,
            extractor="plain/1",
            content_type="text/plain",
            chars=len(text),
            title=title,
        )
        made.admit(source, text)
    return made


def texts(question: str, found: Ledger) -> list[str]:
    draft = extractive_draft(extract(question, found, Length.NORMAL), found, language="en")
    return [s.text for s in (*draft.answer, *(s for section in draft.sections for s in section.sentences))]


def test_a_page_is_found_over_the_name_that_a_sentence_holds() -> None:
    found = ledger(Night_Ferry=FILM, Greta_Holm=HOLM, Ferries=NOISE)
    seen = survey("Where did the director of Night Ferry die?", found)
    odds = {page.source.title: seen.odds[page.number] for page in seen.pages}
    assert odds["Greta Holm"] > odds["Ferries"]
    assert any(hop.key == "greta holm" for hop in seen.hops)


def test_the_report_joins_both_ends_of_the_bridge() -> None:
    found = ledger(Night_Ferry=FILM, Greta_Holm=HOLM, Ferries=NOISE)
    told = texts("Where did the director of Night Ferry die?", found)
    assert "Holm died in Bergen." in told
    assert any("directed by Greta Holm" in text for text in told)


def test_every_quote_is_verbatim_and_brackets_stay_outside() -> None:
    found = ledger(Night_Ferry=FILM, Greta_Holm=HOLM)
    question = "Where was the director of Night Ferry born?"
    draft = extractive_draft(extract(question, found, Length.NORMAL), found, language="en")
    pairs = [(s.text, found.get(s.excerpt_ids[0])) for sec in draft.sections for s in sec.sentences if s.excerpt_ids]
    assert pairs
    for text, excerpt in pairs:
        assert excerpt is not None
        quote = found.quote(excerpt)
        assert text.endswith(quote)
        assert "[" not in quote
    assert "[Greta Holm] She was born in Hamar." in [text for text, _ in pairs]


def test_what_a_pronoun_stands_for_is_said_only_where_it_is_sure() -> None:
    found = ledger(Stone_Bridge="Stone Bridge is old. It was widened in 1900. Later James Wood painted it. It is grey.")
    source = found.sources[0]
    text = found.text(source.id)
    assert antecedent(found, source.id, text.index("It was")) == "Stone Bridge"
    assert antecedent(found, source.id, text.index("It is")) == ""


def test_two_things_are_compared_by_their_directors_dates() -> None:
    found = ledger(Night_Ferry=FILM, Greta_Holm=HOLM, Iron_Valley=OTHER, Paul_Stark=STARK)
    made = answer(survey("Which film has the director who died later, Night Ferry or Iron Valley?", found))
    assert made is not None
    assert made.text == "Night Ferry (Greta Holm: 9 June 1980; Paul Stark: 1 January 1970)."
    made = answer(survey("Which film has the director who was born first, Night Ferry or Iron Valley?", found))
    assert made is not None
    assert made.text.startswith("Iron Valley (")


def test_no_answer_is_named_where_a_date_is_missing() -> None:
    found = ledger(Night_Ferry=FILM, Greta_Holm="Greta Holm was a director.", Iron_Valley=OTHER, Paul_Stark=STARK)
    assert answer(survey("Which film has the director who died later, Night Ferry or Iron Valley?", found)) is None


def test_nothing_relevant_is_said_and_nothing_cited() -> None:
    found = ledger(Ferries=NOISE, Stark=STARK)
    made = extract("Which enzyme unwinds DNA in zebrafish embryos?", found, Length.NORMAL)
    draft = extractive_draft(made, found, language="en")
    assert not made.chosen
    assert [s.claims for section in draft.sections for s in section.sentences] == [False]


def test_the_next_wave_looks_for_bridges_and_not_for_what_was_tried() -> None:
    found = ledger(Night_Ferry=FILM, Ferries=NOISE)
    question = "Where did the director of Night Ferry die?"
    assert [q.name for q in first_queries(question) if q.titles] == ["Night Ferry"]
    assert "Greta Holm" in [q.name for q in next_queries(question, found, ["night ferry"])]
    assert "Greta Holm" not in [q.name for q in next_queries(question, found, ["night ferry", "greta holm"])]


def test_the_same_ledger_gives_the_same_report() -> None:
    found = ledger(Night_Ferry=FILM, Greta_Holm=HOLM, Iron_Valley=OTHER, Paul_Stark=STARK, Ferries=NOISE)
    question = "Where did the director of Night Ferry die?"
    assert extract(question, found, Length.NORMAL) == extract(question, found, Length.NORMAL)


def test_chinese_is_read_without_blanks_and_in_either_script() -> None:
    found = ledger(
        长春桥="长春桥位于青河上，由工匠李山设计建造，建成于1612年。桥长四十米。",
        磨坊="磨坊在河边，由村民经营。",
    )
    told = texts("長春橋是誰設計的？", found)
    assert any("李山" in text for text in told)


def test_a_person_is_told_behind_what_opens_a_sentence() -> None:
    body = "Greta Holm, a director, lived in Hamar for long years of her life. During the war she made films in Bergen."
    found = ledger(Directors=body)
    source = found.sources[0].id
    assert antecedent(found, source, found.text(source).index("During")) == "Greta Holm"


def test_what_is_no_name_is_not_looked_up() -> None:
    asked = "Did the tug 04 of Nordlys Inc reach Bergen, measured by 北极星离海平面?"
    assert {q.name for q in first_queries(asked) if q.name}.isdisjoint({"04", "Inc", "北极星离海"})
    found = ledger(**{"04": "The tug Skagen arrived. The Free Software Foundation, Inc. owns it."})
    assert {q.name for q in next_queries("Which tug arrived?", found, ()) if q.name}.isdisjoint({"04", "Inc"})
