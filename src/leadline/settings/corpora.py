"""Settings of the corpora that tenants keep at a service."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.settings.kinds import Size, Whole, setting


@dataclass(frozen=True, kw_only=True, slots=True)
class CorporaSettings:
    """Corpora of the service. How large one document may be is `extract.max_bytes`."""

    sets: int = setting(200, Whole(1, 100_000), "Corpora that a tenant may have.")
    documents: int = setting(10_000, Whole(1, 10_000_000), "Documents that a tenant may keep, in all its corpora.")
    bytes: int = setting(10 << 30, Size(1), "Bytes that a tenant's documents may have together.")
    uploads: int = setting(4, Whole(1, 1_000), "Uploads that one process stores at a time; more wait.")
    readers: int = setting(
        2,
        Whole(0, 64),
        "Documents that one process of the service, or one worker, reads at a time; 0: only what its runs need.",
    )
    index_bytes: int = setting(
        20 << 30, Size(1), "Bytes of indexes that a machine keeps; what was not used for longest is made anew."
    )
