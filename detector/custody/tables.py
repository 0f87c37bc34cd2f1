"""Arrow tables as the bytes of a Parquet file and of a CSV file that is safe to open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.custody import cells

if TYPE_CHECKING:
    from collections.abc import Collection


def parquet(table: Any) -> bytes:  # noqa: ANN401 - Arrow has no types
    """Return the table as Parquet: exact, typed, compressed by itself."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", version="2.6", row_group_size=65_536)
    return bytes(sink.getvalue())


def csv(table: Any, without: Collection[str] = ()) -> bytes:  # noqa: ANN401 - Arrow has no types
    """Return the table as CSV in UTF-8: texts quoted and harmless, nulls empty and unquoted, one line a row.

    Args:
        table: columns of numbers, times and texts.
        without: columns to leave out: lists have no cell.
    """
    import pyarrow as pa
    from pyarrow.csv import WriteOptions, write_csv

    columns = {name: table.column(name) for name in table.column_names if name not in without}
    safe = {name: cells.column(one) if _is_text(one.type) else one for name, one in columns.items()}
    sink = pa.BufferOutputStream()
    write_csv(pa.table(safe), sink, WriteOptions(quoting_style="needed"))
    return bytes(sink.getvalue())


def _is_text(kind: Any) -> bool:  # noqa: ANN401 - Arrow has no types
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
