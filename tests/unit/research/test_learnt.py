from __future__ import annotations

from dataclasses import replace

from leadline.domain import Excerpt, Source, excerpt_id
from leadline.research.evidence import Ledger
from leadline.research.learnt import Learnt
from leadline.testing import fetched

TEXT = "The tender stands at 48211 pounds. Nobody else knows."


def shown(source: Source, start: int, end: int) -> Excerpt:
    return Excerpt(id=excerpt_id(source.id, start, end), source_id=source.id, start=start, end=end)


def test_pages_offer_addresses_and_documents_give_private_text() -> None:
    page = replace(fetched("https://a.test/", "A page.").source, final_uri="https://a.test/final")
    paper = fetched("file:///t.txt", TEXT, title="Tender").source
    learnt = Learnt()
    learnt.take(
        {"pages": [{"links": ["https://b.test/", "file:///x", 3]}, {"failure": {}}]},
        sources=[page, paper],
        shown=[shown(page, 0, 7), shown(paper, 0, 34)],
        texts={page.id: "A page.", paper.id: TEXT},
    )
    assert learnt.addresses == {"https://a.test/", "https://a.test/final", "https://b.test/"}
    assert learnt.private == (TEXT[:34], "Tender")


def test_hits_of_the_web_are_addresses_and_those_of_documents_private() -> None:
    hits = [
        {"uri": "https://a.test/", "title": "A", "snippet": "public"},
        {"uri": "document:c1/t", "title": "Tender", "snippet": "at 48211 pounds"},
        {"uri": None, "snippet": 5},
    ]
    learnt = Learnt()
    learnt.take({"results": [{"hits": hits}, "rubbish"]}, sources=(), shown=(), texts={})
    learnt.take(["no object"], sources=(), shown=(), texts={})
    assert learnt.addresses == {"https://a.test/"}
    assert learnt.private == ("Tender", "at 48211 pounds")


WORK = {
    "uri": "https://doi.test/1",
    "full_text": "https://free.test/1.pdf",
    "title": "Tides",
    "snippet": "",
    "authors": ["Ada Lead", 3],
    "published": "2022-04-01",
}


def test_a_work_may_be_read_at_its_page_and_in_full_and_lends_what_a_source_lacks() -> None:
    learnt = Learnt()
    learnt.take({"results": [{"hits": [WORK]}]}, sources=(), shown=(), texts={})
    assert learnt.addresses == {"https://doi.test/1", "https://free.test/1.pdf"}
    bare = replace(fetched("https://free.test/1.pdf", TEXT).source, title="", authors=(), published=None)
    told = learnt.described(bare)
    assert (told.title, told.authors, told.published) == ("Tides", ("Ada Lead",), "2022-04-01")
    own = replace(
        bare, uri="https://x.test/", final_uri="https://doi.test/1", title="Own", authors=("Bo",), published="2021"
    )
    assert learnt.described(own) == own
    assert learnt.described(replace(bare, uri="https://other.test/")).authors == ()


def test_what_a_run_begins_with_counts_too() -> None:
    ledger = Ledger()
    paper, page = fetched("file:///t.txt", TEXT), fetched("https://a.test/", "A page of the web.")
    for one in (paper, page):
        ledger.admit(one.source, one.text)
        ledger.excerpt(one.source.id, 0, 18, snap=False)
    learnt = Learnt.of(ledger, online=True)
    assert learnt.addresses == {"https://a.test/"}
    assert learnt.private == ("The tender stands",)
    assert Learnt.of(ledger, online=False).private == ()
