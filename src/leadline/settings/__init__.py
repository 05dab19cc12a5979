"""Settings: the only part of Leadline that reads the environment and settings files.

`load` gives flag before environment (`LEADLINE_...`) before file before default, checked, as
frozen `Settings`; `describe` prints them with secrets masked. A file in the working folder counts
only where it is named: a cloned repository must not be able to set an address or a command.
"""

from leadline.settings.accounts import AdmissionSettings, AuthSettings, SecretsSettings
from leadline.settings.backup import BackupSettings
from leadline.settings.cache import CachingSettings, OutgoingSettings
from leadline.settings.corpora import CorporaSettings
from leadline.settings.eventlog import EventsSettings, LogPlace
from leadline.settings.kinds import Secret
from leadline.settings.load import default_config_path, load
from leadline.settings.mcp import McpServer, McpSettings
from leadline.settings.models import ANTHROPIC_URL, GatewaySettings, JudgeSettings, ModelSettings, VllmSettings
from leadline.settings.preflight import PreflightSettings
from leadline.settings.prices import ModelPrice, Prices, load_prices
from leadline.settings.process import process_environment
from leadline.settings.programs import PythonSettings
from leadline.settings.registry import Item, Row, describe, items, secrets_of
from leadline.settings.rerank import RerankSettings
from leadline.settings.s3 import S3Settings
from leadline.settings.save import save_table
from leadline.settings.scholar import ScholarSettings
from leadline.settings.sections import (
    BudgetSettings,
    CpuSettings,
    EmbedSettings,
    ExtractSettings,
    RetentionSettings,
    Settings,
    VisitSettings,
)
from leadline.settings.server import ServerSettings
from leadline.settings.service import ServiceSettings
from leadline.settings.tasks import TaskSettings, WorkerSettings
from leadline.settings.telemetry import LogSettings, MetricsSettings, TraceSettings
from leadline.settings.tenants import Tenant, load_tenants
from leadline.settings.tools import LOCAL, SummarizerSettings, ToolsSettings
from leadline.settings.web import FetchSettings, HostHeaders, ProviderSettings, SearchSettings

__all__ = [
    "ANTHROPIC_URL",
    "LOCAL",
    "AdmissionSettings",
    "AuthSettings",
    "BackupSettings",
    "BudgetSettings",
    "CachingSettings",
    "CorporaSettings",
    "CpuSettings",
    "EmbedSettings",
    "EventsSettings",
    "ExtractSettings",
    "FetchSettings",
    "GatewaySettings",
    "HostHeaders",
    "Item",
    "JudgeSettings",
    "LogPlace",
    "LogSettings",
    "McpServer",
    "McpSettings",
    "MetricsSettings",
    "ModelPrice",
    "ModelSettings",
    "OutgoingSettings",
    "PreflightSettings",
    "Prices",
    "ProviderSettings",
    "PythonSettings",
    "RerankSettings",
    "RetentionSettings",
    "Row",
    "S3Settings",
    "ScholarSettings",
    "SearchSettings",
    "Secret",
    "SecretsSettings",
    "ServerSettings",
    "ServiceSettings",
    "Settings",
    "SummarizerSettings",
    "TaskSettings",
    "Tenant",
    "ToolsSettings",
    "TraceSettings",
    "VisitSettings",
    "VllmSettings",
    "WorkerSettings",
    "default_config_path",
    "describe",
    "items",
    "load",
    "load_prices",
    "load_tenants",
    "process_environment",
    "save_table",
    "secrets_of",
]
