"""Reading the queries behind an incident as Arrow, a few columns at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, Integer, LargeBinary, case, func, literal_column, or_, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from detector.errors import StoreError
from detector.model import ProbabilityKind
from detector.store.tables import query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement, Dialect, Label, Select
    from sqlalchemy.sql.selectable import CompoundSelect

    from detector.store.engine import Store

# More names than this are filtered after reading: a statement's parameters are limited on both databases.
_NAMES_IN_STATEMENT = 500
_IDS_IN_STATEMENT = 5_000

_SENTINEL = -1
_HOUR = 3_600_000_000

OUTLINE = ("id", "ts", "client_id", "label", "confidence")
DETAIL = (
    "id",
    "ts",
    "client_id",
    "file_id",
    "line",
    "row_index",
    "endpoint",
    "operation",
    "status",
    "label",
    "confidence",
    "input_kind",
    "probability_kind",
    "probabilities",
)
SAMPLE = ("id", "ts", "client_id", "label", "confidence", "input_kind", "probability_kind", "probabilities")
INPUTS = ("id", "ts", "input_kind", "input")
EXPORT = (
    *DETAIL, "request_id", "source_ip", "user_agent", "model_version", "latency_ms", "params", "value", "output_extra",
    "sampling_rate", "flags",
)  # fmt: skip


@dataclass(frozen=True)
class HourCount:
    """What one client sent in one hour: queries, and how many were answered with a confidence or probabilities."""

    client: str
    queries: int
    scored: int


def read_outline(store: Store, model: str, clients: Collection[str], first_ts: int, end_ts: int) -> Iterator[Any]:
    """Yield Arrow batches of the columns OUTLINE: the clients' queries of a model before `end_ts`, in no order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    where = list(_between(model, first_ts, end_ts))
    few = len(clients) <= _NAMES_IN_STATEMENT
    if few:
        where.append(query.c.client_id.in_(sorted(clients)))
    names = pa.array(sorted(clients), pa.string())
    for batch in _batches(store, [query.c[name] for name in OUTLINE], where):
        yield batch if few else batch.filter(pc.is_in(batch.column("client_id"), names))


def count_queries(store: Store, model: str, first_ts: int, end_ts: int) -> int:
    """Return how many queries of a model the store has in a span of time."""
    with store.begin() as connection:
        statement = select(func.count()).select_from(query).where(*_between(model, first_ts, end_ts))
        return int(connection.execute(statement).scalar_one())


def count_hours(store: Store, model: str, first_ts: int, end_ts: int) -> list[HourCount]:
    """Return the queries of each client of a model in each hour, counted from `first_ts`, of a span of time."""
    hour = (query.c.ts - first_ts) // _HOUR
    told = or_(query.c.probability_kind != ProbabilityKind.NONE.value, query.c.confidence.is_not(None))
    statement = (
        select(query.c.client_id, func.count(), func.sum(case((told, 1), else_=0)))
        .where(*_between(model, first_ts, end_ts))
        .group_by(query.c.client_id, hour)
    )
    with store.begin() as connection:
        return [HourCount(str(one), int(sent), int(scored)) for one, sent, scored in connection.execute(statement)]


def read_sample(store: Store, model: str, first_ts: int, end_ts: int, modulus: int) -> Any:  # noqa: ANN401 - Arrow
    """Return an Arrow table of the columns SAMPLE and `input_bytes`: one query in `modulus`, whoever sent it.

    Content keys choose, not row numbers: the order in which files arrived must not change a report.
    """
    where = list(_between(model, first_ts, end_ts))
    if modulus > 1:
        where.append(query.c.key_lo % modulus == 0)
    return _table(store, [*(query.c[name] for name in SAMPLE), _input_bytes()], [where])


def read_details(store: Store, ids: Sequence[int]) -> Any:  # noqa: ANN401 - Arrow
    """Return an Arrow table of the columns DETAIL and `input_bytes`, in time order, for the queries `ids`."""
    return _table(store, [*(query.c[name] for name in DETAIL), _input_bytes()], _parts(ids))


def read_export(store: Store, ids: Sequence[int]) -> Any:  # noqa: ANN401 - Arrow
    """Return an Arrow table of the columns EXPORT and `input_bytes`, in time order, for the queries `ids`."""
    return _table(store, [*(query.c[name] for name in EXPORT), _input_bytes()], _parts(ids))


def read_inputs(store: Store, ids: Sequence[int]) -> Any:  # noqa: ANN401 - Arrow
    """Return an Arrow table of the columns INPUTS, in time order, for the queries `ids`."""
    return _table(store, [query.c[name] for name in INPUTS], _parts(ids))


def _input_bytes() -> Label[int]:
    # How large an input is tells whether it may be fetched: one of an image model can outweigh a night of others.
    return func.coalesce(func.length(query.c.input), 0, type_=Integer()).label("input_bytes")


def _between(model: str, first_ts: int, end_ts: int) -> tuple[ColumnElement[bool], ...]:
    return query.c.model == model, query.c.ts >= first_ts, query.c.ts < end_ts


def _parts(ids: Sequence[int]) -> list[list[ColumnElement[bool]]]:
    ordered = sorted(int(one) for one in ids)
    return [[_one_of(ordered[i : i + _IDS_IN_STATEMENT])] for i in range(0, len(ordered), _IDS_IN_STATEMENT)]


def _one_of(ids: Sequence[int]) -> ColumnElement[bool]:
    # Numbers of our own, spelled out: thousands of bound parameters cost more than the reading itself.
    return query.c.id.op("IN", is_comparison=True)(literal_column(f"({','.join(map(str, ids))})"))


def _table(store: Store, columns: list[Any], wheres: list[list[ColumnElement[bool]]]) -> Any:  # noqa: ANN401
    """Return what all of `wheres` select as one table in time order."""
    import pyarrow as pa

    batches = [batch for where in wheres for batch in _batches(store, columns, where)]
    schema = pa.schema([(column.name, _arrow_type(column)) for column in columns])
    table = pa.Table.from_batches([batch.cast(schema) for batch in batches], schema=schema)
    return table.sort_by([("ts", "ascending"), ("id", "ascending")])


def _batches(store: Store, columns: list[Any], where: list[ColumnElement[bool]]) -> Iterator[Any]:
    import adbc_driver_manager
    import pyarrow.compute as pc

    statement: Select[Any] | CompoundSelect[Any] = select(*columns).where(*where)
    if store.is_sqlite:
        # The driver takes a column's type from its first rows, and a column that begins with nulls for integers.
        statement = union_all(select(*(_typed(column) for column in columns)), statement)
    text, values = _compiled(store, statement)
    try:
        with store.bulk() as connection, connection.cursor() as cursor:
            cursor.execute(text, values)
            for batch in cursor.fetch_record_batch():
                kept = batch.filter(pc.not_equal(batch.column("id"), _SENTINEL)) if store.is_sqlite else batch
                if kept.num_rows:
                    yield kept
    except adbc_driver_manager.Error as error:
        raise StoreError(f"the database refused to read queries: {str(error).splitlines()[0]}") from error


def _compiled(store: Store, statement: Select[Any] | CompoundSelect[Any]) -> tuple[str, tuple[object, ...]]:
    kind, style = (sqlite.dialect, "qmark") if store.is_sqlite else (postgresql.dialect, "numeric_dollar")
    dialect: Dialect = kind(paramstyle=style)
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    names = getattr(compiled, "positiontup", None) or ()
    return str(compiled), tuple(compiled.params[name] for name in names)


def _typed(column: Any) -> Label[Any]:  # noqa: ANN401 - a Column or a labelled function
    if column.name == "id":
        value = str(_SENTINEL)
    elif isinstance(column.type, LargeBinary):
        value = "x''"
    elif isinstance(column.type, Integer):
        value = "0"
    else:
        value = "0.0" if isinstance(column.type, Float) else "''"
    return literal_column(value, column.type).label(column.name)


def _arrow_type(column: Any) -> Any:  # noqa: ANN401
    import pyarrow as pa

    if isinstance(column.type, LargeBinary):
        return pa.large_binary()
    if isinstance(column.type, Integer):
        return pa.int64()
    return pa.float64() if isinstance(column.type, Float) else pa.large_string()
