"""Every seam of Leadline: what the engine needs from the outside, as small protocols.

A port exists where two real adapters do, or where two parts that may not see each other meet.
One contract suite a port runs over all its adapters (tests/contract). `wiring` chooses them.

    RunStore      runs and their journal: the truth             tasks/
    RunFigures    ... and how many wait, run and have ended      tasks/
    Blobs         bodies by hash                                blobs/
    EventFeed     ... journals as the outbox of an event log    tasks/
    EventSink     a log that others read                        eventlog/
    Model         one conversation turn with a model            model/
    Embedder      texts -> vectors                              model/
    Ranker        a query, texts -> how well each fits          model/
    Tool, Tools   what a model may call                         tools/
    Search        queries -> hits                               search/
    Documents     names -> addresses                            search/corpus
    Reader        an address -> stored text                     search/corpus, fetch/
    Pages         ... that can ask whether a page has changed    fetch/, cache/
    Sandbox       runs Python programs of a model                sandbox/
    Summarizer    a long text in few words, for a goal           tools/
    Cpu           pure work off the event loop                  resilience
    Wake          wakes a worker's idle slots                    tasks/
    Clock         wall time, waiting                            resilience, testing
    Observer      reads what happened                           telemetry/, cli
    Signals       hears what happens beside runs                telemetry/

What a service of several tenants stands on is in modules of its own: `access` (roles and who a
caller is), `accounts` (tenants, keys, audit log, secrets), `holdings` (repeats, links, schedules,
webhooks, corpora) and `admission` (what is let in); accounts/ and limits/inbound keep them.

Errors are those of `errors`: adapters translate foreign ones once, keep the cause, and let
cancellation through.
"""

from __future__ import annotations

from leadline.ports.bodies import Blobs, Bodies, Inventory, Links, TextReader
from leadline.ports.eventlog import LAG_ROWS, EventFeed, EventSink, Fed, Lag, Message, Store, Turn
from leadline.ports.models import Embedder, Model, Ranker
from leadline.ports.programs import KilledBy, OutFile, Part, Program, Ran, Sandbox
from leadline.ports.runs import FLAGS, MOST_PRIORITY, QUEUE, Beat, Cursor, Depth, NewRun, Run, RunFigures, RunStore
from leadline.ports.search import Documents, Found, PageRead, Pages, Query, Reader, Search, Unanswered
from leadline.ports.signals import Quiet, Signals
from leadline.ports.summaries import NoSummary, Said, Summarizer
from leadline.ports.tools import CallContext, Tool, Tools
from leadline.ports.watching import Observer
from leadline.ports.work import MANY, Clock, Cpu, Wake

__all__ = [
    "FLAGS",
    "LAG_ROWS",
    "MANY",
    "MOST_PRIORITY",
    "QUEUE",
    "Beat",
    "Blobs",
    "Bodies",
    "CallContext",
    "Clock",
    "Cpu",
    "Cursor",
    "Depth",
    "Documents",
    "Embedder",
    "EventFeed",
    "EventSink",
    "Fed",
    "Found",
    "Inventory",
    "KilledBy",
    "Lag",
    "Links",
    "Message",
    "Model",
    "NewRun",
    "NoSummary",
    "Observer",
    "OutFile",
    "PageRead",
    "Pages",
    "Part",
    "Program",
    "Query",
    "Quiet",
    "Ran",
    "Ranker",
    "Reader",
    "Run",
    "RunFigures",
    "RunStore",
    "Said",
    "Sandbox",
    "Search",
    "Signals",
    "Store",
    "Summarizer",
    "TextReader",
    "Tool",
    "Tools",
    "Turn",
    "Unanswered",
    "Wake",
]
