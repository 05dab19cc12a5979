"""Settings -> a running platform. The only importer of adapters.

`platform` builds everything on one exit stack, entered in order and left in reverse, also after a
failed start. What the settings do not choose is not imported.
"""

from leadline.search.corpus_types import IndexProgress, IndexReport
from leadline.wiring.corpora import Corpora
from leadline.wiring.models import Models
from leadline.wiring.platform import Platform, data_folder, platform

__all__ = ["Corpora", "IndexProgress", "IndexReport", "Models", "Platform", "data_folder", "platform"]
