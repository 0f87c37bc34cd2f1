"""The SQL that turns JSON texts into columns, and the DuckDB connections that run it, one a thread.

There are two lanes to the same columns. The fast one knows the generic log's shape and parses each text once, straight
into typed columns. The general one finds each field by its path and keeps what may have many shapes (input,
probabilities) as JSON text; it serves mapped logs, and every record that the fast lane could not read in full.
"""

# ruff: noqa: S608 - statements are made of this module's own words; those of a mapping pass through `literal`

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from detector.ingest.plan import FIELDS, OUTPUTS, SCALARS, Decode, Plan, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

NUMBERS = ("status", "latency_ms", "sampling_rate", "confidence", "value")
_TEXTS = (*(name for name in SCALARS if name not in NUMBERS), "params", "label")
_JSONS = ("items", "embedding", "text", "logprobs")
# What both lanes give: a row a query.
COLUMNS = pa.schema(
    [
        pa.field("rec", pa.int32()),
        pa.field("row_index", pa.int32()),
        pa.field("shape", pa.string()),
        *(pa.field(name, pa.string()) for name in (*_TEXTS, *_JSONS)),
        *(pa.field(name, pa.float64()) for name in NUMBERS),
        # Bit i: the i-th of NUMBERS is there, and is none.
        pa.field("no_number", pa.int32()),
        pa.field("output_type", pa.string()),
        pa.field("output_text", pa.string()),
        pa.field("input_json", pa.string()),
        pa.field("input_list", pa.list_(pa.field("l", pa.float64()))),
        pa.field("probability_json", pa.string()),
        pa.field("probability_list", pa.list_(pa.field("l", pa.float64()))),
        pa.field("row_excess", pa.int8()),
    ]
)
# A record of more queries would take memory without bound; what exceeds this is set aside as one reject.
MAX_ROWS_PER_RECORD = 100_000
TOO_MANY_ROWS = "TOO_MANY_ROWS"


class Parser(threading.local):
    """This thread's DuckDB connection: two connections of one thread each are thrice as fast as one of two."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1, "enable_external_access": False})
        self.connection.execute("SET TimeZone='UTC'")

    def run(self, sql: str, texts: pa.Array, rec: NDArray[np.int32]) -> pa.Table:
        """Run `sql` over the relation `block(rec, line)`."""
        table = pa.table({"rec": pa.array(rec, pa.int32()), "line": texts})
        self.connection.register("block", table)
        try:
            return self.connection.sql(sql).to_arrow_table()
        finally:
            self.connection.unregister("block")

    def rows_as_json(self, table: pa.Table) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return each row of any Arrow table as one JSON object (Arrow string)."""
        self.connection.register("block", table)
        try:
            return self.connection.sql("SELECT to_json(block)::VARCHAR AS line FROM block").to_arrow_table()["line"]
        finally:
            self.connection.unregister("block")


PARSER = Parser()


def literal(text: str) -> str:
    """Return `text` as an SQL string: the only way by which a mapping's words enter a statement."""
    return "'" + text.replace("'", "''") + "'"


def fast_sql(*, probability_list: bool, guarded: bool) -> str:
    """Return the fast lane's statement.

    Args:
        probability_list: read probabilities straight as a list; otherwise they stay JSON text.
        guarded: check each text before it is parsed; without it one that is not JSON fails the whole block.
    """
    output = dict.fromkeys(("label", "confidence", "value"), "VARCHAR") | dict.fromkeys(_JSONS, "JSON")
    output["probabilities"] = ["DOUBLE"] if probability_list else "JSON"  # type: ignore[assignment]
    schema = dict.fromkeys(SCALARS, "VARCHAR") | {"params": "JSON", "input": ["DOUBLE"], "output": output}
    parsed = f"from_json(line, {literal(json.dumps(schema))})"
    if guarded:
        parsed = f"CASE WHEN json_valid(line) THEN {parsed} END"
    nothing, no_list = "NULL::VARCHAR", "NULL::DOUBLE[]"
    columns = ["rec", "0::INTEGER AS row_index", "CASE WHEN s IS NOT NULL THEN 'OBJECT' END AS shape"]
    columns += [f"s.{name}" for name in SCALARS if name not in NUMBERS]
    columns += ["s.params::VARCHAR AS params", "s.output.label"]
    columns += [f"s.output.{name}::VARCHAR AS {name}" for name in _JSONS]
    columns += _numbers([f"s.{name}" if name in SCALARS else f"s.output.{name}" for name in NUMBERS])
    # A text or list where the object should be gives an object of nulls.
    something = ", ".join(f"s.output.{name}::VARCHAR" for name in ("label", "confidence", "value", *_JSONS))
    seen = f"coalesce({something}) IS NOT NULL OR s.output.probabilities IS NOT NULL"
    columns += [f"CASE WHEN {seen} THEN 'OBJECT' END AS output_type", f"{nothing} AS output_text"]
    columns += [f"{nothing} AS input_json", "s.input AS input_list"]
    columns += (
        [f"{nothing} AS probability_json", "s.output.probabilities AS probability_list"]
        if probability_list
        else ["s.output.probabilities::VARCHAR AS probability_json", f"{no_list} AS probability_list"]
    )
    columns += ["0::TINYINT AS row_excess"]
    return f"WITH parsed AS (SELECT rec, {parsed} AS s FROM block) SELECT {', '.join(columns)} FROM parsed"


def _numbers(texts: list[str]) -> list[str]:
    """Return the SQL of NUMBERS, given the SQL of their texts, and of which of them are there and no numbers."""
    casts = [f"TRY_CAST({text} AS DOUBLE)" for text in texts]
    lost = (
        f"CASE WHEN {text} IS NOT NULL AND {cast} IS NULL THEN {1 << i} ELSE 0 END"
        for i, (text, cast) in enumerate(zip(texts, casts, strict=True))
    )
    named = [f"{cast} AS {name}" for name, cast in zip(NUMBERS, casts, strict=True)]
    return [*named, f"({' + '.join(lost)})::INTEGER AS no_number"]


def general_sql(plan: Plan, *, guarded: bool) -> str:
    """Return the general lane's statement for records laid out as `plan` says; `guarded` as in `fast_sql`."""
    pointers: list[str] = []
    values = [f"{_value(plan.sources.get(name, ()), pointers)} AS {name}_j" for name in FIELDS]
    found = ", ".join(literal(p) for p in pointers) or "''"
    text = "CASE WHEN json_valid(line) THEN line END" if guarded else "line"
    steps = [
        f"checked AS (SELECT rec, {text} AS line FROM block)",
        f"extracted AS (SELECT rec, line, json_type(line) AS shape, json_extract(line, [{found}]) AS j FROM checked)",
        f"placed AS (SELECT rec, shape, {', '.join(values)} FROM extracted)",
    ]
    source = "placed"
    if plan.explodes:
        steps += _exploded(plan)
        source = "exploded"
    row = "row_index, row_excess" if plan.explodes else "0::INTEGER AS row_index, 0::TINYINT AS row_excess"
    inner = ", ".join(literal("/" + name) for name in OUTPUTS)
    kept = ", ".join(f"{name}_j" for name in FIELDS)
    steps.append(
        f"opened AS (SELECT rec, shape, {row}, {kept}, json_type(output_j) AS output_type,"
        f" json_extract(output_j, [{inner}]) AS o FROM {source})"
    )
    return f"WITH {', '.join(steps)} SELECT {', '.join(_general_columns())} FROM opened"


def _general_columns() -> list[str]:
    def output(name: str) -> str:
        return f"coalesce(nullif({name}_j::VARCHAR, 'null'), nullif(o[{OUTPUTS.index(name) + 1}]::VARCHAR, 'null'))"

    columns = ["rec", "row_index", "shape", *(f"{name}_j->>'$' AS {name}" for name in SCALARS if name not in NUMBERS)]
    columns += ["nullif(params_j::VARCHAR, 'null') AS params", f"{output('label')}::JSON->>'$' AS label"]
    columns += [f"{output(name)} AS {name}" for name in _JSONS]
    columns += _numbers(
        [f"({name}_j->>'$')" if name in SCALARS else f"({output(name)}::JSON->>'$')" for name in NUMBERS]
    )
    columns += ["nullif(output_type, 'NULL') AS output_type"]
    columns += ["CASE WHEN output_type NOT IN ('OBJECT', 'NULL') THEN output_j::VARCHAR END AS output_text"]
    columns += ["nullif(input_j::VARCHAR, 'null') AS input_json", "NULL::DOUBLE[] AS input_list"]
    columns += [f"{output('probabilities')} AS probability_json", "NULL::DOUBLE[] AS probability_list"]
    return [*columns, "row_excess"]


def _value(sources: Sequence[Source], pointers: list[str]) -> str:
    """Return the SQL of the first of `sources` that is there, as JSON; the paths it needs are added to `pointers`."""
    found = [_one(source, pointers) for source in sources]
    if not found:
        return "NULL::JSON"
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _one(source: Source, pointers: list[str]) -> str:
    if source.const is not None:
        return f"{literal(source.const)}::JSON"
    if source.parts:
        return _composed(source.parts, pointers)
    value = _decoded(_at(source.pointer or "", pointers), source.decode)
    return f"json_extract({value}, {literal(source.inside)})" if source.inside else value


def _at(pointer: str, pointers: list[str]) -> str:
    if not pointer:
        return "json_extract(line, '$')"
    if pointer not in pointers:
        pointers.append(pointer)
    return f"j[{pointers.index(pointer) + 1}]"


def _composed(parts: Sequence[tuple[str | None, str]], pointers: list[str]) -> str:
    """Return the SQL of a record (or vector) put together from several values; null where all of them are absent."""
    cells = [(name, _at(pointer, pointers)) for name, pointer in parts]
    present = f"coalesce({', '.join(cell for _, cell in cells)}) IS NOT NULL"
    pieces = [
        (literal(json.dumps(name, ensure_ascii=False) + ":") + " || " if name is not None else "")
        + f"coalesce({cell}::VARCHAR, 'null')"
        for name, cell in cells
    ]
    left, right = ("{", "}") if parts[0][0] is not None else ("[", "]")
    joined = " || ',' || ".join(pieces)
    return f"CASE WHEN {present} THEN ('{left}' || {joined} || '{right}')::JSON END"


def _decoded(value: str, decode: Decode | None) -> str:
    """Return the SQL of what the string `value` hides, as compact JSON; a value that is no string is taken as it is."""
    if decode is None:
        return value
    text = f"({value}->>'$')"
    if decode is Decode.CELL:
        shown = f"CASE WHEN {text}[1] IN ('[', '{{') AND json_valid({text}) THEN json({text}) ELSE {value} END"
    elif decode is Decode.JSON:
        shown = f"CASE WHEN json_valid({text}) THEN json({text}) ELSE {value} END"
    elif decode is Decode.CSV:
        rows = f"string_split(trim(replace({text}, chr(13), ''), chr(10)), chr(10))"
        shown = f"to_json(list_transform({rows}, lambda r: list_transform(string_split(r, ','), lambda c: trim(c))))"
    else:
        plain = f"TRY(decode(from_base64({text})))"
        as_json = f"CASE WHEN json_valid({plain}) THEN json({plain}) ELSE {value} END"
        shown = f"coalesce(to_json({plain}), {value})" if decode is Decode.BASE64 else as_json
    return f"CASE WHEN json_type({value}) = 'VARCHAR' THEN {shown} ELSE {value} END"


def _exploded(plan: Plan) -> list[str]:
    """Return the steps that make a row of each query of a record."""
    listed = {name: sources[0] for name, sources in plan.sources.items() if any(source.rows for source in sources)}
    lists = ", ".join(
        f"CASE json_type({name}_j) WHEN 'ARRAY' THEN from_json({name}_j, '[\"JSON\"]') WHEN 'NULL' THEN NULL"
        f" ELSE CASE WHEN {name}_j IS NOT NULL THEN [{name}_j] END END AS {name}_l"
        for name in listed
    )
    lengths = ", ".join(f"coalesce(len({name}_l), 0)" for name in listed)
    uneven = " OR ".join(f"({name}_l IS NOT NULL AND len({name}_l) <> n)" for name in listed)
    rest = [name for name in FIELDS if name not in listed]
    picked = ", ".join(
        f"json_extract({name}_l[row_index + 1], {literal(source.each)}) AS {name}_j"
        if source.each
        else f"{name}_l[row_index + 1] AS {name}_j"
        for name, source in listed.items()
    )
    keep = ", ".join(f"{name}_j" for name in rest)
    number = f"unnest(range(least(n, {MAX_ROWS_PER_RECORD + 1})))::INTEGER AS row_index"
    shape = f"CASE WHEN row_index < {MAX_ROWS_PER_RECORD} THEN shape ELSE '{TOO_MANY_ROWS}' END"
    return [
        f"lists AS (SELECT rec, shape, {keep}, {lists} FROM placed)",
        f"counted AS (SELECT *, greatest(1, {lengths}) AS n FROM lists)",
        f"numbered AS (SELECT *, ({uneven})::TINYINT AS row_excess, {number} FROM counted)",
        f"exploded AS (SELECT rec, {shape} AS shape, row_index, row_excess, {keep}, {picked} FROM numbered)",
    ]
