"""Descriptions of models: JSON cards and configurations, and MLflow's `MLmodel`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from detector.evidence.weights.architecture import (
    MAX_LAYERS,
    Architecture,
    Layer,
    Port,
    UnreadableError,
    cut,
    read_bounded,
    read_json,
    shape_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NAMES = re.compile(
    r"(model_)?(name|version|type|architectures?|uuid|id|owners?|licen[cs]es?|framework\w*|format|format_version|overview)"
    r"|\w*_version|torch_dtype|num_\w+|hidden_size|vocab_size|n_params|parameters|input_format|output_format|run_id"
)
_MOST_FACTS = 40
_DEEPEST = 4
_PICKLES = frozenset({"pickle", "cloudpickle", "joblib", "dill"})


def read_card(path: Path) -> Architecture:
    """Return the facts of a JSON model card or configuration, whatever layout it has.

    Raises:
        UnreadableError: it is no JSON object.
        OSError: it cannot be read.
    """
    card = read_json(read_bounded(path))
    if not isinstance(card, dict):
        raise UnreadableError("it is no JSON object")
    facts = [fact for fact in _facts(card, "", 0) if fact[1]][:_MOST_FACTS]
    listed = card.get("layers")
    layers = [_layer(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    counted = next(
        (card[key] for key in ("parameters", "n_params", "num_parameters") if _is_count(card.get(key))), None
    )
    return Architecture(
        framework=cut(card.get("framework", "")) if isinstance(card.get("framework"), str) else "",
        layers=tuple(layers[:MAX_LAYERS]),
        layer_count=len(layers),
        parameters=counted,
        notes=tuple(facts),
        warnings=("This is what the card says, not what a model file holds.",),
    )


def _facts(card: Mapping[str, Any], under: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in card.items():
        place = f"{under}{cut(key)}"
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _facts(value, f"{place}.", depth + 1)
        elif _NAMES.fullmatch(str(key)) and isinstance(value, (str, int, float)):
            yield place, cut(value)
        elif _NAMES.fullmatch(str(key)) and isinstance(value, list):
            yield place, cut(", ".join(str(one) for one in value if isinstance(one, (str, int, float))))


def _layer(one: Mapping[str, Any]) -> Layer:
    shape, count = one.get("shape"), one.get("parameters")
    kind = one.get("type", one.get("class_name", one.get("kind", "")))
    listed = shape_text(shape) if isinstance(shape, list) else ""
    return Layer(cut(one.get("name", "—")), cut(kind), listed, count if _is_count(count) else None)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_mlmodel(path: Path) -> tuple[Architecture, str | None]:
    """Return what MLflow's description tells, and the name of the model file beside it, None where it names none.

    Raises:
        UnreadableError: it is no such description.
        OSError: it cannot be read.
    """
    import yaml

    try:
        told = yaml.safe_load(read_bounded(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError("it is not YAML") from error
    if not isinstance(told, dict) or not isinstance(told.get("flavors"), dict):
        raise UnreadableError("it names no flavors")
    flavors = {str(key): value for key, value in told["flavors"].items() if isinstance(value, dict)}
    facts = [fact for fact in _facts({**told, "flavors": flavors}, "", 0) if fact[1]][:_MOST_FACTS]
    signature = told.get("signature")
    own = signature if isinstance(signature, dict) else {}
    file = next((str(one[key]) for one in flavors.values() for key in _FILES if isinstance(one.get(key), str)), None)
    pickled = sorted(name for name, one in flavors.items() if _is_pickled(one))
    names = [name for name in flavors if name != "python_function"] or list(flavors)
    return Architecture(
        framework=", ".join(cut(_flavor(name, flavors[name])) for name in names[:4]),
        inputs=tuple(_ports(own.get("inputs"))),
        outputs=tuple(_ports(own.get("outputs"))),
        notes=tuple(facts),
        warnings=(f"It names a pickle ({', '.join(pickled)}), which can run code when loaded.",) if pickled else (),
    ), file


_FILES = ("pickled_model", "data", "model_path", "model_data")


def _is_pickled(flavor: Mapping[str, Any]) -> bool:
    return "pickled_model" in flavor or str(flavor.get("serialization_format", "")) in _PICKLES


def _flavor(name: str, flavor: Mapping[str, Any]) -> str:
    version = next((value for key, value in flavor.items() if str(key).endswith(f"{name}_version")), None)
    return f"{name} {version}" if version is not None else name


def _ports(text: object) -> Iterator[Port]:
    """Yield the columns or tensors of one side of a signature, which is JSON within the YAML."""
    try:
        listed = read_json(text.encode()) if isinstance(text, str) else text
    except UnreadableError:
        return
    for i, one in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(one, dict):
            tensor = one.get("tensor-spec")
            own = tensor if isinstance(tensor, dict) else {}
            shape = own.get("shape")
            kind = own.get("dtype", one.get("type", "?"))
            yield Port(cut(one.get("name", i)), cut(kind), shape_text(shape) if isinstance(shape, list) else "column")
