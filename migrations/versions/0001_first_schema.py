"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

String = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "baseline",
        sa.Column("id", String, primary_key=True),
        sa.Column("model", String, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", String, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("first_night", String),
        sa.Column("last_night", String),
        sa.Column("valid_after", String),
        sa.Column("body", String, nullable=False),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", String, nullable=False),
        sa.UniqueConstraint("model", "version", name="uq_baseline_model_version"),
    )
    op.create_table(
        "finding",
        sa.Column("id", String, primary_key=True),
        sa.Column("incident_id", String),
        sa.Column("rule", String, nullable=False),
        sa.Column("level", String, nullable=False),
        sa.Column("technique", String, nullable=False),
        sa.Column("model", String, nullable=False),
        sa.Column("night", String, nullable=False),
        sa.Column("entity_kind", String, nullable=False),
        sa.Column("entity_id", String, nullable=False),
        sa.Column("suppression_id", RowId),
        sa.Column("body", String, nullable=False),
    )
    op.create_index("ix_finding_incident_id", "finding", ["incident_id"])
    op.create_index("ix_finding_model_night", "finding", ["model", "night"])
    op.create_table(
        "incident",
        sa.Column("id", String, primary_key=True),
        sa.Column("status", String, nullable=False),
        sa.Column("severity", String, nullable=False),
        sa.Column("technique", String, nullable=False),
        sa.Column("model", String, nullable=False),
        sa.Column("entity_kind", String, nullable=False),
        sa.Column("entity_id", String, nullable=False),
        sa.Column("first_night", String, nullable=False),
        sa.Column("last_night", String, nullable=False),
        sa.Column("heir", String),
        sa.Column("report", String),
        sa.Column("body", String, nullable=False),
    )
    op.create_index("ix_incident_model_last_night", "incident", ["model", "last_night"])
    op.create_table(
        "model_class",
        sa.Column("model", String, primary_key=True),
        sa.Column("code", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("name", String, nullable=False),
    )
    op.create_table(
        "model_schema",
        sa.Column("model", String, primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("night", String, nullable=False),
        sa.Column("body", String, nullable=False),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "night",
        sa.Column("model", String, primary_key=True),
        sa.Column("night", String, primary_key=True),
        sa.Column("query_count", sa.BigInteger(), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("baseline_id", String),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("coverage", String, nullable=False),
        sa.Column("scanned_at", String, nullable=False),
    )
    op.create_table(
        "query",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("row_index", sa.Integer(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("key_hi", sa.BigInteger(), nullable=False),
        sa.Column("key_lo", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("request_id", String),
        sa.Column("client_id", String, nullable=False),
        sa.Column("source_ip", String),
        sa.Column("user_agent", String),
        sa.Column("model", String, nullable=False),
        sa.Column("model_version", String),
        sa.Column("endpoint", String),
        sa.Column("operation", String, nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("latency_ms", sa.Float()),
        sa.Column("params", String),
        sa.Column("scored", sa.SmallInteger()),
        sa.Column("label", String),
        sa.Column("confidence", sa.Float()),
        sa.Column("value", sa.Float()),
        sa.Column("input_kind", sa.SmallInteger(), nullable=False),
        sa.Column("input", sa.LargeBinary()),
        sa.Column("input_hash", sa.BigInteger()),
        sa.Column("probability_kind", sa.SmallInteger(), nullable=False),
        sa.Column("probabilities", sa.LargeBinary()),
        sa.Column("output_extra", String),
        sa.Column("sampling_rate", sa.Float()),
        sa.Column("flags", sa.Integer(), nullable=False),
    )
    op.create_index("uq_query_ts_key", "query", ["ts", "key_hi", "key_lo", "occurrence"], unique=True)
    op.create_table(
        "reject",
        sa.Column("file_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("line", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("row_index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("reason", String, nullable=False),
        sa.Column("expected", String, nullable=False),
        sa.Column("excerpt", String, nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("command", String, nullable=False),
        sa.Column("version", String, nullable=False),
        sa.Column("started_at", String, nullable=False),
        sa.Column("finished_at", String),
        sa.Column("nights", String, nullable=False),
        sa.Column("exit_code", sa.Integer()),
    )
    op.create_table(
        "source_file",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("sha256", String, nullable=False),
        sa.Column("reading", String, nullable=False),
        sa.Column("path", String, nullable=False),
        sa.Column("format", String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("status", String, nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("duplicate", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("flagged", sa.BigInteger(), nullable=False),
        sa.Column("rejects", String, nullable=False),
        sa.Column("lines_committed", sa.BigInteger(), nullable=False),
        sa.Column("batches_committed", sa.BigInteger(), nullable=False),
        sa.Column("min_ts", sa.BigInteger()),
        sa.Column("max_ts", sa.BigInteger()),
        sa.Column("touched", String, nullable=False),
        sa.Column("damage", String),
        sa.Column("ingested_at", String, nullable=False),
        sa.UniqueConstraint("sha256", "reading", name="uq_source_file_sha256_reading"),
    )
    op.create_table(
        "suppression",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("rule", String),
        sa.Column("client", String),
        sa.Column("network", String),
        sa.Column("until", String, nullable=False),
        sa.Column("reason", String, nullable=False),
        sa.Column("author", String, nullable=False),
        sa.Column("created_at", String, nullable=False),
        sa.Column("removed_at", String),
        sa.Column("removed_by", String),
        sa.Column("removed_reason", String),
    )
    op.create_table(
        "window",
        sa.Column("model", String, primary_key=True),
        sa.Column("night", String, primary_key=True),
        sa.Column("horizon", String, primary_key=True),
        sa.Column("entity_kind", String, primary_key=True),
        sa.Column("entity_id", String, primary_key=True),
        sa.Column("query_count", sa.BigInteger(), nullable=False),
        sa.Column("first_ts", sa.BigInteger(), nullable=False),
        sa.Column("last_ts", sa.BigInteger(), nullable=False),
        sa.Column("clients", String),
        sa.Column("features", String, nullable=False),
        sa.Column("state", sa.LargeBinary()),
    )
    op.create_table(
        "evidence_item",
        sa.Column(
            "incident_id", String, sa.ForeignKey("incident.id", name="fk_evidence_item_incident_id"), primary_key=True
        ),
        sa.Column("number", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("status", String, nullable=False),
        sa.Column("body", String, nullable=False),
    )
    op.create_table(
        "evidence_query",
        sa.Column(
            "incident_id", String, sa.ForeignKey("incident.id", name="fk_evidence_query_incident_id"), primary_key=True
        ),
        sa.Column("file_sha256", String, primary_key=True),
        sa.Column("line", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("row_index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("path", String, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("client_id", String, nullable=False),
        sa.Column("pattern", String, nullable=False),
        sa.Column("raw_sha256", String),
        sa.Column("raw", String),
    )
    op.create_table(
        "incident_event",
        sa.Column("id", RowId, primary_key=True),
        sa.Column(
            "incident_id", String, sa.ForeignKey("incident.id", name="fk_incident_event_incident_id"), nullable=False
        ),
        sa.Column("at", String, nullable=False),
        sa.Column("who", String, nullable=False),
        sa.Column("what", String, nullable=False),
        sa.Column("why", String),
    )
    op.create_index("ix_incident_event_incident_id", "incident_event", ["incident_id"])


def downgrade() -> None:
    op.drop_table("incident_event")
    op.drop_table("evidence_query")
    op.drop_table("evidence_item")
    op.drop_table("window")
    op.drop_table("suppression")
    op.drop_table("source_file")
    op.drop_table("run")
    op.drop_table("reject")
    op.drop_table("query")
    op.drop_table("night")
    op.drop_table("model_schema")
    op.drop_table("model_class")
    op.drop_table("incident")
    op.drop_table("finding")
    op.drop_table("baseline")
