"""Items of the list before production that are seen from inside."""

from __future__ import annotations

from leadline.ops.doctor import Diagnosis
from leadline.ops.doctor.finding import off
from leadline.ops.doctor.look import Look
from leadline.ops.preflight.inside import model_health
from leadline.ops.preflight.item import Ground
from leadline.settings import load


async def test_what_sets_a_model_is_named_where_none_is_set() -> None:
    settings = load(environ={})
    diagnosis = Diagnosis(at="", findings={"model_service": off("no model")})
    standing = await model_health(Ground(look=Look(settings=settings), diagnosis=diagnosis, answers={}))
    assert standing.next == "leadline init"
