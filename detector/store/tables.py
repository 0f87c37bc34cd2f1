"""The tables, as SQLAlchemy Core describes them for SQLite and PostgreSQL alike."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Text compares by code point on both databases; SQLite's default (BINARY) already does.
String = Text().with_variant(Text(collation="C"), "postgresql")
RowId = BigInteger().with_variant(Integer, "sqlite")

source_file = Table(
    "source_file",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("sha256", String, nullable=False),
    Column("reading", String, nullable=False),
    Column("path", String, nullable=False),
    Column("format", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", String, nullable=False),
    Column("read", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("flagged", BigInteger, nullable=False),
    Column("rejects", String, nullable=False),
    Column("lines_committed", BigInteger, nullable=False),
    Column("batches_committed", BigInteger, nullable=False),
    Column("min_ts", BigInteger),
    Column("max_ts", BigInteger),
    Column("touched", String, nullable=False),
    Column("damage", String),
    Column("ingested_at", String, nullable=False),
    UniqueConstraint("sha256", "reading"),
)

query = Table(
    "query",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("file_id", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("row_index", Integer, nullable=False),
    Column("ts", BigInteger, nullable=False),
    Column("key_hi", BigInteger, nullable=False),
    Column("key_lo", BigInteger, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("request_id", String),
    Column("client_id", String, nullable=False),
    Column("source_ip", String),
    Column("user_agent", String),
    Column("model", String, nullable=False),
    Column("model_version", String),
    Column("endpoint", String),
    Column("operation", String, nullable=False),
    Column("status", Integer),
    Column("latency_ms", Float),
    Column("params", String),
    Column("scored", SmallInteger),
    Column("label", String),
    Column("confidence", Float),
    Column("value", Float),
    Column("input_kind", SmallInteger, nullable=False),
    Column("input", LargeBinary),
    Column("input_hash", BigInteger),
    Column("probability_kind", SmallInteger, nullable=False),
    Column("probabilities", LargeBinary),
    Column("output_extra", String),
    Column("sampling_rate", Float),
    Column("flags", Integer, nullable=False),
    Index("uq_query_ts_key", "ts", "key_hi", "key_lo", "occurrence", unique=True),
)

reject = Table(
    "reject",
    metadata,
    Column("file_id", BigInteger, primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("row_index", Integer, primary_key=True, autoincrement=False),
    Column("reason", String, nullable=False),
    Column("expected", String, nullable=False),
    Column("excerpt", String, nullable=False),
)

model_class = Table(
    "model_class",
    metadata,
    Column("model", String, primary_key=True),
    Column("code", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
)

model_schema = Table(
    "model_schema",
    metadata,
    Column("model", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("night", String, nullable=False),
    Column("body", String, nullable=False),
    Column("arrays", LargeBinary, nullable=False),
)

baseline = Table(
    "baseline",
    metadata,
    Column("id", String, primary_key=True),
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("first_night", String),
    Column("last_night", String),
    Column("valid_after", String),
    Column("body", String, nullable=False),
    Column("arrays", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
    UniqueConstraint("model", "version"),
)

night = Table(
    "night",
    metadata,
    Column("model", String, primary_key=True),
    Column("night", String, primary_key=True),
    Column("query_count", BigInteger, nullable=False),
    Column("stale", Boolean, nullable=False),
    Column("baseline_id", String),
    Column("schema_version", Integer, nullable=False),
    Column("coverage", String, nullable=False),
    Column("scanned_at", String, nullable=False),
)

window = Table(
    "window",
    metadata,
    Column("model", String, primary_key=True),
    Column("night", String, primary_key=True),
    Column("horizon", String, primary_key=True),
    Column("entity_kind", String, primary_key=True),
    Column("entity_id", String, primary_key=True),
    Column("query_count", BigInteger, nullable=False),
    Column("first_ts", BigInteger, nullable=False),
    Column("last_ts", BigInteger, nullable=False),
    Column("clients", String),
    Column("features", String, nullable=False),
    Column("state", LargeBinary),
)

finding = Table(
    "finding",
    metadata,
    Column("id", String, primary_key=True),
    Column("incident_id", String),
    Column("rule", String, nullable=False),
    Column("level", String, nullable=False),
    Column("technique", String, nullable=False),
    Column("model", String, nullable=False),
    Column("night", String, nullable=False),
    Column("entity_kind", String, nullable=False),
    Column("entity_id", String, nullable=False),
    Column("suppression_id", RowId),
    Column("body", String, nullable=False),
    Index("ix_finding_model_night", "model", "night"),
    Index("ix_finding_incident_id", "incident_id"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("technique", String, nullable=False),
    Column("model", String, nullable=False),
    Column("entity_kind", String, nullable=False),
    Column("entity_id", String, nullable=False),
    Column("first_night", String, nullable=False),
    Column("last_night", String, nullable=False),
    Column("heir", String),
    Column("report", String),
    Column("body", String, nullable=False),
    Index("ix_incident_model_last_night", "model", "last_night"),
)

incident_event = Table(
    "incident_event",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("incident_id", String, ForeignKey("incident.id"), nullable=False),
    Column("at", String, nullable=False),
    Column("who", String, nullable=False),
    Column("what", String, nullable=False),
    Column("why", String),
    Index("ix_incident_event_incident_id", "incident_id"),
)

suppression = Table(
    "suppression",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("rule", String),
    Column("client", String),
    Column("network", String),
    Column("until", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("author", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("removed_at", String),
    Column("removed_by", String),
    Column("removed_reason", String),
)

evidence_item = Table(
    "evidence_item",
    metadata,
    Column("incident_id", String, ForeignKey("incident.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("status", String, nullable=False),
    Column("body", String, nullable=False),
)

evidence_query = Table(
    "evidence_query",
    metadata,
    Column("incident_id", String, ForeignKey("incident.id"), primary_key=True),
    Column("file_sha256", String, primary_key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("row_index", Integer, primary_key=True, autoincrement=False),
    Column("path", String, nullable=False),
    Column("ts", BigInteger, nullable=False),
    Column("client_id", String, nullable=False),
    Column("pattern", String, nullable=False),
    Column("raw_sha256", String),
    Column("raw", String),
)

run = Table(
    "run",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("command", String, nullable=False),
    Column("version", String, nullable=False),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),
    Column("nights", String, nullable=False),
    Column("exit_code", Integer),
)
