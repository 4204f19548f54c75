"""The words of `oneflow.toml`: one frozen model for each table, with the default and the bounds of every setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from oneflow_ai.core.call import Task
from oneflow_ai.settings import rules

HOSTS_MOST = 256
KEYS_MOST = 64
MODELS_MOST = 10_000
TARGETS_MOST = 32
COUNT_MOST = 1_000_000_000
SECONDS_MOST = 86_400.0
USD_MOST = 1_000_000_000.0
BODY_BYTES_LEAST = 1024
BODY_BYTES_MOST = 1 << 30
UPLOAD_BYTES_MOST = 1 << 34

Reference = Annotated[str, AfterValidator(rules.reference), Field(json_schema_extra={"pattern": "^(env|file|vault):"})]
OutsideReference = Annotated[
    str, AfterValidator(rules.outside_reference), Field(json_schema_extra={"pattern": "^(env|file):"})
]
Address = Annotated[str, AfterValidator(rules.http_url)]
Proxy = Annotated[str, AfterValidator(rules.proxy)]
FilePath = Annotated[str, AfterValidator(rules.path)]
Word = Annotated[str, AfterValidator(rules.printable)]
Region = Annotated[str, AfterValidator(rules.region)]
Host = Annotated[str, AfterValidator(rules.host)]
Headers = Annotated[Mapping[str, str], AfterValidator(rules.headers)]
Voices = Annotated[Mapping[str, Word], AfterValidator(rules.voices)]
Processes = Annotated[int, Field(ge=1), AfterValidator(rules.processes), Field(json_schema_extra={"maximum": 1})]
Seconds = Annotated[float, Field(gt=0, le=SECONDS_MOST)]
Usd = Annotated[float, Field(ge=0, le=USD_MOST), AfterValidator(rules.usd)]
Count = Annotated[int, Field(ge=0, le=COUNT_MOST)]


class Table(BaseModel):
    """What all tables share: frozen, nothing unknown, no conversions, no value in an error's text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True, defer_build=True
    )


class ServerSettings(Table):
    """Where the gateway listens, who may call it, and how much it takes at once."""

    host: Host = Field("127.0.0.1", description="Address or host name to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 takes any free one.")
    workers: Processes = Field(1, description="Worker processes; this version runs one.")
    auth: Literal["keys", "none"] = Field(
        "keys", description="Who may call: holders of an API key, or everyone (on a loopback address only)."
    )
    hosts: tuple[Host, ...] = Field(
        (), strict=False, max_length=HOSTS_MOST, description="Further names that a Host header may carry on loopback."
    )
    secret: OutsideReference = Field(
        "file:secret.key", description="The server's own secret, at least 32 bytes of text; made at the first start."
    )
    engine: Literal["uvicorn", "granian"] = Field(
        "uvicorn", description="The HTTP server underneath; granian is installed by oneflow-ai[granian]."
    )
    body_bytes_most: int = Field(
        64 * 1024 * 1024, ge=BODY_BYTES_LEAST, le=BODY_BYTES_MOST, description="Largest request body, in bytes."
    )
    upload_bytes_most: int = Field(
        512 * 1024 * 1024,
        ge=BODY_BYTES_LEAST,
        le=UPLOAD_BYTES_MOST,
        description="Largest form with files, in bytes; they wait on the disk, under $ONEFLOW_HOME.",
    )
    head_seconds: Seconds = Field(10.0, description="Time for a client to send a request's head.")
    body_idle_seconds: Seconds = Field(10.0, description="Longest pause inside a request's body.")
    write_seconds: Seconds = Field(30.0, description="Longest time a client may leave an answer unread.")
    drain_seconds: float = Field(
        120.0, ge=0, le=SECONDS_MOST, description="Time that calls in flight get to end when the server stops."
    )
    calls_most: int = Field(1000, ge=1, le=1_000_000, description="Calls in flight; beyond it the answer is 503.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")


class DatabaseSettings(Table):
    """Where history and API keys are kept."""

    url: Annotated[str, AfterValidator(rules.database_url)] = Field(
        "sqlite:///oneflow.db", description="SQLite file; a relative path lies under $ONEFLOW_HOME."
    )


class StateSettings(Table):
    """Where limits shared by several processes are kept."""

    url: Annotated[str, AfterValidator(rules.state_url)] = Field(
        "", description="Empty, the only value in this version: this process."
    )


class ProviderSettings(Table):
    """One provider, or one account at it; the table's name is the first part of its model ids."""

    kind: str = Field("", description="The sort of provider; the table's name when left out.")
    base_url: Address | None = Field(None, description="Address of its API; the kind's own when left out.")
    api_key: Reference | None = Field(None, description="Its key, by reference.")
    api_keys: tuple[Reference, ...] = Field(
        (), strict=False, max_length=KEYS_MOST, description="Several keys, by reference; each has limits of its own."
    )
    requests_per_minute: Count | None = Field(
        None,
        description="Ceiling for each key; 0: none; left out: a starting value that the provider's headers correct.",
    )
    tokens_per_minute: Count | None = Field(None, description="Ceiling for each key, as above.")
    concurrency: Count | None = Field(None, description="Ceiling of calls in flight for each key, as above.")
    timeout_seconds: Seconds = Field(600.0, description="Longest time of one attempt, the whole answer included.")
    connect_seconds: Seconds = Field(2.0, description="Longest time to connect.")
    first_event_seconds: Seconds | None = Field(
        None,
        description="Longest time to the answer's first content; left out: 60, or 120 for a model that reasons first.",
    )
    idle_seconds: Seconds = Field(30.0, description="Longest pause inside an answer.")
    headers: Headers = Field(
        default_factory=dict, repr=False, description="Headers added to each request; a value may be a reference."
    )
    proxy: Proxy | None = Field(None, description="HTTP proxy to go through; a reference when it carries a password.")
    ca_file: FilePath | None = Field(None, description="Certificates to trust instead of the system's, in PEM.")
    private: bool | None = Field(
        None,
        description="Whether its host may have a private address; left out: one whose name is no public one may.",
    )
    models: tuple[Word, ...] | None = Field(
        None,
        strict=False,
        max_length=MODELS_MOST,
        description="The model ids it has; left out: those of the catalogue.",
    )
    connections_most: int = Field(512, ge=1, le=65_535, description="Connections kept or opened at once.")
    api_version: Word | None = Field(None, description="API version in the query, where the kind has one (Azure).")
    region: Region | None = Field(
        None, description="Region of Amazon Web Services; left out: as the address says (Bedrock)."
    )
    organization: Word | None = Field(None, description="Organization that is billed (OpenAI).")
    project: Word | None = Field(None, description="Project that is billed (OpenAI).")
    voices: Voices = Field(
        default_factory=dict,
        description="Its voices by the names that clients use, beside those that it is known to have.",
    )
    usd_per_million_credits: Usd | None = Field(
        None, description="What a million of its credits cost, where it counts in credits (ElevenLabs)."
    )
    budget_daily_usd: Usd = Field(0.0, description="Most that calls to it may cost a day (UTC); 0: no budget.")
    budget_weekly_usd: Usd = Field(0.0, description="Most a week, from Monday.")
    budget_monthly_usd: Usd = Field(0.0, description="Most a calendar month.")
    budget_total_usd: Usd = Field(0.0, description="Most in all.")


class TargetSettings(Table):
    """One place of a route, and what is different for it there."""

    target: Word = Field(description="`provider/model`, or a model id that one provider has.")
    weight: int = Field(1, ge=1, le=1000, description="Share of the calls, where the strategy is weighted.")
    timeout_seconds: Seconds | None = Field(None, description="Instead of the provider's.")
    headers: Headers = Field(default_factory=dict, repr=False, description="In addition to the provider's.")
    proxy: Proxy | None = Field(None, description="Instead of the provider's.")
    ca_file: FilePath | None = Field(None, description="Instead of the provider's.")


def _target(value: Any) -> Any:
    if isinstance(value, str):
        return {"target": value}
    if not isinstance(value, Mapping | TargetSettings):
        raise rules.wrong('must be "provider/model", or a table with a target')
    return value


RouteTarget = Annotated[TargetSettings, BeforeValidator(_target, json_schema_input_type=str | TargetSettings)]


class RouteSettings(Table):
    """A model name that clients may use, and the places it leads to."""

    # `task` may be left out where the route bears a task's name, which the schema of one route cannot know.
    model_config = ConfigDict(json_schema_extra={"required": []})

    task: Task = Field(strict=False, description="What it gives; the table's name where that is a task.")
    targets: tuple[RouteTarget, ...] = Field(
        (), strict=False, max_length=TARGETS_MOST, description="Where calls go; empty: the task's default chain."
    )
    strategy: Literal["order", "weighted", "best", "cheapest", "fastest"] = Field(
        "order", description="Which target is tried first."
    )
    simulate_last: bool = Field(
        False, description="When every target failed: answer from the simulator, marked as simulated."
    )
    continue_cut: bool = Field(
        False, description="When a stream of text breaks off: let another model of the route go on with it, marked."
    )


class RetrySettings(Table):
    """How often and how long a failed call is tried again."""

    attempts: int = Field(4, ge=1, le=10, description="Tries of each target: at once, then after 1, 2, 4 s.")
    unsafe: bool = Field(True, description="Try again also where the provider may have run, and billed, the request.")
    jitter: bool = Field(True, description="Wait a random part of 1, 2, 4 s instead of exactly that.")
    deadline_seconds: Seconds = Field(600.0, description="Longest time of a call, waits and retries included.")


class LimitSettings(Table):
    """What each API key of our own clients may use; 0 is no limit."""

    requests_per_minute: Count = Field(0, description="Requests a minute for each API key.")
    tokens_per_minute: Count = Field(0, description="Tokens a minute for each API key.")
    concurrency: Count = Field(0, description="Calls in flight for each API key.")


class BudgetSettings(Table):
    """What all calls together may cost; 0 is no budget. A provider's own budgets stand in its table."""

    daily_usd: Usd = Field(0.0, description="Most that calls may cost a day (UTC).")
    weekly_usd: Usd = Field(0.0, description="Most a week, from Monday.")
    monthly_usd: Usd = Field(0.0, description="Most a calendar month.")
    total_usd: Usd = Field(0.0, description="Most in all.")


class ModelSettings(Table):
    """How model names are understood."""

    follow_successors: bool = Field(
        False, description="Call the successor of a retired model instead of answering 404 with its name."
    )
    refresh_hours: float = Field(
        6.0,
        ge=0,
        le=8_760,
        description="Hours between two looks at the providers' own lists of models; 0: none is asked for.",
    )


class HistorySettings(Table):
    """What is remembered of each call."""

    prompts: bool = Field(False, description="Keep prompts, not only counts, costs and times.")
    retention_days: int = Field(90, ge=1, le=36_500, description="Days that a call is remembered.")
    queue_most: int = Field(
        10_000,
        ge=100,
        le=1_000_000,
        description="Calls that may wait to be written; beyond it they are dropped and counted.",
    )


class MetricsSettings(Table):
    """What is measured."""

    enabled: bool = Field(True, description="Count and serve `GET /metrics`.")


class LogSettings(Table):
    """What the log looks like; its level is `server.log_level`."""

    format: Literal["auto", "json", "text"] = Field("auto", description="`auto` is text on a terminal, else JSON.")
    access: bool = Field(False, description="One line for each request; the history has them all the same.")


class Settings(Table):
    """The whole of one `oneflow.toml`, checked; every setting has its default, so `Settings()` is a configuration."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    routes: Mapping[str, RouteSettings] = Field(default_factory=dict)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    budgets: BudgetSettings = Field(default_factory=BudgetSettings)
    prices: Mapping[str, Mapping[str, float]] = Field(
        default_factory=dict, description="Prices of models, by `provider/model`, before those of the catalogue."
    )
    models: ModelSettings = Field(default_factory=ModelSettings)
    history: HistorySettings = Field(default_factory=HistorySettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @field_validator("providers", mode="before")
    @classmethod
    def _kind_is_the_name(cls, value: Any) -> Any:
        return _named(value, "kind", lambda name: name)

    @field_validator("routes", mode="before")
    @classmethod
    def _task_is_the_name(cls, value: Any) -> Any:
        return _named(value, "task", lambda name: name if name in tuple(Task) else None)


def _named(tables: Any, key: str, from_name: Callable[[str], str | None]) -> Any:
    """Fills in, where a table leaves it out, the key that its name tells."""
    if not isinstance(tables, Mapping):
        return tables
    return {
        name: {key: told, **table} if isinstance(table, Mapping) and (told := from_name(name)) is not None else table
        for name, table in tables.items()
    }
