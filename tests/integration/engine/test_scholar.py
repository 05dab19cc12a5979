"""A run that searches scholarly works: several services on loopback, their full text read and cited with its authors."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.services import Answer, FakeService, fake_service

from leadline import Leadline
from leadline.domain import ToolCall
from leadline.errors import InputError
from leadline.events import ToolAnswered
from leadline.settings import load
from leadline.testing import HostileWeb, Reply, ScriptedServer, WebPage
from leadline.wiring.scholarly import mail_address

QUESTION = "By how much do tides in harbours rise?"
FULL_TEXT = WebPage(
    body=b"<html><head></head><body><main>"
    + b"<p>The tide in the harbour of Saint-Malo rises by 12.2 metres.</p><p>It was measured in 2021.</p>" * 3
    + b"</main></body></html>"
)
WRITTEN = "ANSWER: The tide in the harbour of Saint-Malo rises by 12.2 metres [1].\n"


def openalex(page: str) -> dict[str, Any]:
    return {
        "results": [
            {
                "id": "https://openalex.org/W1",
                "doi": "https://doi.org/10.1000/tide.1",
                "title": "Tides in harbours",
                "publication_year": 2022,
                "publication_date": "2022-04-01",
                "authorships": [{"author": {"display_name": "Ada Lead"}}, {"author": {"display_name": "Bo Line"}}],
                "primary_location": {"source": {"display_name": "J. Tides"}, "landing_page_url": page},
                "cited_by_count": 7,
                "abstract_inverted_index": {"measure.": [1], "We": [0]},
            }
        ]
    }


async def flags(tmp_path: Path, service: FakeService, model: ScriptedServer, **more: str) -> Any:
    given = {
        "data_dir": str(tmp_path / "data"),
        "fetch.allow_private": "127.0.0.1/32",
        "fetch.contact": "mailto:keeper@example.org",
        "scholar.providers": "openalex,crossref,serper",
        "scholar.openalex.base_url": f"{service.url}/openalex",
        "scholar.crossref.base_url": f"{service.url}/crossref",
        "scholar.serper.base_url": f"{service.url}/serper",
        "scholar.serper.api_keys": "expired",
        "scholar.unpaywall.base_url": f"{service.url}/unpaywall",
        "search.providers": "searxng",
        "search.searxng.base_url": service.url,
        "sandbox": "off",
        "model.urls": model.url,
        "model.name": "scripted",
        "model.context": "16000",
        "model.max_tokens": "1000",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return await asyncio.to_thread(lambda: load(flags=given, environ={}))


@pytest.mark.parametrize(("dialect", "name"), [("native", "scholar"), ("tongyi", "google_scholar")])
async def test_works_are_found_read_and_cited_with_their_authors(tmp_path: Path, dialect: str, name: str) -> None:
    async with HostileWeb({"/full": FULL_TEXT}) as web, fake_service() as service:
        copy = f"http://127.0.0.1:{web.port}/full"
        service.paths = {
            "/openalex/works": Answer(openalex("https://doi.org/10.1000/tide.1")),
            "/crossref/works": Answer({"message": {"items": []}}),
            "/serper/scholar": Answer({"message": "Unauthorized."}, status=403),
            "/unpaywall/v2/10.1000/tide.1": Answer({"best_oa_location": {"url_for_pdf": copy}}),
        }
        asked = ToolCall(name=name, arguments={"query": ["tides in harbours"]}, id="1")
        read = ToolCall(name="visit", arguments={"url": [copy], "goal": "rise"}, id="2")
        script = turns(dialect, asked, read)
        async with ScriptedServer(script) as model:
            settings = await flags(tmp_path, service, model, model__dialect=dialect)
            async with Leadline(settings) as engine:
                run_id = await engine.start(QUESTION, options=engine.options(web=True))
                report = await engine.result(run_id)
                requests = len(service.asked)
                assert await engine.replay(run_id) == report
                assert len(service.asked) == requests
                found = await result(engine, run_id, name)
                bibliography = await engine.render(report, "bibtex")
    (hit,) = found["hits"]
    assert (hit["authors"], hit["venue"], hit["citations"], hit["full_text"]) == (
        ["Ada Lead", "Bo Line"],
        "J. Tides",
        7,
        copy,
    )
    assert [(one["provider"], one["code"]) for one in found["failures"]] == [("serper_scholar", "provider_denied")]
    assert {asked.query.get("mailto") for asked in service.asked if "openalex" in asked.path} == {"keeper@example.org"}
    (source,) = report.sources
    assert (source.uri, source.authors, source.published) == (copy, ("Ada Lead", "Bo Line"), "2022-04-01")
    assert "Lead, Ada" in bibliography or "Ada Lead" in bibliography
    assert "12.2" in report.claims[0].text


def turns(dialect: str, *calls: ToolCall) -> list[Reply]:
    """Return a model's turns in a dialect: the calls, the answer, the report where somebody else writes it."""
    if dialect == "native":
        return [
            *(Reply(tool_calls=(call,)) for call in calls),
            Reply(text="<answer>12.2 m.</answer>"),
            Reply(text=WRITTEN),
        ]
    from leadline.research.strategies.react import called  # noqa: PLC0415 only for this dialect

    answer = "<answer>The tide in the harbour of Saint-Malo rises by 12.2 metres.</answer>"
    return [*(Reply(text=called(call)) for call in calls), Reply(text=answer)]


async def result(engine: Leadline, run_id: str, tool: str) -> dict[str, Any]:
    events = [record.event for record in await engine.records(run_id)]
    (value,) = [event.value for event in events if isinstance(event, ToolAnswered) and event.tool == tool]
    assert isinstance(value, dict)
    found: dict[str, Any] = value["results"][0]
    return found


async def test_it_goes_with_the_web_and_only_with_it(tmp_path: Path) -> None:
    async with fake_service() as service, ScriptedServer([]) as model:
        async with Leadline(await flags(tmp_path, service, model)) as engine:
            assert engine.options(web=True).scholar
            assert not engine.options().scholar
            assert not engine.options(web=True, scholar=False).scholar
            with pytest.raises(InputError, match="--web"):
                await engine.start(QUESTION, options=engine.options(scholar=True))
        async with Leadline(await flags(tmp_path, service, model, scholar__providers="[]")) as engine:
            assert not engine.options(web=True).scholar


@pytest.mark.parametrize(
    ("contact", "mail"),
    [
        ("a@example.org", "a@example.org"),
        ("mailto:a@example.org", "a@example.org"),
        ("https://example.org/@me", None),
        ("a@localhost", None),
        ("@example.org", None),
        (None, None),
    ],
)
def test_a_contact_that_is_mail_is_told_from_one_that_is_a_page(contact: str | None, mail: str | None) -> None:
    assert mail_address(contact) == mail
