"""Shipped fakes: a scripted model server, a canned web, a hostile one, a clock, an event recorder, a network switch.

They are part of the product: what Leadline's own tests stand on is there for yours. Names are
loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from leadline.model.scripted import ScriptedModel as ScriptedModel
    from leadline.testing.clock import FakeClock as FakeClock
    from leadline.testing.embeddings import Embeddings as Embeddings
    from leadline.testing.network import NetworkForbidden as NetworkForbidden
    from leadline.testing.network import no_network as no_network
    from leadline.testing.observer import EventRecorder as EventRecorder
    from leadline.testing.overflows import OVERFLOWS as OVERFLOWS
    from leadline.testing.prefixes import Reuse as Reuse
    from leadline.testing.prefixes import prefix_reuse as prefix_reuse
    from leadline.testing.script import Asked as Asked
    from leadline.testing.script import Fault as Fault
    from leadline.testing.script import Reply as Reply
    from leadline.testing.script import Rule as Rule
    from leadline.testing.script import refusal as refusal
    from leadline.testing.search import CannedReader as CannedReader
    from leadline.testing.search import CannedSearch as CannedSearch
    from leadline.testing.search import fetched as fetched
    from leadline.testing.search import hit as hit
    from leadline.testing.server import ScriptedServer as ScriptedServer
    from leadline.testing.small_web import SmallWeb as SmallWeb
    from leadline.testing.web import HostileWeb as HostileWeb
    from leadline.testing.web import WebPage as WebPage

_HOMES: Final = MappingProxyType(
    {
        "Asked": "leadline.testing.script",
        "CannedReader": "leadline.testing.search",
        "CannedSearch": "leadline.testing.search",
        "Embeddings": "leadline.testing.embeddings",
        "EventRecorder": "leadline.testing.observer",
        "FakeClock": "leadline.testing.clock",
        "Fault": "leadline.testing.script",
        "HostileWeb": "leadline.testing.web",
        "NetworkForbidden": "leadline.testing.network",
        "OVERFLOWS": "leadline.testing.overflows",
        "Reply": "leadline.testing.script",
        "Reuse": "leadline.testing.prefixes",
        "Rule": "leadline.testing.script",
        "ScriptedModel": "leadline.model.scripted",
        "ScriptedServer": "leadline.testing.server",
        "SmallWeb": "leadline.testing.small_web",
        "WebPage": "leadline.testing.web",
        "fetched": "leadline.testing.search",
        "hit": "leadline.testing.search",
        "no_network": "leadline.testing.network",
        "prefix_reuse": "leadline.testing.prefixes",
        "refusal": "leadline.testing.script",
    }
)

__all__ = [
    "OVERFLOWS",
    "Asked",
    "CannedReader",
    "CannedSearch",
    "Embeddings",
    "EventRecorder",
    "FakeClock",
    "Fault",
    "HostileWeb",
    "NetworkForbidden",
    "Reply",
    "Reuse",
    "Rule",
    "ScriptedModel",
    "ScriptedServer",
    "SmallWeb",
    "WebPage",
    "fetched",
    "hit",
    "no_network",
    "prefix_reuse",
    "refusal",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 each name has its own type, declared above
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return list(__all__)
