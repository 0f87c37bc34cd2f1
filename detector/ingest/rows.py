"""From the lanes' columns to rows of the table `query`, and to rejects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.ingest.arrays import byte_ranges, valid, whole
from detector.ingest.inputs import read_inputs
from detector.ingest.kernels.times import TimeState, parse_epoch, parse_iso
from detector.ingest.lanes import MAX_ROWS_PER_RECORD, NUMBERS, TOO_MANY_ROWS
from detector.ingest.nights import EARLIEST_PLAUSIBLE, LATEST_PLAUSIBLE
from detector.ingest.plan import TimeUnit
from detector.ingest.probabilities import ClassNames, read_probabilities
from detector.ingest.texts import clean_json, clean_text
from detector.model import InputKind, Operation, RowFlag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.ingest.plan import Plan

_LOWEST_STATUS, _HIGHEST_STATUS = 100, 599
_INT32 = 2**31
_TEXTS = ("request_id", "client_id", "source_ip", "user_agent", "model", "model_version", "endpoint", "label")
_OPERATIONS = (
    (Operation.GRADIENTS, r"gradient|jacobian|saliency"),
    (Operation.EXPLAIN, r"expl[ai]|attribution|shap\b|lime\b"),
    (Operation.EMBED, r"embed|encode"),
    (Operation.PREDICT, r"predict|infer|invo[ck]|classif|score|completion|generat|chat|message"),
)


@dataclass(frozen=True)
class Rejects:
    """Queries set aside: parallel arrays.

    Attributes:
        rec: int64, the record within the block.
        row_index: int32.
        reason, expected: object arrays of str.
    """

    rec: NDArray[np.int64]
    row_index: NDArray[np.int64]
    reason: NDArray[Any]
    expected: NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """The readable queries of a block.

    Attributes:
        rec: int64, the record of each within the block.
        table: columns of the table `query` from `row_index` to `flags`, without key and occurrence.
        names: class names met, by row of `table`.
        rejects: the others.
    """

    rec: NDArray[np.int64]
    table: pa.Table
    names: ClassNames | None
    rejects: Rejects


EXPECTED = {
    "not_json": "one JSON object on the line",
    "not_an_object": "one JSON object on the line",
    "too_many_rows": f"at most {MAX_ROWS_PER_RECORD} queries in a record",
    "timestamp_missing": "a timestamp",
    "timestamp_unreadable": "an ISO 8601 time, or a number with timestamp_unit in a mapping file",
    "timestamp_without_zone": "a time with a zone, or --assume-tz",
    "client_id_missing": "a client_id",
    "model_missing": "a model",
}


def read_rows(raw: pa.Table, plan: Plan, assume_tz: str | None, flags: NDArray[np.int32]) -> Rows:
    """Return the queries and rejects of `raw`, which has `lanes.COLUMNS`.

    Args:
        raw: a row a query.
        plan: how records are laid out.
        assume_tz: the zone of times that name none.
        flags: int32, what is known already to be wrong with each row; added to.
    """
    ts, reason = _required(raw, plan, assume_tz)
    bad = np.flatnonzero(reason != "")
    rec, row_index = np.asarray(raw["rec"]).astype(np.int64), np.asarray(raw["row_index"])
    expected = np.array([EXPECTED[name] for name in reason[bad]], dtype=object)
    rejects = Rejects(rec[bad], row_index[bad], reason[bad], expected)
    if len(bad):
        good = np.flatnonzero(reason == "")
        raw, ts, flags, rec = raw.take(pa.array(good)), ts[good], flags[good], rec[good]
    table, names = _columns(raw, ts, plan, flags.copy())
    return Rows(rec, table, names, rejects)


def _required(raw: pa.Table, plan: Plan, assume_tz: str | None) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the times, and why a row cannot be kept ("" where it can)."""
    stamps = whole(raw["timestamp"])
    ranges = byte_ranges(stamps)
    ts, state = parse_iso(*ranges) if plan.unit is TimeUnit.ISO else parse_epoch(*ranges, plan.unit.digits)
    local = state == TimeState.WITHOUT_ZONE
    if assume_tz is not None and local.any():
        ts[local] = _from_zone(ts[local], assume_tz)
        state[local] = TimeState.READ
    reason = np.full(len(ts), "", dtype=object)
    reason[~valid(whole(raw["model"]))] = "model_missing"
    reason[~valid(whole(raw["client_id"]))] = "client_id_missing"
    reason[state == TimeState.WITHOUT_ZONE] = "timestamp_without_zone"
    reason[state == TimeState.UNREADABLE] = "timestamp_unreadable"
    reason[~valid(stamps)] = "timestamp_missing"
    shape = raw["shape"]
    reason[np.asarray(pc.fill_null(pc.not_equal(shape, "OBJECT"), False))] = "not_an_object"
    reason[np.asarray(pc.fill_null(pc.equal(shape, TOO_MANY_ROWS), False))] = "too_many_rows"
    reason[~valid(whole(shape))] = "not_json"
    return ts, reason


def _from_zone(local: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return UTC microseconds of local times; of an hour that comes twice the first, in a gap the moment after it."""
    import pandas as pd

    stamps = pd.DatetimeIndex(local.astype("M8[us]"))
    aware = stamps.tz_localize(zone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    micros: NDArray[np.int64] = aware.tz_convert(None).to_numpy().astype("M8[us]").astype(np.int64)
    return micros


def _columns(
    raw: pa.Table, ts: NDArray[np.int64], plan: Plan, flags: NDArray[np.int32]
) -> tuple[pa.Table, ClassNames | None]:
    flags[(ts < EARLIEST_PLAUSIBLE) | (ts >= LATEST_PLAUSIBLE)] |= RowFlag.TIME_IMPLAUSIBLE
    texts = {name: clean_text(whole(raw[name]), flags) for name in _TEXTS}
    inputs = read_inputs(raw["input_list"], raw["input_json"], plan.input_kind)
    chances = read_probabilities(raw["probability_list"], raw["probability_json"])
    flags |= inputs.flags | chances.flags
    unpaired = np.asarray(raw["row_excess"]) != 0
    flags[unpaired & (inputs.kind == InputKind.NONE)] |= RowFlag.INPUT_UNREADABLE
    flags[unpaired & (inputs.kind != InputKind.NONE)] |= RowFlag.OUTPUT_UNREADABLE
    confidence = _number(raw, "confidence", flags, RowFlag.OUTPUT_UNREADABLE)
    with np.errstate(invalid="ignore"):
        flags[(confidence < 0) | (confidence > 1)] |= RowFlag.PROBABILITIES_NOT_NORMALISED
    params = clean_json(whole(raw["params"]), flags)
    columns = texts | {
        "row_index": raw["row_index"],
        "ts": pa.array(ts),
        "operation": _operation(raw["operation"], raw["endpoint"], plan),
        "status": _status(raw, flags),
        "latency_ms": _nullable(_number(raw, "latency_ms", flags, RowFlag.FIELD_UNREADABLE)),
        "params": params,
        "scored": _scored(raw, chances.kind),
        "confidence": _nullable(confidence),
        "value": _nullable(_number(raw, "value", flags, RowFlag.OUTPUT_UNREADABLE)),
        "input_kind": pa.array(inputs.kind),
        "input": inputs.blob,
        "input_hash": inputs.hash,
        "probability_kind": pa.array(chances.kind),
        "probabilities": chances.blob,
        "output_extra": clean_json(_extra(raw, flags), flags),
        "sampling_rate": _sampling_rate(raw, flags),
    }
    return pa.table(columns | {"flags": pa.array(flags)}), chances.names


def _number(raw: pa.Table, name: str, flags: NDArray[np.int32], flag: RowFlag) -> NDArray[np.float64]:
    """Return a column of numbers, NaN where there is none; what is there and no number gets `flag`."""
    column = whole(raw[name])
    values: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    lost = (np.asarray(raw["no_number"]) >> NUMBERS.index(name)) & 1
    if lost.any():
        flags[lost != 0] |= flag
    infinite = ~np.isfinite(values) & valid(column)
    if infinite.any():
        flags[infinite] |= RowFlag.NON_FINITE
        values = np.where(infinite, np.nan, values)
    return values


def _nullable(values: NDArray[np.float64]) -> Any:  # noqa: ANN401
    return pa.array(values, mask=np.isnan(values))


def _status(raw: pa.Table, flags: NDArray[np.int32]) -> Any:  # noqa: ANN401
    values = _number(raw, "status", flags, RowFlag.FIELD_UNREADABLE)
    there = ~np.isnan(values)
    whole_number = there & (np.abs(values) < _INT32) & (values == np.floor(values))
    flags[there & ~whole_number] |= RowFlag.FIELD_UNREADABLE
    flags[whole_number & ((values < _LOWEST_STATUS) | (values > _HIGHEST_STATUS))] |= RowFlag.STATUS_IMPLAUSIBLE
    return pa.array(np.where(whole_number, values, 0).astype(np.int32), mask=~whole_number)


def _sampling_rate(raw: pa.Table, flags: NDArray[np.int32]) -> Any:  # noqa: ANN401
    values = _number(raw, "sampling_rate", flags, RowFlag.FIELD_UNREADABLE)
    with np.errstate(invalid="ignore"):
        odd = (values <= 0) | (values > 1)
    flags[odd] |= RowFlag.FIELD_UNREADABLE
    return pa.array(values, mask=np.isnan(values) | odd)


def _operation(given: Any, endpoint: Any, plan: Plan) -> Any:  # noqa: ANN401
    """Return the operations: as the layout names them, else by what the endpoint is called; none is a prediction."""
    said = pc.coalesce(whole(given), whole(endpoint)).dictionary_encode()
    words = said.dictionary
    named = pa.array([Operation.OTHER.value]).take(pa.array(np.zeros(len(words), np.int32)))
    for operation, pattern in reversed(_OPERATIONS):
        named = pc.if_else(pc.match_substring_regex(words, pattern, ignore_case=True), operation.value, named)
    if plan.operations:
        places = pc.index_in(words, pa.array(list(plan.operations), pa.string()))
        named = pc.coalesce(pa.array(list(plan.operations.values()), pa.string()).take(places), named)
    every = pa.concat_arrays([named, pa.array([Operation.PREDICT.value])])
    return every.take(pc.fill_null(said.indices, len(words)))


def _extra(raw: pa.Table, flags: NDArray[np.int32]) -> Any:  # noqa: ANN401
    """Return what the output holds beyond its columns as one JSON object; an output that is none is kept, flagged."""
    odd = valid(whole(raw["output_text"]))
    flags[odd] |= RowFlag.OUTPUT_UNREADABLE
    pieces = []
    for name, column in (*((n, n) for n in ("items", "embedding", "text", "logprobs")), ("unreadable", "output_text")):
        values = whole(raw[column])
        if values.null_count < len(values):
            member = pc.binary_join_element_wise(f',"{name}":', values, "")
            pieces.append(pc.fill_null(member, ""))
    if not pieces:
        return pa.nulls(raw.num_rows, pa.string())
    joined = pc.binary_join_element_wise(*pieces, "")
    members = pc.if_else(pc.equal(pc.binary_length(joined), 0), None, joined)
    return pc.binary_join_element_wise(pc.binary_replace_slice(members, 0, 1, "{"), "}", "")


def _scored(raw: pa.Table, probability_kind: NDArray[np.int16]) -> Any:  # noqa: ANN401
    """Return 1 where the answer held scores, or was asked to, 0 where it visibly held only a label, else null."""
    there = {name: valid(whole(raw[name])) for name in ("confidence", "items", "logprobs", "label", "text")}
    scores = (probability_kind > 0) | there["confidence"] | there["items"] | there["logprobs"]
    asked, declined = _asked(whole(raw["params"]))
    scored = np.full(len(scores), -1, np.int16)
    scored[declined | there["label"] | there["text"]] = 0
    scored[asked | scores] = 1
    return pa.array(scored, mask=scored < 0)


def _asked(params: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:  # noqa: ANN401
    """Return where the request asks for scores, and where it says that it wants none; params are compact JSON."""
    flag = r'"(return_probabilities|return_scores|logprobs|top_logprobs|prompt_logprobs)":'
    encoded = params.dictionary_encode()
    distinct = encoded.dictionary
    yes = np.append(np.asarray(pc.match_substring_regex(distinct, flag + r'"?(true|[1-9])')), False)
    no = np.append(np.asarray(pc.match_substring_regex(distinct, flag + r'"?(false|0)')), False)
    index = np.asarray(pc.fill_null(encoded.indices, len(distinct)))
    return yes[index], no[index]
