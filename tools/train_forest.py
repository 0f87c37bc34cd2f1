"""Teach the forest and the boosted trees that ship with the detector: attacks and benign work from the laboratory.

Usage: python -m tools.train_forest --lab DIR [--simulate] [--leave-out family|model]

Every folder in DIR is what `detector simulate` wrote. With --simulate the folders of PLAN that are missing are made
first, which takes half an hour. The windows of every folder are measured as a nightly scan measures them. To them
come those of other_programs.parquet beside this file, measured in the same way on logs of other people's programs:
nevergrad, scipy, pymoo, pycma, DEAP, ART, foolbox, TextAttack, shap, lime, alibi, dice-ml, SALib, PyALE, optuna,
modAL, hypothesis, mealpy, pypop7, pygad, nlopt, zoopt, scikit-optimize, hyperopt, nlpaug, cleanlab, markovify,
noisyopt, and others written from the published algorithms. They asked 36 models. Both kinds of trees are learned, how
much benign work is like attacks to trees that never saw its model is measured (an eighth of the models left out in
turn), which gives findings their p, and FILE is written. With --leave-out nothing is written: each attack family and
benign workload, or each model, is judged by trees that never saw it, and the shares found and accused are printed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from detector.config import Settings
from detector.detect.learned.forest import BOOSTED, LEAF_ARRAYS, TREE_ARRAYS, UNSEEN, parsed
from detector.detect.learned.resemblance import FEWEST_QUERIES, lowest_bar
from detector.detect.learned.words import ORDINARY, technique_of
from detector.features.scan import NightBounds, measure
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.model import EntityKind, Technique
from detector.redteam.scenarios import Selection
from detector.redteam.simulation import simulate
from detector.store import scanning
from detector.store.engine import Store
from tools.lessons import COLUMNS, NOTHING_TO_SEE, READ, beside_usual, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    from detector.detect.learned.forest import Learned

FILE = Path(__file__).parent.parent / "detector" / "detect" / "learned" / "forest.npz"
OTHER_PROGRAMS = Path(__file__).parent / "other_programs.parquet"
_NAMED = ("clinic", "digits", "risk", "numerals", "topics", "biopsy", "risk_forest")
# Scenario, models, seeds, clients of each kind: a few clients on many models teach more than many on a few.
PLAN = (
    ("laboratory", _NAMED, (11,), 3),
    ("laboratory", ("surfaces", "trades", "vintage"), (41,), 3),
    ("laboratory", ("invented",), tuple(range(101, 109)), 2),
    ("laboratory", ("invented_records",), tuple(range(101, 111)), 2),
    ("evasions", _NAMED[:3], (31,), 3),
    ("campaigns", _NAMED[:3], (31,), 3),
)
CLEAN_NIGHTS = 3
TREES = 96
BOOSTED_TREES = 300
CALIBRATED = 1000
SMALLEST_LEAF = 12
SEED = 20_240_229
_INVENTED = "invented"
# What a model that is left out would lend to these, which answer for the same records.
_SAME_DATA = {"risk_forest": "risk", "numerals": "digits"}
_FOLDS = 8
# A window of several clients teaches what nearly all of them do.
_ALIKE = 0.8


def main() -> None:
    """Run the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lab", type=Path, required=True)
    options.add_argument("--simulate", action="store_true")
    options.add_argument("--leave-out", choices=("family", "model"))
    given = options.parse_args()
    if given.simulate:
        _simulate(given.lab)
    folders = [folder for folder in sorted(given.lab.iterdir()) if (folder / "labels.csv").is_file()]
    parts = [*(_windows(folder) for folder in folders), pd.read_parquet(OTHER_PROGRAMS)]
    table = beside_usual(pd.concat(parts, ignore_index=True))
    if given.leave_out:
        _left_out(table, given.leave_out)
        return
    FILE.write_bytes(exported(_grown(table), _boosted(table), _unseen(table)))
    print(f"{len(table):,} windows of {table['kind'].nunique()} kinds; {FILE.stat().st_size:,} bytes")


def _simulate(lab: Path) -> None:
    for scenario, models, seeds, clients in PLAN:
        for seed, model in product(seeds, models):
            folder = lab / f"{scenario}_{model}_{seed}"
            if not (folder / "labels.csv").is_file():
                simulate(folder, scenario=scenario, seed=seed, selection=Selection(models=(model,), clients=clients))


def _windows(folder: Path) -> pd.DataFrame:
    """Return the windows of one folder with `kind`, what was being done, `is_attack`, and `pooled`, of several clients.

    An attacker's ordinary nights before the attack are left out; the clean nights of a benign client are ordinary.
    """
    kept = folder / "windows.parquet"
    if not kept.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            store = Store(f"sqlite:///{scratch}/store.db")
            ingest(store, [folder / "*.jsonl.gz"], IngestOptions())
            pd.concat(_measured(store)).to_parquet(kept)
            store.close()
    frame = pd.read_parquet(kept)
    told = pd.read_csv(folder / "labels.csv", dtype={"client_id": str})
    told = told[["client_id", "model", "is_attack", "family", "first_ts", "last_ts"]]
    named = frame[frame["query_count"] >= FEWEST_QUERIES].explode("clients").rename(columns={"clients": "client_id"})
    joined = named.merge(told, on=["client_id", "model"])
    during = (joined["night"] >= joined["first_ts"].str[:10]) & (joined["night"] <= joined["last_ts"].str[:10])
    first = joined["night"].min()
    clean = (dt.date.fromisoformat(first) + dt.timedelta(days=CLEAN_NIGHTS)).isoformat()
    joined["pooled"] = joined["entity_kind"] != EntityKind.CLIENT.value
    joined["kind"] = np.where((joined["night"] < clean) & ~joined["pooled"], ORDINARY, joined["family"])
    joined = joined[~joined["is_attack"] | during]
    joined.loc[joined["is_attack"], "kind"] = joined["family"]
    joined = _of_one_kind(joined[~joined["kind"].isin(NOTHING_TO_SEE)])
    # Every seed invents another model under the same name.
    if joined["model"].iloc[0].startswith(_INVENTED):
        joined["model"] = folder.name
    return joined[["model", "kind", "is_attack", "pooled", *READ]]


def _of_one_kind(joined: pd.DataFrame) -> pd.DataFrame:
    """Return each window once, from a row a window and member; those whose members do different things are left out."""
    window = ["night", "entity_kind", "entity_id"]
    members = joined.groupby(window)["kind"].transform("size")
    alike = joined.groupby([*window, "kind"])["kind"].transform("size")
    return joined[alike >= _ALIKE * members].drop_duplicates(window)


def _measured(store: Store) -> Iterator[pd.DataFrame]:
    settings = Settings()
    with store.begin() as connection:
        span = scanning.night_range(connection)
        if span is None:
            raise SystemExit("the laboratory's logs hold no query")
        nights = [span[0] + dt.timedelta(days=day) for day in range((span[1] - span[0]).days + 1)]
        bounds = [NightBounds.of(night, dt.time(0)) for night in nights]
        told = [(m, b) for b in bounds for m in scanning.models_between(connection, b.first_ts, b.last_ts)]
    for model, night in told:
        scanned = measure(store, model, night, settings)
        if scanned.is_new_schema:
            s = scanned.schema
            with store.begin() as connection:
                scanning.add_schema(
                    connection, scanning.StoredSchema(s.model, s.version, s.night, s.body(), s.arrays())
                )
        frame = scanned.windows.frame
        chosen = frame[(frame["horizon"] == "night") & (frame["entity_kind"] != EntityKind.NETWORK.value)]
        columns = ["entity_kind", "entity_id", "clients", "query_count", *READ]
        yield chosen[columns].assign(model=model, night=night.night.isoformat())


def taught(table: pd.DataFrame) -> Learned:
    """Grow the forest and boost the trees."""
    return parsed(exported(_grown(table), _boosted(table), np.empty(0)))


def _grown(table: pd.DataFrame) -> ExtraTreesClassifier:
    from sklearn.ensemble import ExtraTreesClassifier

    table, weight = weighed(table)
    forest = ExtraTreesClassifier(TREES, min_samples_leaf=SMALLEST_LEAF, max_features=0.4, n_jobs=2, random_state=SEED)
    return forest.fit(table[list(COLUMNS)].to_numpy(dtype=np.float32), table["kind"].to_numpy(), sample_weight=weight)


def _boosted(table: pd.DataFrame) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    table, weight = weighed(table)
    trees = HistGradientBoostingClassifier(
        max_iter=BOOSTED_TREES, learning_rate=0.06, max_leaf_nodes=31, l2_regularization=1.0, max_features=0.4,
        early_stopping=False, random_state=SEED,
    )  # fmt: skip
    rows = table[list(COLUMNS)].to_numpy(dtype=np.float32)
    return trees.fit(rows, table["is_attack"].to_numpy(dtype=bool), sample_weight=weight)


def _unseen(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return how much benign workloads are like attacks to trees that never saw their model, (CALIBRATED,), ascending.

    Every workload of every model weighs alike, however many windows it has. Ordinary customers are left out: who asks
    whether a study of a model is an attack is not helped by how many customers there are.
    """
    found, _ = _judged_apart(table, "model")
    alike = ~table["is_attack"].to_numpy(dtype=bool) & (table["kind"] != ORDINARY).to_numpy()
    weight = 1.0 / table[alike].groupby(["kind", "model"])["kind"].transform("size").to_numpy()
    order = np.argsort(found[alike], kind="stable")
    below = np.cumsum(weight[order]) / weight.sum()
    at = np.searchsorted(below, (np.arange(CALIBRATED) + 0.5) / CALIBRATED)
    return np.asarray(found[alike][order][np.minimum(at, len(order) - 1)])


def exported(
    forest: ExtraTreesClassifier, boosted: HistGradientBoostingClassifier, unseen: NDArray[np.float64]
) -> bytes:
    """Return both as npz bytes, with what `_unseen` returns; shares in 255 steps."""
    grown = [one.tree_ for one in forest.estimators_]
    arrays = _laid_out(
        (one.feature, one.threshold, one.children_left, one.children_right, one.missing_go_to_left, one.feature < 0)
        for one in grown
    )
    arrays |= _of_leaves(grown, [str(name) for name in forest.classes_], leaf=arrays["feature"] < 0)
    nodes = [one[0].nodes for one in boosted._predictors]  # noqa: SLF001 - the library shows them nowhere else
    columns = ("feature_idx", "num_threshold", "left", "right", "missing_go_to_left", "is_leaf")
    added = _laid_out(tuple(n[column] for column in columns) for n in nodes)
    added["worth"] = np.concatenate([n["value"] for n in nodes]).astype(np.float32)
    names = {
        "features": READ,
        "classes": [str(name) for name in forest.classes_],
        "start": float(boosted._baseline_prediction.item()),  # noqa: SLF001 - as above
    }
    told = np.frombuffer(json.dumps(names).encode(), np.uint8)
    buffer = io.BytesIO()
    arrays |= {BOOSTED + name: array for name, array in added.items()} | {UNSEEN: unseen.astype(np.float32)}
    np.savez_compressed(buffer, told=told, **arrays)
    return buffer.getvalue()


def _of_leaves(grown: Sequence[Any], classes: Sequence[str], leaf: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what passes the nodes and what the leaves hold as `LEAF_ARRAYS`, shares in 255 steps."""
    values = np.concatenate([tree.value[:, 0, :] for tree in grown])
    values /= values.sum(axis=1, keepdims=True)
    attacks = [technique_of(name) is not None for name in classes]
    counts = np.rint(255.0 * values[leaf]).astype(np.uint8)
    rows, which = np.nonzero(counts)
    passing = np.rint(255.0 * values[:, attacks].sum(axis=1)).astype(np.uint8)
    held = np.bincount(rows, minlength=len(counts)).astype(np.uint8)
    return dict(zip(LEAF_ARRAYS, (passing, held, which.astype(np.uint8), counts[rows, which]), strict=True))


def _laid_out(trees: Iterable[tuple[NDArray[Any], ...]]) -> dict[str, Any]:
    """Return trees (feature, cut, left, right, where nulls go, which are leaves) as the arrays of `Trees`."""
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in TREE_ARRAYS}
    at = 0
    for feature, cut, left, right, null_left, leaf in trees:
        # The library sends left what is at most the 64-bit cut; in 32 bits the next smaller number does the same.
        near = cut.astype(np.float32)
        parts["roots"].append(np.array([at], np.int32))
        parts["feature"].append(np.where(leaf, -1, feature).astype(np.int16))
        parts["cut"].append(np.where(near > cut, np.nextafter(near, np.float32(-np.inf)), near))
        parts["left"].append((left.astype(np.int64) + at).astype(np.int32))
        parts["right"].append((right.astype(np.int64) + at).astype(np.int32))
        parts["null_left"].append(null_left.astype(bool))
        at += len(feature)
    return {name: np.concatenate(pieces) for name, pieces in parts.items()}


def _judged_apart(table: pd.DataFrame, what: str) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return how much each window is like attacks, and which technique, to trees without its family or its model."""
    found = np.full(len(table), np.nan)
    named = np.full(len(table), "", dtype=object)
    for fold in _folds(table, what):
        learned = taught(table[~fold])
        rows = table.loc[fold, list(COLUMNS)].to_numpy(dtype=np.float64)
        shares = learned.forest.resembles(rows)
        found[fold.to_numpy()] = learned.attack(shares, learned.boosted.attack(rows))
        technique = [str(technique_of(name)) for name in learned.forest.classes]
        most = np.where(learned.forest.attacks, shares, -1.0).argmax(axis=1)
        named[fold.to_numpy()] = [technique[i] for i in most]
    return found, named


def _left_out(table: pd.DataFrame, what: str) -> None:
    """Print what forests find that never saw the family, or the model, that they judge."""
    found, named = _judged_apart(table, what)
    bars = np.array([lowest_bar(Technique(name)) for name in named])
    told = table.assign(share=found, named=named, over=found >= bars)
    attacks = told[told["is_attack"]]
    right = attacks["named"] == attacks["kind"].map(lambda kind: str(technique_of(kind)))
    print(
        (attacks.assign(right=right & attacks["over"]).groupby("kind")[["over", "right"]].mean().round(3)).to_string()
    )
    print(told[~told["is_attack"]].groupby("kind")["over"].agg(["mean", "size"]).round(3).to_string())


def _folds(table: pd.DataFrame, what: str) -> list[pd.Series]:
    """Return an eighth of the families and workloads, or of the models, at a time; customers stay with their models."""
    names = table["model"].replace(_SAME_DATA) if what == "model" else table["kind"]
    kinds = sorted(set(names) - {ORDINARY})
    place = {kind: position % _FOLDS for position, kind in enumerate(np.random.default_rng(SEED).permutation(kinds))}
    number = names.map(place).fillna(pd.Series(np.arange(len(table)) % _FOLDS, index=table.index))
    return [number == fold for fold in range(_FOLDS)]


if __name__ == "__main__":
    main()
