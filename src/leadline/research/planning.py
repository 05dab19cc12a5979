"""Plans: what a model, or a person, means to find out; read from untrusted text and bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from leadline.domain import Json, Message, Plan, Step
from leadline.errors import InputError
from leadline.events import PlanMade, RunWaiting
from leadline.research.phrases import language_name, phrase
from leadline.research.prompts import prompt
from leadline.research.study import Cancelled, Study
from leadline.research.typed import Typed, typed
from leadline.research.wishes import with_wishes
from leadline.text.clean import neutralise, squeeze

MOST_STEPS: Final = 8
"""Sub-questions of a plan."""

LONGEST_STEP: Final = 400
"""Characters of a sub-question."""

LONGEST_ANSWER: Final = 4_000
"""Characters of a person's answer to a question."""

PLAN: Final = "plan"
QUESTION: Final = "question"

PLAN_SCHEMA: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_STEPS}},
    "required": ["steps"],
    "additionalProperties": False,
}
CLARIFY_SCHEMA: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {"question": {"type": "string"}},
    "required": ["question"],
    "additionalProperties": False,
}


async def planned(study: Study, role: str, *, most: int) -> Typed[Plan]:
    """Ask for a plan of at most `most` steps; `role` names the prompt."""
    day = datetime.fromtimestamp(study.began_at, UTC).strftime("%Y-%m-%d")
    rules = prompt(role).format(date=day, most=most, language=language_name(study.question.language))
    messages = (
        Message(role="system", content=with_wishes(rules, study.options)),
        Message(role="user", content=study.question.text),
    )
    return await typed(study, messages, purpose="plan", schema=PLAN_SCHEMA, read=lambda value: plan_from(value, most))


def plan_from(value: Json, most: int) -> Plan:
    """Return the plan that JSON describes: an object with a list, or the list itself, of texts or objects with one.

    Raises `ValueError` where nothing can be made of it.
    """
    if isinstance(value, dict):
        value = next((item for item in value.values() if isinstance(item, list)), None)
    if not isinstance(value, list):
        raise ValueError("there is no list of sub-questions under `steps`")  # noqa: TRY004 the model's text is at fault
    texts = [text for item in value if (text := _text_of(item))]
    return plan_of(texts, most)


def plan_of(texts: Sequence[str], most: int = MOST_STEPS) -> Plan:
    """Return a plan of these sub-questions, each once and of bounded length. Raises `ValueError` where none is left."""
    steps: dict[str, str] = {}
    for text in texts:
        cleaned = squeeze(neutralise(text), limit=LONGEST_STEP).strip()
        if cleaned:
            steps.setdefault(cleaned.casefold(), cleaned)
    if not steps:
        raise ValueError("the list of sub-questions is empty")
    return Plan(steps=tuple(Step(text=text) for text in list(steps.values())[:most]))


def _text_of(item: Json) -> str:
    if isinstance(item, dict):
        item = next((part for part in item.values() if isinstance(part, str)), "")
    return item if isinstance(item, str) else ""


def approved(study: Study, plan: Plan) -> Plan:
    """Write the plan down; where a person is to approve it, return what that one made of it.

    Raises `Waits` until there is an answer, and `Cancelled` for a plan that was rejected.
    """
    study.branch.note(PlanMade(plan=plan))
    if not study.options.approve:
        return plan
    texts = [step.text for step in plan.steps]
    waiting = RunWaiting(
        reason=phrase("approve", study.question.language), asks={"for": PLAN, "plan": list[Json](texts)}
    )
    decided = decision(study.recorder.replied(waiting), plan)
    if decided is None:
        raise Cancelled
    if decided != plan:
        study.branch.note(PlanMade(plan=decided))
    return decided


def decision(reply: Mapping[str, Json], plan: Plan) -> Plan | None:
    """Return the plan that a person's reply stands for, `None` where it is rejected or says nothing."""
    edited = reply.get("plan")
    if isinstance(edited, list):
        try:
            return plan_from(edited, MOST_STEPS)
        except ValueError:
            return None
    return plan if reply.get("approve") is True else None


def checked_reply(reply: Mapping[str, Json], asks: Mapping[str, Json]) -> dict[str, Json]:
    """Return a person's reply as the journal takes it. Raises `InputError` where it answers something else."""
    if asks.get("for") == QUESTION:
        answer = reply.get("answer")
        if not isinstance(answer, str) or len(answer) > LONGEST_ANSWER:
            raise InputError(f"the run asks a question: give `answer`, a text of at most {LONGEST_ANSWER:,} characters")
        return {"answer": answer.strip()}
    if reply.get("approve") is True or reply.get("reject") is True:
        return {"approve": True} if reply.get("approve") is True else {"reject": True}
    edited = reply.get("plan")
    if not isinstance(edited, list) or not all(isinstance(step, str) for step in edited):
        raise InputError("the run asks about its plan: give `approve`, `reject`, or `plan`, a list of sub-questions")
    if len(edited) > MOST_STEPS or any(len(step) > LONGEST_STEP for step in edited):
        raise InputError(f"a plan has at most {MOST_STEPS} sub-questions of at most {LONGEST_STEP} characters each")
    try:
        return {"plan": [step.text for step in plan_of(edited).steps]}
    except ValueError as error:
        raise InputError(f"this is no plan: {error}") from error


async def clarified(study: Study) -> str:
    """Return the question, with what a person answered where the model had to ask one back.

    Raises `Waits` until there is an answer. A model that fails, or asks nothing, changes nothing.
    """
    question = study.question.text
    rules = prompt("clarify").format(language=language_name(study.question.language))
    messages = (
        Message(role="system", content=with_wishes(rules, study.options)),
        Message(role="user", content=question),
    )
    found = await typed(study, messages, purpose="clarify", schema=CLARIFY_SCHEMA, read=_asked_back)
    if not found.value:
        return question
    reply = study.recorder.replied(RunWaiting(reason=found.value, asks={"for": QUESTION, "question": found.value}))
    answer = reply.get("answer")
    answer = squeeze(neutralise(answer), limit=LONGEST_ANSWER).strip() if isinstance(answer, str) else ""
    return f"{question}\n\n{found.value}\n{answer}" if answer else question


def _asked_back(value: Json) -> str:
    asked = value.get("question") if isinstance(value, dict) else None
    if asked is not None and not isinstance(asked, str):
        raise ValueError("`question` must be a string, empty where nothing needs to be asked")
    return squeeze(neutralise(asked or ""), limit=LONGEST_STEP).strip()
