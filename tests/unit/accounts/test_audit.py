"""Whatever is done to a chain of entries, the chain shows the first place."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from leadline.accounts.audit import START, broken_at, hash_of
from leadline.ports.accounts import AuditEntry, Deed, Outcome

words = st.text(alphabet="abc:/ü", max_size=4)
deeds = st.builds(
    Deed,
    tenant=words,
    actor=words,
    action=words,
    kind=words,
    object=words,
    source=words,
    outcome=st.sampled_from(Outcome),
)
chains = st.lists(deeds, min_size=1, max_size=6)


def chained(found: list[Deed]) -> list[AuditEntry]:
    entries, previous = [], START
    for seq, deed in enumerate(found, 1):
        made = hash_of(seq=seq, at=seq * 1.5, deed=deed, previous=previous)
        entries.append(AuditEntry(seq=seq, at=seq * 1.5, deed=deed, previous=previous, hash=made))
        previous = made
    return entries


@given(found=chains)
def test_an_untouched_chain_stands(found: list[Deed]) -> None:
    assert broken_at(chained(found), seq=0, previous=START) is None


@given(found=chains, data=st.data(), field=st.sampled_from(["tenant", "actor", "action", "kind", "object", "source"]))
def test_a_changed_field_shows_where_it_is(found: list[Deed], data: st.DataObject, field: str) -> None:
    entries = chained(found)
    place = data.draw(st.integers(0, len(entries) - 1))
    deed = entries[place].deed
    changed = replace(deed, **{field: f"{getattr(deed, field)}x"})  # type: ignore[arg-type]  # fields by name
    entries[place] = replace(entries[place], deed=changed)
    assert broken_at(entries, seq=0, previous=START) == (place + 1, "it was changed")


@given(found=chains, data=st.data())
def test_a_change_with_a_new_hash_shows_at_the_next(found: list[Deed], data: st.DataObject) -> None:
    """Who computes the hash anew has to do so for all that follows; the last hash, kept elsewhere, shows that."""
    entries = chained([*found, found[0]])
    place = data.draw(st.integers(0, len(entries) - 2))
    entry = entries[place]
    deed = replace(entry.deed, actor=f"{entry.deed.actor}x")
    made = hash_of(seq=entry.seq, at=entry.at, deed=deed, previous=entry.previous)
    entries[place] = replace(entry, deed=deed, hash=made)
    assert broken_at(entries, seq=0, previous=START) == (place + 2, "it does not follow the entry before it")


@given(found=chains, data=st.data())
def test_a_missing_entry_shows(found: list[Deed], data: st.DataObject) -> None:
    entries = chained([*found, found[0]])
    place = data.draw(st.integers(0, len(entries) - 2))
    del entries[place]
    assert broken_at(entries, seq=0, previous=START) == (place + 1, "the entry is missing")


@given(one=words, other=words)
def test_fields_cannot_borrow_from_each_other(one: str, other: str) -> None:
    deed = Deed(tenant=one, actor=other, action="", kind="", object="", source="", outcome=Outcome.DONE)
    moved = replace(deed, tenant=one + other, actor="")
    if moved != deed:
        assert hash_of(seq=1, at=0.0, deed=deed, previous=START) != hash_of(seq=1, at=0.0, deed=moved, previous=START)
