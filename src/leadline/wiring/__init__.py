"""Settings -> a running platform. The only importer of adapters.

`platform` builds everything on one exit stack, entered in order and left in reverse, also after a
failed start. What the settings do not choose is not imported.
"""

from leadline.search.corpus_types import IndexProgress, IndexReport
from leadline.wiring.caching import CacheFigures, cache_figures, forget_answers, forget_matching
from leadline.wiring.corpora import Corpora
from leadline.wiring.folders import data_folder
from leadline.wiring.models import Models
from leadline.wiring.platform import Platform, platform
from leadline.wiring.programs import has_sandbox
from leadline.wiring.store import migrate_down, migrate_status, migrate_up
from leadline.wiring.telemetry import Telemetry, library_telemetry, telemetry

__all__ = [
    "CacheFigures",
    "Corpora",
    "IndexProgress",
    "IndexReport",
    "Models",
    "Platform",
    "Telemetry",
    "cache_figures",
    "data_folder",
    "forget_answers",
    "forget_matching",
    "has_sandbox",
    "library_telemetry",
    "migrate_down",
    "migrate_status",
    "migrate_up",
    "platform",
    "telemetry",
]
