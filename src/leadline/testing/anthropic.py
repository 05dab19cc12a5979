"""A reply in the words of Anthropic's messages API; see `ScriptedServer`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leadline.codec import encode
from leadline.domain import sha256
from leadline.testing.script import HALVED, Asked, Fault, Reply


class AnthropicWriter:
    """Makes the events, or the one document, of a reply.

    Reasoning becomes a thinking block, signed by a hash of its text.
    """

    def __init__(self, asked: Asked, reply: Reply) -> None:
        self._reply = reply
        self._id = f"msg_{asked.hash[:12]}"
        self._model = str(asked.body.get("model", "scripted"))
        self._prompt = len(encode(asked.messages)) // 4 + 1

    def whole(self) -> dict[str, Any]:
        """Return the reply as one `message`."""
        return self._message(self._blocks(), finish=self._finish()) | {"usage": self._usage(self._written())}

    def events(self) -> Iterator[bytes]:
        """Yield the reply as events, up to where its fault strikes."""
        start = self._message([], finish=None) | {"usage": self._usage(1)}
        yield _event({"type": "message_start", "message": start})
        yield _event({"type": "ping"})
        pieces = list(self._pieces())
        if self._reply.fault in HALVED:
            pieces = pieces[: max(1, len(pieces) // 2)]
        yield from pieces
        yield from self._ending()

    def _ending(self) -> Iterator[bytes]:
        fault = self._reply.fault
        if fault is Fault.WRONG_JSON:
            yield b'event: content_block_delta\ndata: {"type": "content_block_del\n\n'
        if fault is Fault.ERROR_EVENT:
            yield _event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
        if fault not in {*HALVED, Fault.NO_FINISH}:
            delta = {"stop_reason": self._finish(), "stop_sequence": None}
            usage = {"output_tokens": self._written()}
            yield _event({"type": "message_delta", "delta": delta, "usage": usage})
        if fault in {Fault.NONE, Fault.ERROR_EVENT, Fault.NO_FINISH}:
            yield _event({"type": "message_stop"})

    def _pieces(self) -> Iterator[bytes]:
        for at, block in enumerate(self._blocks()):
            start, deltas = self._deltas(block)
            yield _event({"type": "content_block_start", "index": at, "content_block": start})
            for delta in deltas:
                yield _event({"type": "content_block_delta", "index": at, "delta": delta})
            yield _event({"type": "content_block_stop", "index": at})

    def _deltas(self, block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return how a block begins, and what follows."""
        if block["type"] == "text":
            return block | {"text": ""}, [{"type": "text_delta", "text": p} for p in self._cut(block["text"])]
        if block["type"] == "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in self._cut(block["thinking"])]
            signature = {"type": "signature_delta", "signature": block["signature"]}
            return block | {"thinking": "", "signature": ""}, [*deltas, signature]
        pieces = self._cut(encode(block["input"]).decode())
        return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]

    def _blocks(self) -> list[dict[str, Any]]:
        reply = self._reply
        blocks: list[dict[str, Any]] = []
        if reply.reasoning:
            signature = sha256(reply.reasoning.encode())
            blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": signature})
        if reply.text:
            blocks.append({"type": "text", "text": reply.text})
        for at, call in enumerate(reply.tool_calls):
            blocks.append(
                {"type": "tool_use", "id": call.id or f"toolu_{at}", "name": call.name, "input": call.arguments}
            )
        return blocks

    def _cut(self, text: str) -> list[str]:
        size = max(1, self._reply.chunk)
        return [text[at : at + size] for at in range(0, len(text), size)]

    def _finish(self) -> str:
        return self._reply.finish or ("tool_use" if self._reply.tool_calls else "end_turn")

    def _written(self) -> int:
        return (len(self._reply.text) + len(self._reply.reasoning)) // 4 + 1

    def _message(self, blocks: list[dict[str, Any]], *, finish: str | None) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": blocks,
            "stop_reason": finish,
            "stop_sequence": None,
        }

    def _usage(self, written: int) -> dict[str, int]:
        cached = min(self._reply.cached_tokens, self._prompt)
        return {
            "input_tokens": self._prompt - cached,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
            "output_tokens": written,
        }


def _event(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: ".encode() + encode(value) + b"\n\n"
