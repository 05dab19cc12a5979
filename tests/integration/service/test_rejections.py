"""A question that is refused is told as a signal, by how it was asked, and becomes no run."""

from __future__ import annotations

from pathlib import Path

from tests.support.service import serving, settings_for

from leadline.ports.signals import Rejected, Signal

LONG = "How deep is the sea off Skerryvore, and how was that measured?"


class Heard:
    def __init__(self) -> None:
        self.rejected: list[Rejected] = []

    def signal(self, signal: Signal) -> None:
        if isinstance(signal, Rejected):
            self.rejected.append(signal)


async def test_each_way_of_asking_is_told_with_the_reason(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path, admission__question_characters="20", admission__key_runs="1")
    async with serving(settings) as running:
        heard = running.services.platform.outgoing.signals = Heard()
        ann = await running.caller("acme")
        assert (await ann.post("/v1/research", {"question": LONG})).status == 413
        chat = {"model": "leadline", "messages": [{"role": "user", "content": LONG}]}
        assert (await ann.post("/v1/chat/completions", chat)).status == 413
        unknown = {"question": "How deep?", "continues": "r-unknown"}
        assert (await ann.post("/v1/research", unknown)).status == 404
        assert heard.rejected == [
            Rejected(method="api", reason="question_size"),
            Rejected(method="openai", reason="question_size"),
            Rejected(method="api", reason="unknown_run"),
        ]
        assert (await ann.get("/v1/research")).body["items"] == []
