"""IterResearch: rounds of constant context around an evolving report (Chen et al. 2025, arXiv:2511.07327).

Each round the model sees the question, its working report, its last action and the result of that,
and rewrites the report; nothing else is carried over, so that the hundredth round costs what the
first did. Results name the ledger's excerpts by number, and the report cites them: excerpts that it
names come first when the final report is written, from the ledger as always. The working report
is the model's text: bounded, inert, and never a source of quotations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from leadline import codec
from leadline.domain import Dialect, Message, ModelAnswer, ToolCall, ToolSpec
from leadline.research import context
from leadline.research.evidence import Ledger
from leadline.research.fencing import Fence
from leadline.research.loop import CALLS_A_TURN, think_act_observe
from leadline.research.parse import Answer, Calls, Malformed, Turn, parse_turn
from leadline.research.phrases import language_name
from leadline.research.prompts import prompt
from leadline.research.strategies.react import TOOL_RESPONSE, described, wrapped
from leadline.research.study import Gathered, Seen, Study
from leadline.text.clean import neutralise, squeeze
from leadline.text.think import split_thoughts

REPORT_SHARE: Final = 6
"""A working report may have one part in so many of the window."""

MOST_REPORT: Final = 8_000
"""Tokens that a working report has at most."""

UNREPORTED: Final = 12
"""Excerpts that are named to a model whose turns hold no report."""

_TITLE: Final = 80
_GLIMPSE: Final = 160
_ACTION: Final = 1_500
_WORDS_A_TOKEN: Final = 0.6
_REPORT: Final = re.compile(r"<report>(.*?)(?:</report>|(?=<(?:report|tool_call|answer)>)|\Z)", re.DOTALL)
_LABELS: Final = re.compile(r"\[(\s*\d{1,6}(?:\s*[,;、，]\s*\d{1,6})*\s*)\]")
_NUMBER: Final = re.compile(r"\d+")


async def gather(study: Study) -> Gathered:
    """Run rounds over a workspace; hand on which excerpts its report names."""
    workspace = workspace_for(study)
    gathered = await think_act_observe(study, workspace)
    gathered.chosen = cited(f"{workspace.report}\n{gathered.answer}", study.ledger)
    return gathered


def report_tokens(window: int) -> int:
    """Return the tokens that a working report may have."""
    return max(300, min(MOST_REPORT, window // REPORT_SHARE))


def workspace_for(study: Study) -> Workspace:
    """Return an empty workspace in the run's dialect."""
    dialect = study.options.dialect
    most = report_tokens(study.options.window)
    system = prompt("iterresearch").format(
        words=int(most * _WORDS_A_TOKEN),
        actions="one tool" if dialect is Dialect.TONGYI else "one or more tools",
        date=datetime.fromtimestamp(study.began_at, UTC).strftime("%Y-%m-%d"),
        language=language_name(study.question.language),
    )
    specs = tuple(study.specs.values())
    if dialect is not Dialect.NATIVE:
        system = f"{system}\n\n{prompt('tags').format(tools=described(specs))}"
    return Workspace(
        system=system,
        question=study.question.text,
        tools=specs,
        dialect=dialect,
        ledger=study.ledger,
        fence=Fence() if dialect is Dialect.TONGYI else Fence.drawn(study.branch.random),
        most=most,
    )


class Workspace:
    """What the model sees of its own work: a `loop.Transcript` of two messages, whatever the round."""

    def __init__(
        self,
        *,
        system: str,
        question: str,
        tools: tuple[ToolSpec, ...],
        dialect: Dialect,
        ledger: Ledger,
        fence: Fence,
        most: int,
    ) -> None:
        """Begin; a report has at most `most` tokens."""
        tagged = dialect is not Dialect.NATIVE
        self.tools = () if tagged else tools
        self.stop = ("\n" + TOOL_RESPONSE, TOOL_RESPONSE) if tagged else ()
        self.calls_a_turn = 1 if dialect is Dialect.TONGYI else CALLS_A_TURN
        self.report = ""
        self._system = Message(role="system", content=system)
        self._asked = "\n\n".join(filter(None, [f"Question: {question}", fence.notice]))
        self._tagged = tagged
        self._ledger = ledger
        self._fence = fence
        self._most = most
        self._action = ""
        self._result = ""
        self._notes: list[str] = []
        self._unreported: tuple[str, ...] = ()
        self._latest: tuple[str, ...] = ()
        self._plain = False
        self.messages = self._shown()

    def turn(self, answer: ModelAnswer, tools: Sequence[ToolSpec]) -> Turn:
        """Return what the model wants beside its report.

        Words without tags end the work only the second time in a row: they may as well be a
        report, or a thought, that lost its tags.
        """
        rest = _REPORT.sub("", split_thoughts(answer.text)[0])
        turn = parse_turn(rest, native_calls=answer.tool_calls, tools=tools)
        if not isinstance(turn, Answer) or turn.tagged or self._plain:
            self._plain = False
            return turn
        self._plain = True
        reason = "The turn does nothing: call a tool, or give the answer between <answer> and </answer>."
        return Malformed(reason=reason, code="no_action", text=answer.text, thought=turn.thought)

    def heard(self, answer: ModelAnswer, calls: Calls | None) -> None:
        """Take over the report that the turn holds, and what it does."""
        self._notes = []
        written = [text for text in _REPORT.findall(split_thoughts(answer.text)[0]) if text.strip()]
        if written:
            self._report(written[-1])
            self._unreported = ()
        else:
            self._unreported = tuple(dict.fromkeys([*self._unreported, *self._latest]))[-UNREPORTED:]
            self._notes.append(
                "Your last turn held no <report>: the one before it was kept. Write the report now, with what the "
                "results since then add to it."
            )
        self._latest = ()
        self._action = "(none)" if calls is None else "\n".join(map(_told, calls.calls))[:_ACTION]
        self._result = ""
        self.messages = self._shown()

    def observed(self, seen: Sequence[Seen]) -> None:
        """Take the results of the turn's calls, and the numbers of the excerpts that they show."""
        self._latest = tuple(dict.fromkeys(excerpt for outcome in seen for excerpt in outcome.excerpts))
        self._result = "\n".join(map(self._outcome, seen))
        self.messages = self._shown()

    def told(self, text: str) -> None:
        """Add a message to what the next turn sees."""
        self._notes.append(text)
        self.messages = self._shown()

    def fold(self, digest: str) -> None:
        """Shorten the last result to half, and the report once that is short; what a digest would say it says."""
        del digest
        if len(self._result) > context.LEAST:
            self._result = context.halved(self._result, max(context.LEAST, len(self._result) // 2))
        else:
            self._most = max(100, min(self._most, context.tokens(self.report)) // 2)
            self.report = _bounded(self.report, self._most)
            self._unreported = self._unreported[UNREPORTED // 2 :]
        self.messages = self._shown()

    def _report(self, text: str) -> None:
        whole = known_labels(neutralise(text).strip(), self._ledger)
        self.report = _bounded(whole, self._most)
        if len(self.report) < len(whole):
            self._notes.append("Your report was too long: its end was cut off. Write it shorter.")

    def _outcome(self, seen: Seen) -> str:
        if seen.observation is None:
            return neutralise(seen.text)
        numbers = "\n".join(self._number(excerpt) for excerpt in seen.excerpts)
        text = self._fence.around(f"{seen.text}\n\nExcerpt numbers:\n{numbers}" if numbers else seen.text)
        return wrapped(text) if self._tagged else text

    def _number(self, excerpt: str) -> str:
        found = self._ledger.get(excerpt)
        assert found is not None  # noqa: S101 the ledger made the id
        source = self._ledger.source(found.source_id)
        title = squeeze(source.title or source.uri, limit=_TITLE)
        return f"[{self._ledger.label(excerpt)}] {title}, characters {found.start} to {found.end}"

    def _shown(self) -> tuple[Message, ...]:
        """Return the prompt: first what never changes, then the report, then the last action and its result."""
        parts = [self._asked, f"Your working report:\n<report>\n{self.report or '(empty)'}\n</report>"]
        if self._unreported:
            lines = "\n".join(self._glimpse(excerpt) for excerpt in self._unreported)
            parts.append(f"Read, but in no report yet:\n{self._fence.around(lines)}")
        if self._action:
            parts.append(f"Your last action:\n{self._action}")
        if self._result:
            parts.append(f"Its result:\n{self._result}")
        parts += self._notes
        return (self._system, Message(role="user", content="\n\n".join(parts)))

    def _glimpse(self, excerpt: str) -> str:
        found = self._ledger.get(excerpt)
        assert found is not None  # noqa: S101 as above
        return f"[{self._ledger.label(excerpt)}] {squeeze(self._ledger.quote(found), limit=_GLIMPSE)}"


def _told(call: ToolCall) -> str:
    return neutralise(f"{call.name} {codec.encode(dict(call.arguments)).decode()}")


def _bounded(report: str, most: int) -> str:
    """Return as many whole lines of a report as `most` tokens hold; a first line that alone is longer is cut."""
    while context.tokens(report) > most:
        keep = len(report) * most // context.tokens(report)
        line = report.rfind("\n", 0, keep)
        report = report[: line if line > keep // 2 else keep].rstrip()
    return report


def known_labels(text: str, ledger: Ledger) -> str:
    """Return `text` without the numbers of excerpts that the ledger does not have."""

    def kept(found: re.Match[str]) -> str:
        known = [number for number in _NUMBER.findall(found[1]) if ledger.by_label(number) is not None]
        return f"[{', '.join(known)}]" if known else ""

    return _LABELS.sub(kept, text)


def cited(text: str, ledger: Ledger) -> tuple[str, ...]:
    """Return the ids of the excerpts that a text names, in its order."""
    named = [ledger.by_label(number) for group in _LABELS.findall(text) for number in _NUMBER.findall(group)]
    return tuple(dict.fromkeys(excerpt.id for excerpt in named if excerpt is not None))
