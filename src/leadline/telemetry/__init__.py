"""What a process tells of itself: metrics, log lines, traces. Readers of runs' events and of signals.

In order of reading:

- ``follow``: `Broadcast`, the one observer; it follows the runs that this process holds and tells readers.
- ``families``: every metric, its labels and what they may hold; ``instruments`` makes and bounds them.
- ``metrics``: events and signals -> counts; ``quality``: what a tool's answer says of the research.
- ``exposition``: what `/metrics` answers, over one process or several.
- ``lines``: events and signals -> log lines; ``logs``: how lines are shaped and where they go;
  ``redaction``: what never stands in one.
- ``traces``: events and requests -> spans.
"""
