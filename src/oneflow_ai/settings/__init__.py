"""The configuration: TOML and environment become one frozen `Settings`, checked whole, each value with its source."""

from oneflow_ai.settings.check import check
from oneflow_ai.settings.credentials import credentials, resolve, resolve_headers
from oneflow_ai.settings.effective import (
    at_own_address,
    configured_providers,
    configured_routes,
    database_path,
    demo,
)
from oneflow_ai.settings.load import Vault, home_of, load
from oneflow_ai.settings.loaded import DEFAULT_KINDS, Kind, Loaded, OwnPlace
from oneflow_ai.settings.mistakes import Mistake, SettingsError
from oneflow_ai.settings.rules import is_loopback, is_reference
from oneflow_ai.settings.show import Row, json_schema, show
from oneflow_ai.settings.tables import (
    DatabaseSettings,
    HistorySettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    ProviderSettings,
    RetrySettings,
    RouteSettings,
    ServerSettings,
    Settings,
    StateSettings,
    TargetSettings,
)

__all__ = [
    "DEFAULT_KINDS",
    "DatabaseSettings",
    "HistorySettings",
    "Kind",
    "LimitSettings",
    "Loaded",
    "LogSettings",
    "MetricsSettings",
    "Mistake",
    "ModelSettings",
    "OwnPlace",
    "ProviderSettings",
    "RetrySettings",
    "RouteSettings",
    "Row",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "StateSettings",
    "TargetSettings",
    "Vault",
    "at_own_address",
    "check",
    "configured_providers",
    "configured_routes",
    "credentials",
    "database_path",
    "demo",
    "home_of",
    "is_loopback",
    "is_reference",
    "json_schema",
    "load",
    "resolve",
    "resolve_headers",
    "show",
]
