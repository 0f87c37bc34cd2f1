from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from evidence_making import context, queries
from onnx import TensorProto, helper, numpy_helper

from detector.config import ModelSettings
from detector.evidence import weights
from detector.evidence.weights import architecture, pickles
from detector.evidence.weights.architecture import Layer, Port
from detector.model import EvidenceStatus

if TYPE_CHECKING:
    from pathlib import Path

CAPTURED, UNAVAILABLE, NOT_APPLICABLE = (
    EvidenceStatus.CAPTURED,
    EvidenceStatus.UNAVAILABLE,
    EvidenceStatus.NOT_APPLICABLE,
)


@dataclass
class _Hostile:
    command: str = "true"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def _zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def _npy(shape: tuple[int, ...], kind: str = "f4") -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(shape, dtype=kind))
    return buffer.getvalue()


def _safetensors(header: Any) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def _onnx() -> bytes:
    held = [
        numpy_helper.from_array(np.zeros((64, 10), np.float32), "w"),
        numpy_helper.from_array(np.array([1, 64]), "shape"),
    ]
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"], name="flatten"),
        helper.make_node("Gemm", ["flat", "w"], ["y"], name="dense"),
        helper.make_node("Scaler", ["y"], ["p"], domain="ai.onnx.ml", scale=[1.0, 2.0, 3.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8, 8])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 10])],
        held,
    )
    made = helper.make_model(graph, producer_name="pytorch", producer_version="2.9")
    data: bytes = made.SerializeToString()
    return data


def _files(folder: Path) -> dict[str, bytes]:
    _zipped(folder / "torch", model__data_dot_pkl=b"x")
    _zipped(folder / "script", model__data_dot_pkl=b"x", model__code__net_dot_py=b"x")
    _zipped(folder / "skops", schema_dot_json=b"{}")
    _zipped(folder / "keras", model_dot_weights_dot_h5=b"x")
    _zipped(folder / "zip", readme=b"x")
    return {
        "safetensors": _safetensors({"a": {}}),
        "onnx": b"\x08\x0a\x12\x07pytorch:\x00",
        "hdf5": b"\x89HDF\r\n\x1a\n....",
        "gguf": b"GGUF\x03\x00",
        "pickle": pickle.dumps({"a": 1}),
        "old.pkl": pickle.dumps({"a": 1}, protocol=0),
        "MLmodel": b"artifact_path: model\n",
        "card.json": b'{"name": "digits"}',
        "broken": b"PK\x03\x04 and no more",
        "other": b"hello",
        "empty": b"",
    }


def test_formats_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    for name, content in _files(tmp_path).items():
        (tmp_path / name).write_bytes(content)
    told = {path.name: weights.look_at(path).format for path in tmp_path.iterdir()}
    pickled = "pickle: can run code when loaded, so it was never loaded"
    assert told == {
        "torch": "PyTorch archive with a pickle: can run code when loaded, so it was never loaded",
        "script": "TorchScript archive: holds code and pickles, so it was never loaded",
        "skops": "skops archive",
        "keras": "Keras archive",
        "zip": "zip archive",
        "safetensors": "safetensors",
        "onnx": "ONNX",
        "hdf5": "HDF5 (Keras)",
        "gguf": "GGUF",
        "pickle": pickled,
        "old.pkl": pickled,
        "MLmodel": "MLflow MLmodel",
        "card.json": "JSON description",
        "broken": "damaged zip archive",
        "other": "unknown",
        "empty": "unknown",
    }


def test_onnx_is_read_by_its_protobuf(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_onnx())
    file = weights.look_at(path)
    found = file.architecture
    assert found is not None
    assert (found.framework, found.layer_count, found.parameters) == ("pytorch 2.9", 3, 643)
    assert found.layers == (
        Layer("flatten", "Reshape", "", 0),
        Layer("dense", "Gemm", "64 \u00d7 10", 640),
        Layer("—", "Scaler", "", 3),
    )
    assert found.inputs == (Port("x", "float", "batch \u00d7 8 \u00d7 8"),)
    assert found.outputs == (Port("p", "float", "batch \u00d7 10"),)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.path == path.as_posix()


def test_arrays_in_other_files_are_pointed_out(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(_onnx())
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    found = weights.look_at(tmp_path / "model.onnx").architecture
    assert found is not None
    assert found.warnings == ("1 arrays lie in other files, which were not hashed.",)


def test_safetensors_are_read_by_their_header(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "layer.0.weight": {"dtype": "F32", "shape": [8, 4], "data_offsets": [0, 128]},
        "layer.0.bias": {"dtype": "F32", "shape": [8], "data_offsets": [128, 160]},
        "scale": {"dtype": "BF16", "shape": [], "data_offsets": [160, 162]},
    }
    (tmp_path / "model.safetensors").write_bytes(_safetensors(header) + bytes(162))
    found = weights.look_at(tmp_path / "model.safetensors").architecture
    assert found is not None
    assert (found.framework, found.parameters) == ("PyTorch", 41)
    assert found.layers == (
        Layer("layer.0", "F32", "weight 8 \u00d7 4; bias 8", 40),
        Layer("scale", "BF16", "scale scalar", 1),
    )


SCHEMA = {
    "__class__": "LogisticRegression",
    "__module__": "sklearn.linear_model._logistic",
    "__loader__": "ObjectNode",
    "_skops_version": "0.16.0",
    "content": {
        "__class__": "dict",
        "__module__": "builtins",
        "__loader__": "DictNode",
        "content": {
            "coef_": {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "file": "1.npy"},
            "classes_": {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "file": "2.npy"},
            "odd": {"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode"},
            "_sklearn_version": {"__class__": "str", "__module__": "builtins", "content": '"1.9.1"'},
        },
    },
}


def test_skops_is_read_by_its_schema_and_the_heads_of_its_arrays(tmp_path: Path) -> None:
    members = {
        "schema_dot_json": json.dumps(SCHEMA).encode(),
        "1_dot_npy": _npy((3, 4)),
        "2_dot_npy": _npy((3,), "i8"),
    }
    found = weights.look_at(_zipped(tmp_path / "model.skops", **members)).architecture
    assert found is not None
    assert (found.framework, found.parameters, found.notes) == ("scikit-learn 1.9.1", 12, (("skops", "0.16.0"),))
    assert found.layers == (Layer("LogisticRegression", "sklearn.linear_model._logistic", "3 \u00d7 4", 12),)
    assert found.warnings == ("It names types that are not of scikit-learn or NumPy: posix.system.",)


def test_keras_layers_that_hold_code_are_pointed_out(tmp_path: Path) -> None:
    layers = [
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 10}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "trick"}},
    ]
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "net", "layers": layers}}
    members = {
        "config_dot_json": json.dumps(config).encode(),
        "metadata_dot_json": b'{"keras_version": "3.11.2"}',
        "model_dot_weights_dot_h5": b"x",
    }
    found = weights.look_at(_zipped(tmp_path / "model.keras", **members)).architecture
    assert found is not None
    assert found.framework == "Keras 3.11.2"
    assert [(one.name, one.kind, one.shape) for one in found.layers] == [
        ("dense", "Dense", "10"),
        ("trick", "Lambda", ""),
    ]
    assert found.warnings == ("Lambda layers hold code that runs when loaded: trick.",)


def test_cards_are_read_whatever_their_layout(tmp_path: Path) -> None:
    card = {
        "model_details": {"name": "faces", "version": {"name": "7"}, "secret": "no"},
        "architectures": ["ResNet"],
        "framework": "torch 2.9",
        "parameters": 1_000,
        "layers": [{"name": "stem", "type": "Conv2d", "shape": [64, 3, 7, 7], "parameters": 9_408}, "odd"],
    }
    (tmp_path / "card.json").write_text(json.dumps(card))
    found = weights.look_at(tmp_path / "card.json").architecture
    assert found is not None
    assert (found.framework, found.parameters) == ("torch 2.9", 1_000)
    assert found.layers == (Layer("stem", "Conv2d", "64 \u00d7 3 \u00d7 7 \u00d7 7", 9_408),)
    assert dict(found.notes)["model_details.name"] == "faces"
    assert dict(found.notes)["architectures"] == "ResNet"
    assert "no" not in dict(found.notes).values()


MLMODEL = """
artifact_path: model
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.9}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle, sklearn_version: 1.9.1}
mlflow_version: 3.5.0
signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 64]}}]'
  outputs: '[{"name": "label", "type": "long"}]'
"""


def test_mlflow_descriptions_lead_to_the_file_beside_them(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(MLMODEL)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(_Hostile()))
    file = weights.look_at(tmp_path / "MLmodel")
    found = file.architecture
    assert found is not None
    assert found.framework == "sklearn 1.9.1"
    assert found.inputs == (Port("0", "float32", "-1 \u00d7 64"),)
    assert found.outputs == (Port("label", "long", "column"),)
    assert found.warnings == ("It names a pickle (sklearn), which can run code when loaded.",)
    assert file.beside is not None
    assert file.beside.scan is not None
    assert file.beside.scan.dangerous
    told = weights.examine(context(settings=ModelSettings(weights=tmp_path / "MLmodel"))).item
    assert "posix.system" in told.reason
    assert dict(told.facts)["model.pkl: SHA-256"] == file.beside.sha256


@pytest.mark.parametrize("named", ["../outside.pkl", "/etc/hostname", "gone.pkl", "a\x00b"])
def test_descriptions_lead_nowhere_else(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.pkl").write_bytes(b"x")
    (folder / "MLmodel").write_text(f"flavors:\n  sklearn: {{pickled_model: {json.dumps(named)}}}\n")
    file = weights.look_at(folder / "MLmodel")
    assert (file.unread, file.beside) == (None, None)


def test_pickles_are_scanned_and_never_loaded(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(_Hostile(f"touch {ran}")))
    (tmp_path / "good.pkl").write_bytes(pickle.dumps(np.zeros(3)))
    _zipped(tmp_path / "torn", model__data_dot_pkl=pickle.dumps(np.zeros(300))[:90])
    assert weights.look_at(tmp_path / "bad.pkl").scan is not None
    assert not ran.exists()
    good = weights.look_at(tmp_path / "good.pkl").scan
    assert good is not None
    assert (good.dangerous, "none known to be dangerous" in good.told) == (False, True)
    assert "numpy.ndarray" in {one.name for one in good.imports}
    scanned = weights.look_at(tmp_path / "torn").scan
    assert scanned is not None
    assert scanned.dangerous


def test_hostile_pickles_are_flagged(tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(_Hostile()))
    _zipped(tmp_path / "script.pt", net__data_dot_pkl=pickle.dumps(_Hostile()), net__code__a_dot_py=b"")
    for name in ("bad.pkl", "script.pt"):
        found = weights.look_at(tmp_path / name).scan
        assert found is not None
        assert found.dangerous
        assert found.told == "Loading it would import posix.system: treat it as hostile."
        assert found.imports[0] == pickles.Import("posix.system", "dangerous")


def test_without_the_packages_the_item_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.onnx").write_bytes(_onnx())
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(1))
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "picklescan", None)
    assert "inversion-detector[weights]" in (weights.look_at(tmp_path / "a.onnx").unread or "")
    scanned = weights.look_at(tmp_path / "a.pkl").scan
    assert scanned is not None
    assert "inversion-detector[weights]" in scanned.told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("long.safetensors", (900).to_bytes(8, "little") + b'{"a":'),
        ("odd.safetensors", _safetensors([1])[:8] + b"{1}"),
        ("shape.safetensors", _safetensors({"a": {"dtype": "F32", "shape": [-1]}})),
        ("array.safetensors", _safetensors({"a": 3, "b": 4})),
        ("cut.onnx", b"\x08\x0a\x12\xff\xff\xff\x7f"),
        ("card.json", b'{"name": '),
        ("deep.json", b'{"a":' * 100_000),
        ("MLmodel", b"flavors: 3\n"),
        ("bad/MLmodel", b"flavors: [\n"),
    ],
)
def test_damaged_files_are_hashed_and_said_to_be_unreadable(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content + bytes(40) if name.endswith("tensors") and name != "long.safetensors" else content)
    file = weights.look_at(path)
    assert file.architecture is None
    assert len(file.sha256) == 64
    if file.format != "unknown":
        assert file.unread


def test_an_archive_that_unfolds_without_end_is_left_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detector.evidence.weights import headers

    monkeypatch.setattr(headers, "MOST_TEXT", 1_000)
    with zipfile.ZipFile(tmp_path / "m.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b'{"a": "' + b"x" * 100_000 + b'"}')
    assert "longer than 1,000 bytes" in (weights.look_at(tmp_path / "m.skops").unread or "")


def test_the_item_is_captured_missing_or_beside_the_point(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_onnx())
    named = weights.examine(context(settings=ModelSettings(weights=path)))
    assert named.item.status is CAPTURED
    facts = dict(named.item.facts)
    assert (facts["Format"], facts["Layers"], facts["Parameters"]) == ("ONNX", "3", "643")
    assert facts["Input x"] == "float, batch \u00d7 8 \u00d7 8"
    gone = weights.examine(context(settings=ModelSettings(weights=tmp_path / "gone")))
    assert (gone.item.status, "cannot be read" in gone.item.reason) == (UNAVAILABLE, True)
    asked = queries(count=3, operation=np.array(["gradients", "gradients", "predict"], dtype=object))
    white_box = weights.examine(context(queries=asked))
    assert (white_box.item.status, white_box.calls) == (UNAVAILABLE, (("gradients", 2),))
    assert weights.examine(context()).item.status is NOT_APPLICABLE


def test_shapes_and_names_of_strangers_stay_short() -> None:
    assert architecture.shape_text([]) == "scalar"
    assert architecture.shape_text(["", 3, None]) == "? \u00d7 3 \u00d7 ?"
    assert architecture.shape_text(range(100)).endswith("31 \u00d7 …")
    assert len(architecture.cut("x" * 5_000)) == architecture.LONGEST
    with pytest.raises(architecture.UnreadableError):
        architecture.size_of([True])
