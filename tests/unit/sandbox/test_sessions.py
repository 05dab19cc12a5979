"""Idle interpreters: how many there are, whose gives way, and that none is lost sight of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.sandbox.sessions import Sessions


def used(sessions: Sessions[str], name: str) -> list[str]:
    """Run one program of a session; return which processes are ended for it."""
    session = sessions.enter(name)
    session.child = session.child or f"child of {name}"
    return list(sessions.leave(name, session))


def test_the_longest_unused_gives_way() -> None:
    sessions = Sessions[str](2)
    assert [used(sessions, name) for name in ("a/1", "b/1", "a/1")] == [[], [], []]
    assert used(sessions, "c/1") == ["child of b/1"]


def test_a_tenant_with_many_sessions_displaces_its_own() -> None:
    sessions = Sessions[str](4)
    assert used(sessions, "quiet/1") == []
    ended = [child for number in range(20) for child in used(sessions, f"loud/{number}")]
    assert ended == [f"child of loud/{number}" for number in range(17)]
    assert sessions.enter("quiet/1").child == "child of quiet/1"


def test_who_works_much_at_once_displaces_nobody() -> None:
    sessions = Sessions[str](2)
    used(sessions, "quiet/1")
    busy = [(f"loud/{number}", sessions.enter(f"loud/{number}")) for number in range(5)]
    for name, session in busy:
        session.child = name
    ended = [child for name, session in busy for child in sessions.leave(name, session)]
    assert ended == ["loud/0", "loud/1", "loud/2", "loud/3"]
    assert sessions.enter("quiet/1").child == "child of quiet/1"


def test_a_session_that_was_forgotten_while_in_use_leaves_no_process_behind() -> None:
    sessions = Sessions[str]()
    first, second = sessions.enter("a/1"), sessions.enter("a/1")
    assert sessions.forget("a/1") is None
    first.child = "late"
    assert (list(sessions.leave("a/1", first)), list(sessions.leave("a/1", second))) == ([], ["late"])


def test_a_session_without_a_process_is_not_kept() -> None:
    sessions = Sessions[str](1)
    used(sessions, "a/1")
    assert list(sessions.leave("b/1", sessions.enter("b/1"))) == []
    assert sessions.enter("a/1").child == "child of a/1"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=60))
def test_every_process_is_idle_once_or_ended_once(asked: list[tuple[str, int]]) -> None:
    sessions, alive = Sessions[str](3), set[str]()
    for count, (tenant, run) in enumerate(asked):
        session = sessions.enter(f"{tenant}/{run}")
        session.child = session.child or str(count)
        alive.add(session.child)
        for child in sessions.leave(f"{tenant}/{run}", session):
            alive.remove(child)
        assert len(alive) <= 3
        assert session.child in alive
