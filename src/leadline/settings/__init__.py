"""Settings: the only part of Leadline that reads the environment and settings files.

`load` gives flag before environment (`LEADLINE_...`) before file before default, checked, as
frozen `Settings`; `describe` prints them with secrets masked. A file in the working folder counts
only where it is named: a cloned repository must not be able to set an address or a command.
"""

from leadline.settings.kinds import Secret
from leadline.settings.load import default_config_path, load
from leadline.settings.prices import ModelPrice, Prices, load_prices
from leadline.settings.registry import Item, Row, describe, items
from leadline.settings.save import save_table
from leadline.settings.sections import (
    BudgetSettings,
    CpuSettings,
    EmbedSettings,
    ExtractSettings,
    JudgeSettings,
    ModelSettings,
    RetentionSettings,
    Settings,
    TaskSettings,
    VisitSettings,
    WorkerSettings,
)
from leadline.settings.web import FetchSettings, HostHeaders, ProviderSettings, SearchSettings

__all__ = [
    "BudgetSettings",
    "CpuSettings",
    "EmbedSettings",
    "ExtractSettings",
    "FetchSettings",
    "HostHeaders",
    "Item",
    "JudgeSettings",
    "ModelPrice",
    "ModelSettings",
    "Prices",
    "ProviderSettings",
    "RetentionSettings",
    "Row",
    "SearchSettings",
    "Secret",
    "Settings",
    "TaskSettings",
    "VisitSettings",
    "WorkerSettings",
    "default_config_path",
    "describe",
    "items",
    "load",
    "load_prices",
    "save_table",
]
