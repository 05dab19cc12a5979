"""Every seam of Leadline: what the engine needs from the outside, as small protocols.

A port exists where two real adapters do, or where two parts that may not see each other meet.
One contract suite a port runs over all its adapters (tests/contract). `wiring` chooses them.

    RunStore      runs and their journal: the truth             tasks/
    Blobs         bodies by hash                                blobs/
    Model         one conversation turn with a model            model/
    Embedder      texts -> vectors                              model/
    Tool, Tools   what a model may call                         tools/
    Search        queries -> hits                               search/
    Reader        an address -> stored text                     search/corpus, fetch/
    Sandbox       runs Python programs of a model                sandbox/
    Cpu           pure work off the event loop                  resilience
    Clock         wall time, waiting                            resilience, testing
    Observer      reads what happened                           telemetry/, cli

Errors are those of `errors`: adapters translate foreign ones once, keep the cause, and let
cancellation through.
"""

from __future__ import annotations

from leadline.ports.bodies import Blobs, TextReader
from leadline.ports.models import Embedder, Model
from leadline.ports.programs import KilledBy, OutFile, Part, Program, Ran, Sandbox
from leadline.ports.runs import Beat, NewRun, Run, RunStore
from leadline.ports.search import Found, Query, Reader, Search
from leadline.ports.tools import CallContext, Tool, Tools
from leadline.ports.watching import Observer
from leadline.ports.work import Clock, Cpu

__all__ = [
    "Beat",
    "Blobs",
    "CallContext",
    "Clock",
    "Cpu",
    "Embedder",
    "Found",
    "KilledBy",
    "Model",
    "NewRun",
    "Observer",
    "OutFile",
    "Part",
    "Program",
    "Query",
    "Ran",
    "Reader",
    "Run",
    "RunStore",
    "Sandbox",
    "Search",
    "TextReader",
    "Tool",
    "Tools",
]
