"""Writing by a model: one call over the ledger, fusion of several researchers, or an outline and its sections.

No writer sees the transcript. A section's writer sees the excerpts of its section alone and can
cite no others; a section whose writer fails is left out, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from leadline.domain import Dialect, Failure, Message
from leadline.errors import ContextOverflow, ModelBroken
from leadline.research import context, write
from leadline.research.composing import answer_messages, conclusions, outline_messages, section_messages
from leadline.research.fencing import Fence
from leadline.research.outline import MOST_SECTIONS, OUTLINE_SCHEMA, PlannedSection, outline_from
from leadline.research.parse import Answer, parse_turn
from leadline.research.phrases import language_name, phrase
from leadline.research.prompts import prompt
from leadline.research.side import join, part_of, side_by_side, slices
from leadline.research.study import Gathered, Study
from leadline.research.typed import typed
from leadline.research.wishes import with_wishes

WRITER_ROOM: Final = (1.0, 0.5, 0.25)
"""Shares of the window that the writer's excerpts may fill, tried in order where a server takes less than was said."""

PURPOSE: Final = "write"


@dataclass(kw_only=True, slots=True)
class Written:
    """What a model wrote; empty where it wrote nothing. `failure` is why, where that was a failure."""

    text: str = ""
    failure: Failure | None = None
    remarks: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


async def written(study: Study, gathered: Gathered) -> Written:
    """Return the model's text over the ledger, empty where it gave none or there was nothing to write from or with."""
    alone = study.options.dialect is Dialect.TONGYI and not gathered.parts
    if alone and gathered.answer and not study.options.instructions:
        return Written(text=gathered.answer)
    forced = alone and bool(gathered.messages) and not gathered.answer
    if not forced and not study.ledger.excerpts:
        return Written()
    fence = Fence.drawn(study.branch.random)
    if gathered.plan:
        sectioned = await _sectioned(study, gathered, fence)
        if sectioned.text:
            return sectioned
    return await _in_one(study, gathered, None if forced else fence)


async def _in_one(study: Study, gathered: Gathered, fence: Fence | None) -> Written:
    """Let the model write in one call, with fewer excerpts where its server takes less than was said.

    Without a fence it is asked to answer now, in the conversation that it had.
    """
    done = Written()
    for part in WRITER_ROOM:
        messages = _forced(study, gathered) if fence is None else await _whole(study, gathered, fence, part=part)
        if not study.affordable(messages, max_tokens=study.options.max_tokens, price=study.options.price):
            done.remarks.append(phrase("no_room", study.question.language))
            break
        study.next_round()
        reply = await study.ask(messages, purpose=PURPOSE, reserve=False)
        done.text = said(reply.answer.text) if reply.answer is not None else ""
        done.failure = reply.failure
        if fence is None or reply.failure is None or reply.failure.code != ContextOverflow.code:
            break
    if study.interrupted:
        study.next_round()  # a person who cancelled is heard here
    return done


def _forced(study: Study, gathered: Gathered) -> Sequence[Message]:
    """Return the conversation with the wish for an answer now."""
    force = prompt("force").format(language=language_name(study.question.language))
    return context.joined((*gathered.messages, Message(role="user", content=with_wishes(force, study.options))))


async def _whole(study: Study, gathered: Gathered, fence: Fence, *, part: float) -> Sequence[Message]:
    """Return the prompt of one call over the ledger; of several researchers their conclusions stand beside it."""
    fused = bool(gathered.parts) and not gathered.plan
    wish = _wish(study, gathered, part=part)._replace(fence=fence, role="fuse" if fused else "writer")
    if fused:
        beside = conclusions(gathered.answers, limit=wish.budget_chars // 4)
        wish = wish._replace(beside=beside, budget_chars=max(1_000, wish.budget_chars - len(beside)))
    return await study.means.cpu.run(write.writer_messages, wish, study.ledger, size=_size(study))


def _wish(study: Study, gathered: Gathered, *, part: float) -> write.Wish:
    """Return what a writer is asked for, with as many excerpts as `part` of the window and the tokens left allow."""
    options = study.options
    room = int((options.window - options.max_tokens) * part)
    tokens = study.remaining().tokens
    if tokens is not None:
        room = min(room, tokens - options.max_tokens)
    sample = "".join(source.title for source in study.ledger.sources)[:2000] + study.question.text
    dense = context.tokens(sample) > len(sample) // 2
    room -= context.tokens(options.instructions or "")
    return write.Wish(
        question=study.question.text,
        language=study.question.language,
        length=options.length,
        budget_chars=int(max(1_000, room * 0.9) * (1.0 if dense else 3.0)),
        queries=gathered.plan,
        first=gathered.chosen,
        options=options,
    )


def _size(study: Study) -> int:
    return sum(excerpt.end - excerpt.start for excerpt in study.ledger.excerpts)


def said(text: str) -> str:
    """Return a writer's text without thoughts and tags; empty where it asks for tools instead of writing."""
    turn = parse_turn(text)
    return turn.text if isinstance(turn, Answer) else ""


# --- an outline and its sections -------------------------------------------------------------


async def _sectioned(study: Study, gathered: Gathered, fence: Fence) -> Written:
    """Return a report of sections, empty where there is no outline or no section."""
    wish = _wish(study, gathered, part=1.0)._replace(fence=fence)
    prompted = await study.means.cpu.run(outline_messages, wish, study.ledger, size=_size(study))
    read = partial(outline_from, ledger=study.ledger, most=MOST_SECTIONS[study.options.length])
    outline = await typed(study, prompted, purpose="outline", schema=OUTLINE_SCHEMA, read=read, reserve=False)
    if outline.value is None:
        return Written(failure=outline.failure)
    planned = outline.value
    parts = [
        part_of(study, f"write-{number}", budget=budget, ledger=study.ledger)
        for number, budget in enumerate(slices(study, len(planned), answers=1), 1)
    ]
    sections = await side_by_side(parts, lambda number, part: _section(part, planned, number, wish=wish))
    join(study, parts)
    texts = [f"## {plan.title}\n{one.text}" for plan, one in zip(planned, sections, strict=True) if one.text]
    if not texts:
        return Written(failure=next((one.failure for one in sections if one.failure is not None), None))
    body = "\n\n".join(texts)
    answer = await _answer(study, answer_messages(wish, body), planned)
    return Written(
        text=f"ANSWER: {answer.text}\n\n{body}\n",
        remarks=answer.remarks,
        gaps=[gap for one in sections for gap in one.gaps],
    )


async def _section(part: Study, planned: Sequence[PlannedSection], number: int, *, wish: write.Wish) -> Written:
    """Let one section be written from its own excerpts."""
    section = planned[number]
    shown = sum(part.ledger.length(label) for label in section.labels)
    messages = await part.means.cpu.run(section_messages, wish, planned, number, part.ledger, size=shown)
    text, failure = await _asked(part, messages)
    kept = write.only_labels(write.without_headings(text), frozenset(section.labels)).strip()
    if kept:
        return Written(text=kept)
    failure = failure or Failure(code=ModelBroken.code, message="it wrote nothing")
    told = phrase("section_open", part.question.language, title=section.title, reason=failure.message)
    return Written(failure=failure, gaps=[told])


async def _answer(study: Study, messages: Sequence[Message], planned: Sequence[PlannedSection]) -> Written:
    """Let the direct answer be written from the sections; it cites what these were given."""
    text, failure = await _asked(study, messages)
    given = frozenset(label for section in planned for label in section.labels)
    line = write.only_labels(write.first_paragraph(text), given)
    if line or failure is None:
        return Written(text=line)
    return Written(remarks=[phrase("answer_open", study.question.language, reason=failure.message)])


async def _asked(study: Study, messages: Sequence[Message]) -> tuple[str, Failure | None]:
    """Ask once, and once more after a failure that may pass; return the text, or why there is none."""
    failure: Failure | None = Failure(code=ModelBroken.code, message="the budget leaves nothing for it")
    for _ in range(2):
        if not study.affordable(messages, max_tokens=study.options.max_tokens, price=study.options.price):
            break
        study.next_round()
        reply = await study.ask(messages, purpose=PURPOSE, reserve=False)
        if reply.answer is not None:
            return said(reply.answer.text), None
        failure = reply.failure
        if failure is None or not failure.retryable:
            break
    if study.interrupted:
        study.next_round()  # a person who cancelled is heard here
    return "", failure
