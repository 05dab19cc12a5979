"""Claim against excerpt: quotations, values, negations, words, languages, retrieval, sizes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import DraftSentence, Source, Verdict, sha256, source_id
from leadline.research.evidence import Ledger
from leadline.research.verification.verify import MAX_CLAIM, Checked, check_claims

BRIDGE = (
    "The Halden bridge was opened to traffic on 14 June 1987. It is 1,240 metres long and carries "
    "two lanes of road. The mayor said: \u201cThis bridge ends the age of the ferries\u201d. "
    "Construction cost 312 million kroner. It has never been closed because of wind."
)


def a_source(text: str, *, title: str = "", uri: str = "https://example.org/a") -> Source:
    digest = sha256(text.encode())
    return Source(
        id=source_id(digest),
        uri=uri,
        sha256=digest,
        raw_sha256=digest,
        extractor="text/1",
        content_type="text/plain",
        chars=len(text),
        title=title,
    )


def verdict(claim: str, *texts: str, title: str = "") -> Checked:
    """Check a claim against the whole of each text."""
    ledger = Ledger()
    ids = []
    for text in texts:
        source = ledger.admit(a_source(text, title=title), text)
        ids.append(ledger.excerpt(source.id, 0, len(text)).id)
    checked = check_claims([DraftSentence(text=claim, excerpt_ids=tuple(ids))], ledger)[0]
    for citation in checked.citations:
        assert citation.quote == ledger.text(citation.source_id)[citation.start : citation.end]
        assert citation.quote
    return checked


def test_a_sentence_of_justified_text_with_a_divided_word_is_its_quote() -> None:
    text = (
        "The umask is used by open(2).\n\n       Alternatively,  if  the  parent  direc\u2010\n"
        "       tory  has\ta  default  ACL  (see  acl(5)),  the\tumask  is  ignored.  For\n"
        "       example, the following default ACL is equivalent to a umask of 022:\n"
    )
    checked = verdict(
        "Alternatively, if the parent directory has a default ACL (see acl(5)), the umask is ignored.", text
    )
    assert (checked.verdict, checked.checks.decided_by) == (Verdict.SUPPORTED, "quote")
    assert checked.citations[0].quote.endswith("umask  is  ignored.")


def test_a_repeated_sentence_is_its_quote() -> None:
    checked = verdict("It is  1,240 metres long and carries two lanes of road.", BRIDGE)
    assert checked.verdict is Verdict.SUPPORTED
    assert checked.checks.decided_by == "quote"
    assert [c.quote for c in checked.citations] == ["It is 1,240 metres long and carries two lanes of road."]


def test_a_piece_of_a_sentence_is_no_quote() -> None:
    text = "Nobody believes that the moon of Orlik is hollow."
    checked = verdict("The moon of Orlik is hollow.", text)
    assert checked.checks.decided_by != "quote"


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("The reservoir holds 120 million cubic metres.", "The reservoir holds 0.12 billion m³."),
        ("水库总库容为1.2亿立方米。", "水库总库容为12000万立方米。"),
        ("协议于2024-03-05签署。", "协议于2024年3月5日签署。"),
        ("The pact was signed on March 5, 2024.", "The pact was signed on 2024-03-05."),
        ("The trail is 1 km long.", "The trail is 1000 m long."),
        ("About 4,800 adults took part.", "4,812 adults took part."),
        ("Twelve of the ships sank.", "12 of the ships sank."),
        ("The share is 37 percent.", "The share is 37%."),
    ],
)
def test_values_agree_however_they_are_written(claim: str, evidence: str) -> None:
    checked = verdict(claim, evidence)
    assert checked.verdict is Verdict.SUPPORTED, checked.checks
    assert checked.checks.decided_by == "values"


@pytest.mark.parametrize(
    ("claim", "evidence", "said"),
    [
        ("The trail is 1 km long.", "The trail is 1 mile long.", "1 mile"),
        ("The Halden bridge is 1,420 metres long.", BRIDGE, "1,240"),
        ("The Halden bridge opened to traffic on 14 July 1987.", BRIDGE, "14 June 1987"),
        ("The Halden bridge has been closed because of wind.", BRIDGE, "negation"),
        ("The council approved the plan.", "The council rejected the plan.", "opposite"),
        ("议会批准了该计划。", "议会否决了该计划。", "opposite"),
        ("价格由5元上调为8元。", "价格由8元上调为5元。", "other end"),
        ("At least 500 people came to Orlik.", "At most 500 people came to Orlik.", "limit"),
    ],
)
def test_what_the_evidence_says_otherwise_contradicts(claim: str, evidence: str, said: str) -> None:
    checked = verdict(claim, evidence)
    assert checked.verdict is Verdict.CONTRADICTED, checked
    assert checked.checks.decided_by == "values"
    assert any(said in reason for reason in checked.checks.reasons), checked.checks.reasons


def test_a_claim_may_round_but_not_sharpen() -> None:
    assert verdict("The dam cost about 3 million.", "The dam cost 2.96 million.").verdict is Verdict.SUPPORTED
    sharpened = verdict("The dam cost 2.96 million.", "The dam cost about 3 million.")
    assert sharpened.verdict is not Verdict.SUPPORTED


def test_a_differing_value_of_something_else_is_no_contradiction() -> None:
    text = "The survey covered 214 farms. Rain fell on 31 days that year."
    checked = verdict("The price of barley rose by 9 percent.", text)
    assert checked.verdict is Verdict.UNSUPPORTED


def test_a_value_belongs_to_the_clause_that_speaks_of_it() -> None:
    text = "Exports reached 40 tonnes, imports fell to 25 tonnes, and stocks stood at 90 tonnes."
    assert verdict("Imports fell to 25 tonnes.", text).verdict is Verdict.SUPPORTED
    assert verdict("Imports fell to 90 tonnes.", text).verdict is Verdict.CONTRADICTED


def test_a_name_that_is_not_there_is_not_supported() -> None:
    text = "Alma Lindqvist sounded the greatest depth of the lake in 1908."
    claim = "Karin Dahlberg sounded the greatest depth of the lake in 1908."
    checked = verdict(claim, text)
    assert checked.verdict in {Verdict.PARTIAL, Verdict.UNSUPPORTED}
    assert any("Karin Dahlberg" in reason for reason in checked.checks.reasons)


def test_the_title_of_a_source_names_its_subject() -> None:
    text = "It is 1,240 metres long and carries two lanes of road."
    claim = "The Halden bridge is 1,240 metres long."
    assert verdict(claim, text).verdict is not Verdict.SUPPORTED
    assert verdict(claim, text, title="Halden bridge").verdict is Verdict.SUPPORTED


def test_words_alone_are_called_words() -> None:
    text = "Glass wool does not burn, and its fibres irritate the skin of installers."
    checked = verdict("The fibres of glass wool irritate the skin.", text)
    assert checked.verdict is Verdict.SUPPORTED
    assert checked.checks.decided_by == "words"
    weak = verdict("Glass wool is popular in cold regions.", text)
    assert weak.verdict is Verdict.UNSUPPORTED
    assert weak.checks.decided_by == "words"


def test_neighbours_of_an_excerpt_complete_it() -> None:
    ledger = Ledger()
    source = ledger.admit(a_source(BRIDGE), BRIDGE)
    at = BRIDGE.index("It is 1,240")
    excerpt = ledger.excerpt(source.id, at, at + 10)
    sentence = DraftSentence(text="The Halden bridge is 1,240 m long.", excerpt_ids=(excerpt.id,))
    checked = check_claims([sentence], ledger)[0]
    assert checked.verdict is Verdict.SUPPORTED
    assert checked.checks.bound_by == "writer"


def test_between_languages_words_decide_nothing_and_values_may_refute() -> None:
    open_one = verdict("The Qingshi bridge is 3.26 km long.", "青石大桥全长3260米。")
    assert open_one.verdict is Verdict.UNCHECKED
    assert "another language" in open_one.checks.reasons[0]
    refuted = verdict("The Qingshi bridge is 2.36 km long.", "青石大桥全长3260米。")
    assert refuted.verdict is Verdict.UNSUPPORTED
    assert refuted.checks.decided_by == "values"
    plain = verdict("大桥很长。", "The bridge is long.")
    assert plain.verdict is Verdict.UNCHECKED
    assert plain.checks.decided_by == "none"


def test_a_quotation_is_replaced_by_the_stored_words() -> None:
    claim = 'The mayor said "This bridge   ends the age of the ferries".'
    checked = verdict(claim, BRIDGE)
    assert '"This bridge ends the age of the ferries"' in checked.text
    assert checked.citations[0].quote == "This bridge ends the age of the ferries"


def test_a_quotation_that_stands_nowhere_loses_its_marks() -> None:
    claim = 'The mayor said "This bridge will bring us all great riches".'
    checked = verdict(claim, BRIDGE)
    assert checked.verdict is Verdict.UNSUPPORTED
    assert checked.checks.decided_by == "quote"
    assert '"' not in checked.text
    assert "quotation" in checked.checks.reasons[0]


def test_a_short_title_in_quotation_marks_is_no_quotation() -> None:
    checked = verdict('The ship "Aurora" sank.', "The ship Aurora sank.")
    assert checked.verdict is Verdict.SUPPORTED


def test_a_claim_without_excerpts_is_bound_by_retrieval() -> None:
    ledger = Ledger()
    filler = " ".join(f"Note {i} tells of weather in the hills." for i in range(300))
    for text in (filler, f"{filler} {BRIDGE} {filler}"):
        ledger.admit(a_source(text), text)
    sentences = [
        DraftSentence(text="The Halden bridge was opened on 14 June 1987."),
        DraftSentence(text="The Skarvik tunnel was opened on 3 May 2001."),
        DraftSentence(text="In short, this is what was found.", claims=False),
        DraftSentence(text="It was 1987.", claims=False),
    ]
    bound, loose, plain, dated = check_claims(sentences, ledger)
    assert bound.verdict is Verdict.SUPPORTED
    assert bound.checks.bound_by == "retrieval"
    assert "14 June 1987" in bound.citations[0].quote
    assert loose.verdict is Verdict.UNCHECKED
    assert (loose.checks.bound_by, loose.citations) == ("none", ())
    assert plain.verdict is None
    assert dated.verdict is not None


def test_unknown_excerpt_ids_bind_nothing() -> None:
    ledger = Ledger()
    ledger.admit(a_source(BRIDGE), BRIDGE)
    sentence = DraftSentence(text="Cats sleep all day.", excerpt_ids=("e0000",))
    assert check_claims([sentence], ledger)[0].verdict is Verdict.UNCHECKED
    assert check_claims([sentence], Ledger())[0].verdict is Verdict.UNCHECKED


def test_two_excerpts_may_bear_out_one_claim() -> None:
    one = "Chile produced 44,000 tonnes of lithium."
    two = "Australia produced 86,000 tonnes of lithium."
    claim = "Chile produced 44,000 tonnes of lithium, and Australia produced 86,000 tonnes."
    checked = verdict(claim, one, two)
    assert checked.verdict is Verdict.SUPPORTED, checked.checks
    assert {c.quote for c in checked.citations} == {one, two}


SENTENCES = st.lists(
    st.sampled_from(
        [
            "The dam was built in 1931.",
            "It holds 1.2亿 m³ of water.",
            "水库建于1931年，不对外开放。",
            "\u201cNever again,\u201d said Dr. A. B. Vale (1902\u20131977).",
            "Prices fell 3.5% from $4bn to $3.86bn.",
            "\ufb01ne \u00a0print\u200b",
            "[12] see http://example.org/a?b=1",
        ]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)


@given(st.one_of(SENTENCES, st.text(max_size=200)), st.one_of(SENTENCES, st.text(max_size=200)))
def test_every_citation_is_the_stored_span(claim: str, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    if not text.strip():
        return
    checked = verdict(claim, text)
    assert checked.verdict in set(Verdict) | {None}
    if checked.verdict in {Verdict.SUPPORTED, Verdict.PARTIAL, Verdict.CONTRADICTED}:
        assert checked.citations
        assert checked.checks.decided_by in {"quote", "values", "words"}


@given(SENTENCES)
def test_what_is_copied_stands(text: str) -> None:
    ledger = Ledger()
    source = ledger.admit(a_source(text), text)
    excerpt = ledger.excerpt(source.id, 0, len(text))
    first = text[: text.index(".") + 1] if text.startswith("The dam") else None
    if first is None:
        return
    checked = check_claims([DraftSentence(text=first, excerpt_ids=(excerpt.id,))], ledger)[0]
    assert checked.verdict is Verdict.SUPPORTED


def test_checks_are_the_same_each_time() -> None:
    claims = ["The Halden bridge is 1,240 m long.", "It cost 313 million kroner."]
    assert [verdict(c, BRIDGE) for c in claims] == [verdict(c, BRIDGE) for c in claims]


def test_hostile_sizes_take_bounded_time() -> None:
    prose = "The survey of lake water found nothing new in the year 1931, it says. "
    texts = ["x" * 5_000_000, prose * 70_000, "1,2" * 1_600_000, "不" * 1_000_000, "“" * 500_000]
    ledger = Ledger()
    ids = []
    for text in texts:
        source = ledger.admit(a_source(text), text)
        ids.append(ledger.excerpt(source.id, 0, len(text), snap=False).id)
    claims = [
        "word " * 200_000,
        "The survey of lake water found nothing new in 1931.",
        "1" * (MAX_CLAIM - 1),
        "“" * MAX_CLAIM,
        ("not " * (MAX_CLAIM // 4))[:MAX_CLAIM],
    ]
    sentences = [DraftSentence(text=claim, excerpt_ids=tuple(ids)) for claim in claims]
    began = time.process_time()
    checked = check_claims(sentences, ledger)
    assert time.process_time() - began < 8.0
    assert checked[0].verdict is Verdict.UNCHECKED
    assert checked[0].checks.reasons == ("too long to check",)
    assert checked[1].verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("claim", "text", "quotes"),
    [
        (
            "The Trieste dived to 10,916 metres in 1960.",
            "# Trieste 1960\n\nThe bathyscaphe dived to 10,916 metres in 1960. It was steel.",
            ["The bathyscaphe dived to 10,916 metres in 1960."],
        ),
        (
            "The Trieste reached the bottom of the Mariana Trench.",
            "## 2.1 Trieste in the Mariana Trench\nThe bathyscaphe reached the bottom of the trench.",
            ["The bathyscaphe reached the bottom of the trench."],
        ),
        (
            "The Trieste reached 10,916 metres in 1960.",
            "Trieste (1960)\n\nThe bathyscaphe reached 10,916 metres. It was steel.",
            ["The bathyscaphe reached 10,916 metres.", "Trieste (1960)"],
        ),
        (
            "的里雅斯特号于1960年下潜到10916米。",
            "# 的里雅斯特号（1960年）\n\n深潜器于1960年下潜到10916米。",
            ["深潜器于1960年下潜到10916米。"],
        ),
        (
            "The Trieste dived to 10916 m in 1960.",
            "# 的里雅斯特号（1960年）\n\n深潜器于1960年下潜到10916米。",
            ["深潜器于1960年下潜到10916米。"],
        ),
        (
            "The tower is 42 m high, of 1901.",
            "Height: 42 m\n\nBuilt: 1901\n\nIt stands.",
            ["Height: 42 m\n\nBuilt: 1901"],
        ),
    ],
)
def test_a_quote_begins_with_its_sentence_and_not_with_a_heading(claim: str, text: str, quotes: list[str]) -> None:
    assert [citation.quote for citation in verdict(claim, text).citations] == quotes


def test_what_retrieval_binds_begins_with_its_sentence() -> None:
    text = "# Trieste 1960\n\nThe bathyscaphe dived to 10,916 metres in 1960. Two men were aboard."
    ledger = Ledger()
    ledger.admit(a_source(text), text)
    [checked] = check_claims(
        [DraftSentence(text="The Trieste dived to 10,916 metres in 1960.", excerpt_ids=())], ledger
    )
    assert checked.checks.bound_by == "retrieval"
    assert [citation.quote for citation in checked.citations] == ["The bathyscaphe dived to 10,916 metres in 1960."]
