"""Prompts of writers that work on one report together: its outline, a section, the direct answer. Pure.

A section's writer is shown the excerpts of its section and no others.
"""

from __future__ import annotations

from collections.abc import Sequence

from leadline.domain import Message
from leadline.research.evidence import Ledger
from leadline.research.outline import SECTION_LENGTHS, SECTIONS, PlannedSection
from leadline.research.phrases import language_name
from leadline.research.prompts import prompt
from leadline.research.wishes import with_wishes
from leadline.research.write import Wish, prompted
from leadline.text.clean import neutralise, squeeze


def outline_messages(wish: Wish, ledger: Ledger) -> tuple[Message, ...]:
    """Return the prompt of an outline: rules, question, sub-questions, and as many numbered excerpts as fit."""
    rules = prompt("outline").format(language=language_name(wish.language), sections=SECTIONS[wish.length])
    asked = "\n".join(f"- {query}" for query in wish.queries)
    return prompted(wish._replace(beside=f"It was researched as:\n{asked}" if asked else ""), rules, ledger)


def section_messages(wish: Wish, outline: Sequence[PlannedSection], number: int, ledger: Ledger) -> tuple[Message, ...]:  # noqa: PLR0917 work for `Cpu` takes its arguments by place
    """Return the prompt of section `number`: rules, question, the outline's titles, and its own excerpts."""
    section = outline[number]
    rules = prompt("section").format(language=language_name(wish.language), length=SECTION_LENGTHS[wish.length])
    named = [excerpt.id for excerpt in map(ledger.by_label, section.labels) if excerpt is not None]
    view = ledger.for_writer(wish.budget_chars, order=named)
    titles = "\n".join(f"- {one.title}" for one in outline)
    parts = [
        f"Question: {wish.question}",
        f"Sections of the report:\n{titles}",
        f"Your section: {section.title}\n{section.about}",
        wish.fence.notice,
        "Excerpts:",
        wish.fence.around(view.text),
    ]
    return (
        Message(role="system", content=with_wishes(rules, wish.options)),
        Message(role="user", content="\n\n".join(filter(None, parts))),
    )


def answer_messages(wish: Wish, body: str) -> tuple[Message, ...]:
    """Return the prompt of the direct answer above sections."""
    rules = prompt("answer").format(language=language_name(wish.language))
    shown = body[: wish.budget_chars]
    return (
        Message(role="system", content=with_wishes(rules, wish.options)),
        Message(role="user", content=f"Question: {wish.question}\n\nSections:\n\n{shown}"),
    )


def conclusions(answers: Sequence[str], *, limit: int) -> str:
    """Return what researchers concluded, as inert text of at most about `limit` characters together."""
    each = max(200, limit // max(1, len(answers)))
    told = [
        f"Researcher {number}: {squeeze(neutralise(answer), limit=each)}"
        for number, answer in enumerate(answers, 1)
        if answer.strip()
    ]
    return "\n".join(["What the researchers concluded (no evidence):", *told]) if told else ""
