"""What every scholar service promises, and the library over all of them; replies written by hand, over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.services import Answer, FakeService, fake_service

from leadline.errors import ProviderBroken, ProviderDenied, ProviderFailed, ProviderLimited, ProviderUnavailable
from leadline.ports import Query
from leadline.scholar.arxiv import Arxiv
from leadline.scholar.crossref import Crossref
from leadline.scholar.europepmc import EuropePmc
from leadline.scholar.fulltext import Unpaywall
from leadline.scholar.library import Library, ScholarService
from leadline.scholar.merge import merge
from leadline.scholar.openalex import OpenAlex
from leadline.scholar.semanticscholar import SemanticScholar
from leadline.scholar.serper import SerperScholar
from leadline.scholar.types import Source
from leadline.wire.http import AiohttpHttp, Reply
from leadline.wire.keys import KeyRing
from leadline.wire.papers import Listed, Paper, arxiv_of, doi_of

FULL = Query(text="tidal harbour", limit=5, year=2024, since="2024-03-01")
FEED = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/x</id><title>query</title>{}
</feed>"""
ENTRY = """<entry><id>http://arxiv.org/abs/2404.00001v2</id><title>Tides in
  harbours</title><summary>We &amp; they measure.</summary><published>2024-04-01T17:59:46Z</published>
  <author><name>Ada Lead</name><arxiv:affiliation>X</arxiv:affiliation></author><author><name>Bo Line</name></author>
  <arxiv:doi>10.1000/TIDE.1</arxiv:doi><arxiv:journal_ref>J. Tides 1 (2024)</arxiv:journal_ref></entry>"""


class Case(NamedTuple):
    """A service, a good reply, the work in it, what the full query sends, a reply without any work."""

    make: Any
    reply: Any
    paper: Paper
    sent: dict[str, Any]
    empty: Any
    ignored: tuple[str, ...] = ()


CASES = {
    "openalex": Case(
        OpenAlex,
        {
            "meta": {},
            "results": [
                {
                    "id": "https://openalex.org/W1",
                    "doi": "https://doi.org/10.1000/TIDE.1",
                    "title": "Tides in <i>harbours</i>",
                    "publication_year": 2024,
                    "publication_date": "2024-04-01",
                    "authorships": [{"author": {"display_name": "Ada Lead"}}, {"author": None}, {}],
                    "primary_location": {"source": {"display_name": "J. Tides"}, "landing_page_url": None},
                    "best_oa_location": {"pdf_url": "https://a.example/tide.pdf"},
                    "locations": [{"landing_page_url": "http://arxiv.org/abs/2404.00001"}, None],
                    "cited_by_count": 7,
                    "abstract_inverted_index": {"measure.": [1], "We": [0]},
                },
                {"id": None, "title": None},
            ],
        },
        Paper(
            title="Tides in harbours",
            uri="https://doi.org/10.1000/TIDE.1",
            authors=("Ada Lead",),
            year=2024,
            published="2024-04-01",
            venue="J. Tides",
            abstract="We measure.",
            citations=7,
            doi="10.1000/tide.1",
            arxiv="2404.00001",
            pdf="https://a.example/tide.pdf",
            providers=("openalex",),
        ),
        {
            "search": "tidal harbour",
            "per-page": "5",
            "filter": "from_publication_date:2024-03-01,to_publication_date:2024-12-31",
        },
        {"meta": {"count": 0}, "results": []},
    ),
    "crossref": Case(
        Crossref,
        {
            "message": {
                "items": [
                    {
                        "DOI": "10.1000/TIDE.1",
                        "title": ["Tides in harbours"],
                        "author": [{"given": "Ada", "family": "Lead"}, {"name": "Tide Group"}, {}],
                        "issued": {"date-parts": [[2024, 4, None]]},
                        "container-title": ["J. Tides"],
                        "abstract": "<jats:title>Abstract</jats:title> <jats:p>We measure.</jats:p>",
                        "is-referenced-by-count": 6,
                        "URL": "https://doi.org/10.1000/tide.1",
                    },
                    {"title": None, "DOI": None},
                ]
            }
        },
        Paper(
            title="Tides in harbours",
            uri="https://doi.org/10.1000/tide.1",
            authors=("Ada Lead", "Tide Group"),
            year=2024,
            published="2024-04",
            venue="J. Tides",
            abstract="We measure.",
            citations=6,
            doi="10.1000/tide.1",
            providers=("crossref",),
        ),
        {
            "query.bibliographic": "tidal harbour",
            "rows": "5",
            "filter": "from-pub-date:2024-03-01,until-pub-date:2024-12-31",
        },
        {"message": {"items": []}},
    ),
    "arxiv": Case(
        Arxiv,
        FEED.format(ENTRY).encode(),
        Paper(
            title="Tides in harbours",
            uri="https://arxiv.org/abs/2404.00001",
            authors=("Ada Lead", "Bo Line"),
            year=2024,
            published="2024-04-01",
            venue="J. Tides 1 (2024)",
            abstract="We & they measure.",
            doi="10.1000/tide.1",
            arxiv="2404.00001",
            pdf="https://arxiv.org/pdf/2404.00001",
            providers=("arxiv",),
        ),
        {
            "search_query": 'all:"tidal" AND all:"harbour" AND submittedDate:[202403010000 TO 202412312359]',
            "max_results": "5",
        },
        FEED.format("").encode(),
    ),
    "semanticscholar": Case(
        SemanticScholar,
        {
            "total": 1,
            "data": [
                {
                    "paperId": "abc",
                    "title": "Tides in harbours",
                    "abstract": None,
                    "year": 2024,
                    "venue": "",
                    "authors": [{"name": "Ada Lead"}, None],
                    "externalIds": {"DOI": "10.1000/tide.1", "ArXiv": "2404.00001"},
                    "openAccessPdf": None,
                    "citationCount": 9,
                },
                {"paperId": "x", "title": None, "authors": None, "externalIds": None},
            ],
        },
        Paper(
            title="Tides in harbours",
            uri="https://www.semanticscholar.org/paper/abc",
            authors=("Ada Lead",),
            year=2024,
            citations=9,
            doi="10.1000/tide.1",
            arxiv="2404.00001",
            providers=("semanticscholar",),
        ),
        {"query": "tidal harbour", "limit": "5", "publicationDateOrYear": "2024-03-01:2024-12-31"},
        {"total": 0, "offset": 0},
    ),
    "europepmc": Case(
        EuropePmc,
        {
            "resultList": {
                "result": [
                    {
                        "id": "123",
                        "source": "MED",
                        "title": "Tides in harbours.",
                        "doi": "10.1000/tide.1",
                        "pubYear": "2024",
                        "firstPublicationDate": "2024-04-01",
                        "authorList": {"author": [{"fullName": "Lead A"}]},
                        "journalInfo": {"journal": {"title": "J. Tides"}},
                        "abstractText": "We measure.",
                        "citedByCount": 5,
                        "fullTextUrlList": {
                            "fullTextUrl": [
                                {"availabilityCode": "S", "documentStyle": "pdf", "url": "https://paid.example/x.pdf"},
                                {"availabilityCode": "OA", "documentStyle": "pdf", "url": "https://free.example/x.pdf"},
                            ]
                        },
                    }
                ]
            }
        },
        Paper(
            title="Tides in harbours",
            uri="https://europepmc.org/article/MED/123",
            authors=("Lead A",),
            year=2024,
            published="2024-04-01",
            venue="J. Tides",
            abstract="We measure.",
            citations=5,
            doi="10.1000/tide.1",
            pdf="https://free.example/x.pdf",
            providers=("europepmc",),
        ),
        {"query": "(tidal harbour) AND FIRST_PDATE:[2024-03-01 TO 2024-12-31]", "resultType": "core", "pageSize": "5"},
        {"resultList": {"result": []}},
    ),
    "serper_scholar": Case(
        SerperScholar,
        {
            "organic": [
                {
                    "title": "Tides in harbours",
                    "link": "https://a.example/10.1000/tide.1",
                    "publicationInfo": "A Lead, B Line… - Journal of Tides, 2024 - a.example",
                    "citedBy": 8,
                    "pdfUrl": "https://a.example/tide.pdf",
                },
                {"title": "No address"},
            ]
        },
        Paper(
            title="Tides in harbours",
            uri="https://a.example/10.1000/tide.1",
            authors=("A Lead", "B Line"),
            year=2024,
            venue="Journal of Tides",
            citations=8,
            doi="10.1000/tide.1",
            pdf="https://a.example/tide.pdf",
            providers=("serper_scholar",),
        ),
        {"q": "tidal harbour", "num": 5, "as_ylo": 2024, "as_yhi": 2024},
        {"searchParameters": {}, "organic": []},
        ("since",),
    ),
}


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with fake_service() as service:
        yield service


@pytest.fixture
async def http() -> AsyncIterator[AiohttpHttp]:
    async with AiohttpHttp.open() as http:
        yield http


def one(name: str, service: FakeService, http: AiohttpHttp) -> ScholarService:
    return ScholarService(CASES[name].make(service.url), http, keys=KeyRing(name, ["the-key"]))


@pytest.mark.parametrize("name", CASES)
async def test_filters_are_sent_and_works_typed(name: str, service: FakeService, http: AiohttpHttp) -> None:
    case = CASES[name]
    service.answers = [Answer(case.reply)]
    found = one(name, service, http)
    assert (await found.papers(FULL, deadline=5)).papers == (case.paper,)
    [asked] = service.asked
    told = asked.json or asked.query
    assert {key: told.get(key) for key in case.sent} == case.sent
    assert tuple(sorted(found.ignored(FULL))) == case.ignored


@pytest.mark.parametrize("name", CASES)
async def test_nothing_is_an_empty_answer(name: str, service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer(CASES[name].empty)]
    assert (await one(name, service, http).papers(Query(text="x"), deadline=5)).papers == ()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({}, 401), ProviderDenied),
        (Answer({}, 429), ProviderLimited),
        (Answer({}, 502), ProviderUnavailable),
        (Answer({"error": "bad"}, 400), ProviderBroken),
        (Answer(b"<html>sorry", 200), ProviderBroken),
        (Answer({"hello": 1}, 200), ProviderBroken),
        (Answer(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><feed>&a;</feed>', 200), ProviderBroken),
    ],
    ids=range(7),
)
async def test_a_failure_is_typed(
    name: str, answer: Answer, error: type[ProviderFailed], service: FakeService, http: AiohttpHttp
) -> None:
    service.answers = [answer]
    with pytest.raises(ProviderFailed) as failed:
        await one(name, service, http).papers(Query(text="x"), deadline=5)
    assert type(failed.value) is error


def test_accounts_of_one_work_become_one() -> None:
    [work] = merge([[case.paper] for case in CASES.values()])
    assert work.doi == "10.1000/tide.1"
    assert work.arxiv == "2404.00001"
    assert work.pdf == "https://a.example/tide.pdf"
    assert work.citations == 9
    assert work.providers == tuple(CASES)
    assert (work.year, work.venue) == (2024, "J. Tides")


def paper(title: str, **more: Any) -> Paper:
    return Paper(title=title, uri=more.pop("uri", "https://a.example/"), providers=(more.pop("by", "x"),), **more)


@pytest.mark.parametrize(
    ("a", "b", "works"),
    [
        (paper("Tides in the old harbours", year=2020), paper("TIDES IN THE OLD HARBOURS.", year=2021, by="y"), 1),
        (paper("Tides in the old harbours", year=2000), paper("Tides in the old harbours", year=2020, by="y"), 2),
        (paper("Editorial", doi="10.1000/a"), paper("Editorial", doi="10.1000/b", by="y"), 2),
        (paper("Tides in the old harbours", doi="10.1000/a"), paper("Tides in the old harbours", doi="10.1000/b"), 2),
        (
            paper("Tides in the old harbours", doi="10.48550/arxiv.2404.1"),
            paper("Tides in the old harbours", doi="10.1000/b"),
            1,
        ),
        (paper("One title", arxiv="2404.00001"), paper("Another title entirely", arxiv="2404.00001"), 1),
    ],
)
def test_what_makes_two_accounts_one_work(a: Paper, b: Paper, works: int) -> None:
    assert len(merge([[a], [b]])) == works


def test_an_article_is_shown_before_its_preprint() -> None:
    preprint = paper(
        "Tides in the old harbours",
        doi="10.48550/arxiv.2404.00001",
        arxiv="2404.00001",
        uri="https://arxiv.org/abs/2404.00001",
    )
    article = paper("Tides in the old harbours", doi="10.1000/b", uri="https://doi.org/10.1000/b", by="y")
    [work] = merge([[preprint], [article]])
    assert (work.uri, work.doi, work.arxiv) == ("https://doi.org/10.1000/b", "10.1000/b", "2404.00001")


@pytest.mark.parametrize(
    ("text", "doi", "arxiv"),
    [
        ("https://doi.org/10.1000/ABC.1", "10.1000/abc.1", None),
        ("doi:10.1000%2Fabc).", "10.1000/abc", None),
        ("https://arxiv.org/abs/math.GT/0309136v1", None, "math.GT/0309136"),
        ("10.48550/arXiv.1706.03762", "10.48550/arxiv.1706.03762", "1706.03762"),
        ("1706.03762v7", None, "1706.03762"),
        ("no id", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_ids_are_read_from_anything(text: object, doi: str | None, arxiv: str | None) -> None:
    assert (doi_of(text), arxiv_of(text)) == (doi, arxiv)


async def test_one_service_fails_and_the_others_answer(service: FakeService, http: AiohttpHttp) -> None:
    service.paths = {"/works": Answer({}, 500), "/graph/v1/paper/search": Answer(CASES["semanticscholar"].reply)}
    told: list[tuple[str, str]] = []
    library = Library(
        [one("openalex", service, http), one("semanticscholar", service, http)],
        told=lambda name, error: told.append((name, error.code)),
    )
    found = await library.papers(Query(text="tides", sites=("a.example",)), deadline=5)
    assert [work.title for work in found.papers] == ["Tides in harbours"]
    assert found.papers[0].pdf == "https://arxiv.org/pdf/2404.00001"
    assert told == [("openalex", "provider_unavailable")]
    assert [(name, error.code) for name, error in found.failures] == told
    assert found.ignored == ("sites",)


async def test_a_service_of_weight_comes_first_and_each_is_paid_for() -> None:
    class Shelf:
        def __init__(self, name: str, usd: float) -> None:
            self.name = name
            work = Paper(title=f"Work of {name}", uri=f"https://{name}.example/", providers=(name,))
            self._listed = Listed(papers=(work,), usd=usd)

        def ignored(self, query: Query) -> frozenset[str]:
            return frozenset()

        async def papers(self, query: Query, *, deadline: float) -> Listed:
            return self._listed

    shelves = [Shelf("one", 0.25), Shelf("two", 0.5)]
    for weights, first in (({}, "one"), ({"two": 1.5}, "two")):
        found = await Library(shelves, weights=weights).papers(Query(text="tides"), deadline=5)
        assert found.papers[0].title == f"Work of {first}"
        assert found.usd == 0.75


async def test_when_no_service_answers_it_is_a_failure(service: FakeService, http: AiohttpHttp) -> None:
    service.answers = [Answer({}, 401)]
    library = Library([one("openalex", service, http), one("crossref", service, http)])
    with pytest.raises(ProviderFailed, match=r"openalex.*crossref"):
        await library.papers(Query(text="tides"), deadline=5)


@pytest.mark.parametrize(
    ("answer", "pdf"),
    [
        (Answer({"best_oa_location": {"url_for_pdf": "https://free.example/a.pdf"}}), "https://free.example/a.pdf"),
        (
            Answer({"best_oa_location": {"url_for_pdf": None, "url": "https://free.example/a"}}),
            "https://free.example/a",
        ),
        (Answer({"best_oa_location": None}), None),
        (Answer({}, 404), None),
        (Answer({}, 422), None),
        (Answer(b"<html>"), None),
    ],
)
async def test_a_free_copy_is_looked_for(
    answer: Answer, pdf: str | None, service: FakeService, http: AiohttpHttp
) -> None:
    service.paths = {"/works": Answer(CASES["crossref"].reply), "/v2/10.1000/tide.1": answer}
    unpaywall = Unpaywall(http, contact="tests@example.org", base_url=service.url)
    library = Library([one("crossref", service, http)], unpaywall=unpaywall)
    [work] = (await library.papers(Query(text="tides"), deadline=5)).papers
    assert work.pdf == pdf
    assert service.asked[-1].query == {"email": "tests@example.org"}


@pytest.mark.shared_data
def test_every_recorded_reply_is_works_or_a_typed_error(shared_data: Path) -> None:
    sources: dict[str, Source] = {name: case.make("http://127.0.0.1:9") for name, case in CASES.items()}
    works: dict[str, list[Paper]] = {}
    for line in (shared_data / "providers" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        reply = Reply(status=row["status"], headers={}, body=(shared_data / "providers" / row["file"]).read_bytes())
        for name, source in sources.items():
            try:
                papers = () if source.failure(reply) else source.read(reply)
            except ProviderBroken:
                continue
            if row["provider"] == name or (row["provider"], name) == ("serper", "serper_scholar"):
                works[row["file"]] = list(papers)
    [attention] = works["serper/scholar_shape.json"]
    assert (attention.year, attention.citations) == (2017, 119_097)
    assert len(works["arxiv/q_testing_s5_m10_c0e94a259d4a.atom.xml"]) == 10
    assert "arxiv/id_abc_s0_m100_b79c8dcf6bc3.atom.xml" in works  # refused by its status
    assert works["arxiv/id_0000.0000_s0_m100_8b51d9633a68.atom.xml"] == []
    assert len(works["semanticscholar/search.json"]) == 100
    [chemistry] = works["openalex/pqa_title.json"][:1]
    assert chemistry.doi == "10.1038/s42256-024-00832-8"
    assert chemistry.authors[0] == "Andres M. Bran"
    assert len(works["crossref/test_works_field_queries.json"]) >= 10
    assert all(paper.uri.startswith("http") for papers in works.values() for paper in papers)
