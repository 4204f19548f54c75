"""The tables of the database, for both dialects; times are whole microseconds since 1970, UTC, money is nano-USD."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

HEAD = "0007"
"""The version of these tables: the last file of `migrations/versions`."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# SQLite gives a table its row number as primary key only where the column's type is exactly INTEGER.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("prefix", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("requests_per_minute", Integer, nullable=False, server_default=text("0")),
    Column("tokens_per_minute", Integer, nullable=False, server_default=text("0")),
    Column("concurrency", Integer, nullable=False, server_default=text("0")),
    Column("models", JSON(none_as_null=True)),
)

# `seq` breaks ties of `at`, in small indexes. `attempts` is an array of [place, credential, outcome, status, seconds].
requests = Table(
    "requests",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("end_user", Text),
    Column("tags", JSON),
    Column("dialect", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("asked", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("model_actual", Text),
    Column("status", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("message", Text),
    Column("attempt_count", Integer, nullable=False),
    Column("attempts", JSON),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("usage_source", Text),
    Column("cost_nanos", BigInteger, nullable=False),
    Column("price_version", Text),
    Column("estimated", Boolean, nullable=False, server_default=false()),
    Column("simulated", Boolean, nullable=False, server_default=false()),
    Column("stream", Boolean, nullable=False, server_default=false()),
    Column("seconds", Float, nullable=False),
    Column("first_event_seconds", Float),
    Column("queued_seconds", Float, nullable=False),
    Column("prompt", Text),
    Column("client_id", Text),
    Column("metadata", JSON),
    Column("characters", BigInteger),
    Column("images", BigInteger),
    Column("audio_milliseconds", BigInteger),
    Column("web_searches", BigInteger),
)

# Rows are written far more often than read, and mostly in the order of this index: at its end. An index for each name
# is written all over, which cost twice as much as the row itself. A page is filtered in the index, without the table.
Index(
    "ix_requests_at",
    requests.c.at,
    requests.c.seq,
    requests.c.key_id,
    requests.c.provider,
    requests.c.model,
    requests.c.outcome,
)
# Few clients name their requests; those that do look for them by that name.
Index(
    "ix_requests_client_id",
    requests.c.client_id,
    sqlite_where=requests.c.client_id.is_not(None),
    postgresql_where=requests.c.client_id.is_not(None),
)
# People look for failures; a success pays nothing for this one.
Index(
    "ix_requests_outcome",
    requests.c.outcome,
    requests.c.at,
    sqlite_where=requests.c.outcome != text("'ok'"),
    postgresql_where=requests.c.outcome != text("'ok'"),
)

# Money. An account has `limit_nanos` to spend: of those are `posted_nanos` spent and `held_nanos` booked by processes.
ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("limit_nanos", BigInteger, nullable=False, server_default=text("0")),
    Column("posted_nanos", BigInteger, nullable=False, server_default=text("0")),
    Column("held_nanos", BigInteger, nullable=False, server_default=text("0")),
)
# Appended to, never changed: what went from one account to another, once for each id (an attempt's, or a credit's).
ledger_transfers = Table(
    "ledger_transfers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("nanos", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
# What a process has booked of an account, until its lease ends.
ledger_slices = Table(
    "ledger_slices",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("nanos", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)
ledger_budgets = Table(
    "ledger_budgets",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("limit_nanos", BigInteger, nullable=False),
)

# Keys of providers, sealed: `sealed` is a nonce and what AES-256-GCM made of the key, `sealed_by` tells the secret.
provider_keys = Table(
    "provider_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("provider", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_by", String(16), nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
)
