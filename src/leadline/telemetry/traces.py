"""Events and requests to spans, by OpenTelemetry's conventions for generative AI.

A run is a span `invoke_agent leadline` of the trace of the request that asked for it; its calls are
spans below (`chat MODEL`, `execute_tool TOOL`), requests to tools' services below those. Ids derive
(`ports.correlation`), so a span is made whole when its work has ended, in whichever process that
was: a run that is resumed elsewhere is one trace, and what was told before is not told again.

Names are of semantic-conventions-genai (status: development) and semantic-conventions 1.41.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from leadline.codec import encode
from leadline.domain import Failure
from leadline.events import ModelAnswered, ModelAsked, RunFinished, ToolAnswered, ToolAsked
from leadline.ports.correlation import Trace, current, parse_traceparent, span_of, trace_of
from leadline.ports.signals import HttpAnswered, ProviderAsked, Signal
from leadline.telemetry.follow import Followed, Seen
from leadline.version import __version__

Attributes: TypeAlias = Mapping[str, Any]

AGENT: Final = "leadline"
_NANO: Final = 1_000_000_000
_MOST_CONTENT: Final = 8_000
_GOOD_OUTCOMES: Final = frozenset({"found", "empty"})


class Sink(Protocol):
    """Where spans go: a span processor of OpenTelemetry is one."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        ...


class Traces:
    """`Reader` that makes spans of what is sampled.

    `provider` names the protocol of the model servers (`openai`, `anthropic`), `resource` this
    process. Of the runs' own traces the `share` is recorded, as their workers decide. Questions and
    arguments are in spans only with `content`. `now` gives Unix seconds.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        resource: Resource,
        provider: str,
        share: float,
        now: Callable[[], float],
        content: bool = False,
    ) -> None:
        self._sink = sink
        self._provider = provider
        self._share = share
        self._now = now
        self._content = content
        self._resource = resource
        self._scope = InstrumentationScope("leadline", __version__)

    def event(self, seen: Seen) -> None:
        """See `Reader.event`."""
        event = seen.record.event
        if not isinstance(event, RunFinished | ModelAnswered | ToolAnswered):
            return
        trace = trace_of(seen.run.run.id, seen.run.run.origin, share=self._share)
        if not trace.sampled:
            return
        asked = seen.asked.event if seen.asked is not None else None
        if isinstance(event, RunFinished):
            self._run(event, seen, trace)
        elif isinstance(event, ModelAnswered) and isinstance(asked, ModelAsked):
            self._model(event, asked, seen, trace=trace)
        elif isinstance(event, ToolAnswered) and isinstance(asked, ToolAsked):
            self._tool(event, asked, seen, trace=trace)

    def signal(self, signal: Signal, run: Followed | None) -> None:
        """See `Reader.signal`."""
        if isinstance(signal, HttpAnswered):
            self._http(signal)
        elif isinstance(signal, ProviderAsked):
            self._asked_provider(signal)

    # -- runs ---------------------------------------------------------------------------------

    def _run(self, event: RunFinished, seen: Seen, trace: Trace) -> None:
        asked = seen.run.run
        parent = parse_traceparent(asked.origin.traceparent)
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": self._provider,
            "gen_ai.agent.name": AGENT,
            "gen_ai.agent.version": __version__,
            "gen_ai.conversation.id": asked.id,
            **({"gen_ai.request.model": asked.options.model} if asked.options.model else {}),
            "gen_ai.usage.input_tokens": event.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": event.usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": event.usage.cached_tokens,
            "leadline.strategy": str(asked.options.strategy),
            "leadline.stop_reason": str(event.stop_reason),
            "leadline.tenant": asked.tenant,
            **({"gen_ai.input.messages": asked.question.text[:_MOST_CONTENT]} if self._content else {}),
        }
        self._end(
            f"invoke_agent {AGENT}",
            trace,
            parent=parent.span if parent is not None else "",
            times=(seen.run.began_at, seen.record.at),
            attributes=attributes,
            error=_code(event.failure),
        )

    def _model(self, event: ModelAnswered, asked: ModelAsked, seen: Seen, *, trace: Trace) -> None:
        answer = event.answer
        answered: dict[str, Any] = {}
        if answer is not None:
            answered = {
                "gen_ai.response.model": answer.model or asked.model,
                "gen_ai.response.finish_reasons": (answer.finish,),
                "gen_ai.usage.input_tokens": event.usage.prompt_tokens,
                "gen_ai.usage.output_tokens": event.usage.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": event.usage.cached_tokens,
            }
        self._end(
            f"chat {asked.model}",
            _place(trace, seen, asked.call),
            parent=trace.span,
            times=(seen.record.at - seen.seconds, seen.record.at),
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": self._provider,
                "gen_ai.request.model": asked.model,
                "gen_ai.request.stream": True,
                "gen_ai.conversation.id": seen.run.run.id,
                "leadline.purpose": asked.purpose,
                "leadline.call": asked.call,
                **answered,
            },
            error=_code(event.failure),
        )

    def _tool(self, event: ToolAnswered, asked: ToolAsked, seen: Seen, *, trace: Trace) -> None:
        arguments = {"gen_ai.tool.call.arguments": encode(asked.arguments).decode()[:_MOST_CONTENT]}
        self._end(
            f"execute_tool {asked.tool}",
            _place(trace, seen, asked.call),
            parent=trace.span,
            times=(seen.record.at - seen.seconds, seen.record.at),
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": asked.tool,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": asked.call,
                "gen_ai.conversation.id": seen.run.run.id,
                **(arguments if self._content else {}),
            },
            error=_code(event.failure),
        )

    # -- requests -----------------------------------------------------------------------------

    def _http(self, signal: HttpAnswered) -> None:
        trace = signal.trace
        if trace is None or not trace.sampled:
            return
        now = self._now()
        self._end(
            f"{signal.method} {signal.route}",
            trace,
            parent=signal.parent,
            times=(now - signal.seconds, now),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": signal.method,
                "http.route": signal.route,
                "http.response.status_code": signal.status,
                "leadline.request": signal.request,
            },
            error=str(signal.status) if signal.status >= 500 else "",
        )

    def _asked_provider(self, signal: ProviderAsked) -> None:
        within = current().trace
        if within is None or not within.sampled:
            return
        now = self._now()
        failed = "" if signal.outcome in _GOOD_OUTCOMES else signal.outcome
        self._end(
            f"search {signal.provider}",
            Trace(trace=within.trace, span=secrets.token_hex(8), sampled=True),
            parent=within.span,
            times=(now - signal.seconds, now),
            kind=SpanKind.CLIENT,
            attributes={"leadline.provider": signal.provider, "leadline.outcome": signal.outcome},
            error=failed,
        )

    def _end(
        self,
        name: str,
        place: Trace,
        *,
        parent: str,
        times: Sequence[float],
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        error: str,
    ) -> None:
        began, ended = times
        self._sink.on_end(
            ReadableSpan(
                name=name,
                context=_context(place.trace, place.span),
                parent=_context(place.trace, parent, is_remote=True) if parent else None,
                resource=self._resource,
                attributes={**attributes, **({"error.type": error} if error else {})},
                kind=kind,
                status=Status(StatusCode.ERROR) if error else Status(StatusCode.UNSET),
                start_time=round(began * _NANO),
                end_time=round(max(began, ended) * _NANO),
                instrumentation_scope=self._scope,
            )
        )


def _place(trace: Trace, seen: Seen, call: str) -> Trace:
    return Trace(trace=trace.trace, span=span_of(seen.run.run.id, call), sampled=trace.sampled)


def _context(trace: str, span: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=is_remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _code(failure: Failure | None) -> str:
    return failure.code if failure is not None else ""
