"""`/v1/chat/completions` and `/v1/models`: research as a model, for clients of OpenAI's API.

A client that goes away before the answer cancels its run: as with any model, what nobody reads is
not generated. Who wants to come back starts runs with `POST /v1/research`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Header, Path, Request
from fastapi.responses import JSONResponse, Response

from leadline.domain import Origin
from leadline.errors import LeadlineError, UnknownObject
from leadline.ports.access import Action
from leadline.service import chat
from leadline.service.answers import Problem
from leadline.service.chat_answer import NO_RETRY, RUN, Answering, ChatStream
from leadline.service.deps import CallerDep, ServicesDep
from leadline.service.lasting import Lasting
from leadline.service.leaving import ClientGone, while_there
from leadline.service.problems import openai_error, told
from leadline.service.routing import Routes, name_object
from leadline.service.tracing import request_id

LONGEST: Final = 6 * 3_600.0
"""Seconds for which an answer is waited for: a run's own budget ends it far earlier."""


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1", tag="openai")
    completion = {"schema": {"type": "object", "required": ["id", "object", "choices"]}}
    stream = {"schema": {"type": "string", "description": "`data:` lines, the last of them `[DONE]`."}}
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "The report.", "content": {"application/json": completion, "text/event-stream": stream}},
        499: {"description": "The client has gone; its run is cancelled."},
    }
    made.add(
        "POST",
        "/chat/completions",
        complete,
        action=Action.RUNS_START,
        answers=answers,
        errors=(404, 409, 502, 504),
        counts=False,
    )
    listed = {"application/json": {"schema": {"type": "object", "required": ["object", "data"]}}}
    made.add(
        "GET", "/models", models, action=Action.RUNS_READ, answers={200: {"description": "Models.", "content": listed}}
    )
    one = {"application/json": {"schema": {"type": "object", "required": ["id", "object"]}}}
    made.add(
        "GET",
        "/models/{model}",
        model_of,
        action=Action.RUNS_READ,
        answers={200: {"description": "A model.", "content": one}},
    )
    return made


async def complete(  # noqa: PLR0917 FastAPI calls it by name
    taken: chat.ChatTaken,
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    idempotency_key: Annotated[
        str | None,
        Header(pattern=r"^[!-~]{1,200}$", description="The same request with the same key makes no second run."),
    ] = None,
) -> Response:
    """Research the last message's question and answer with the report.

    What the run does is streamed as `reasoning_content`, the report with numbered citations and their
    sources as `content`. When the client closes the connection, the run is cancelled.
    """
    origin = Origin(method="openai", request=request_id(request.scope))
    asked = await services.asking.start(chat.research_of(taken), caller, origin=origin, repeat=idempotency_key)
    run = asked.run
    name_object(request, run.id)
    if asked.new:
        request.state.counted = True
    else:
        await services.door.let_in(request.scope, caller)
    lasting = Lasting(services.door, request.scope, seconds=services.settings.service.heartbeat_seconds)
    answering = Answering(services, run, taken, check=lasting.check)
    if taken.stream:
        return ChatStream(answering, run_id=run.id)
    try:
        body = await while_there(request.receive, answering.whole(), seconds=LONGEST)
    except ClientGone:
        await answering.cancel()
        return Response(status_code=499)
    except LeadlineError as error:
        return Problem(told(error, request.scope), headers={RUN: run.id, **NO_RETRY}).besides(openai_error)
    return JSONResponse(body, headers={RUN: run.id})


async def models(services: ServicesDep) -> Response:
    """List the models: `leadline`, which chooses a strategy, and one for each strategy that works here."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in _working(services.settings.model.urls)]})


async def model_of(model: Annotated[str, Path(min_length=1, max_length=100)], services: ServicesDep) -> Response:
    """Look at a model."""
    if model not in _working(services.settings.model.urls):
        raise UnknownObject(f"no such model: {model[:60]!r}")
    return JSONResponse(_model(model))


def _working(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models that work here: without a model server, those that need none."""
    return chat.names() if urls else (chat.OWNER, f"{chat.OWNER}-extractive")


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": chat.OWNER}
