"""Runs, events and sources as the service shows them: nothing of the machines that they were made on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from leadline.codec import orjson_tree
from leadline.domain import Failure, Usage
from leadline.errors import SettingsError, StoreError, WorkDied, family_of
from leadline.events import Event, ModelAnswered, Record, RunFinished, RunHandedOver, RunResumed, ToolAnswered
from leadline.ports import Run
from leadline.service.shapes import FailureShown, RunShown, UsageShown

_INNER: Final = (SettingsError, StoreError, WorkDied)
_HIDDEN: Final = "the service could not do it; its log tells more"


def iso(at: float) -> str:
    """Return Unix seconds as UTC, ISO 8601."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_shown(run: Run, *, asks: Any = None) -> RunShown:  # noqa: ANN401 JSON by nature
    """Return a run as it is listed; with `asks`, what it asks of a person."""
    options = run.options
    return RunShown(
        id=run.id,
        state=run.state.value,
        question=run.question.text,
        language=run.question.language,
        strategy=options.strategy.value,
        web=options.web,
        corpora=[name.partition("@")[0] for name in options.corpora],
        continues=options.ledger_of,
        priority=run.priority,
        created_at=iso(run.created_at),
        updated_at=iso(run.updated_at),
        last_event=run.last_seq,
        flag=None if run.flag is None or run.state.ended else run.flag.value,
        waits_for=run.waits_for,
        asks=orjson_tree(asks),
        stop_reason=None if run.stop_reason is None else run.stop_reason.value,
        failure=None if run.failure is None else _failure(run.failure),
        has_report=run.report is not None,
        usage=usage_shown(run.usage),
    )


def usage_shown(usage: Usage) -> UsageShown:
    """Return what was used."""
    return UsageShown(**orjson_tree(usage))


def record_shown(record: Record) -> Record:
    """Return an event without names of machines, and without what failures tell of them."""
    event = _event_shown(record.event)
    return record if event is record.event else replace(record, event=event)


def _event_shown(event: Event) -> Event:
    match event:
        case RunResumed() | RunHandedOver():
            return replace(event, owner="")
        case RunFinished(failure=Failure() as failure) if _is_inner(failure):
            return replace(event, failure=hidden(failure))
        case ModelAnswered(failure=Failure() as failure) if _is_inner(failure):
            return replace(event, failure=hidden(failure))
        case ToolAnswered(failure=Failure() as failure) if _is_inner(failure):
            return replace(event, failure=hidden(failure))
        case _:
            return event


def hidden(failure: Failure) -> Failure:
    """Return a failure without its message where that tells of this machine."""
    return replace(failure, message=_HIDDEN) if _is_inner(failure) else failure


def _failure(failure: Failure) -> FailureShown:
    return FailureShown(code=failure.code, message=hidden(failure).message, retryable=failure.retryable)


def _is_inner(failure: Failure) -> bool:
    """Whether a failure tells of this machine: its files, its settings, its store."""
    return issubclass(family_of(failure.code), _INNER)
