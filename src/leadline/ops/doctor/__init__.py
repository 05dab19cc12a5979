"""`leadline doctor`: what works, what does not, why, and what to do next.

One file a part of the platform, one table (`table`) of all checks; `examine` runs them side by side,
each within its own time, and none can hold up or take down another. A check asks the real thing:
it writes and reads, has a model answer, runs a program. What costs money is asked for only with `paid`.
"""

from leadline.ops.doctor.diagnosis import Diagnosis, examine, read_diagnosis
from leadline.ops.doctor.finding import Finding, Status
from leadline.ops.doctor.look import PAGE, Look, asks_for_web
from leadline.ops.doctor.shown import shown_text
from leadline.ops.doctor.table import CHECKS

__all__ = [
    "CHECKS",
    "PAGE",
    "Diagnosis",
    "Finding",
    "Look",
    "Status",
    "asks_for_web",
    "examine",
    "read_diagnosis",
    "shown_text",
]
