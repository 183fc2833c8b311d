"""ONNX files: writing them, and running them as a model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from vreid_common.errors import InputError
from vreid_common.export.exported import ExportedNetwork
from vreid_common.export.record import ExportRecord
from vreid_common.export.seal import check_seal, seal, unsealed
from vreid_common.extras import require_extra

__all__ = ["OnnxNetwork", "require_export_extra", "write_onnx"]

INPUT = "images"
"""Name of a graph's input."""

_CUDA = "CUDAExecutionProvider"


def require_export_extra(*packages: str) -> list[ModuleType]:
    """Imports packages of the extra ``export``, which an installation may lack.

    Raises:
        InputError: one is not installed.
    """
    return require_extra("export", "ONNX files", *packages)


def write_onnx(program: ExportedProgram, path: Path, record: ExportRecord) -> None:
    """Writes the ONNX graph of a program, its weights inside and the record in its metadata_props.

    The input is called "images" and has a dynamic batch; outputs have the names of the features.

    Raises:
        InputError: onnx or onnxscript is not installed.
    """
    onnx, _ = require_export_extra("onnx", "onnxscript")
    sides = {2: "height", 3: "width"} if record.preprocessing == "resize" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, of its own functions
        converted = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=list(record.features),
            dynamic_shapes={INPUT: {0: "batch", **sides}},
            custom_translation_table={torch.ops.aten.adaptive_max_pool2d.default: _global_max},
            verbose=False,
        )
    # The converter notes where in whose source files each node comes from: nobody's business, and a third of a small file.
    for node in converted.model.graph.all_nodes():
        node.metadata_props.clear()
    proto = converted.model_proto
    onnx.helper.set_model_props(proto, record.to_properties() | unsealed())
    path.write_bytes(seal(proto.SerializeToString()))


def _global_max(features: Any, output_size: Sequence[int]) -> tuple[Any, Any]:
    """FastReID's GlobalMaxPool, which torch's converter does not know, in ONNX's operators."""
    (script,) = require_export_extra("onnxscript")
    if list(output_size) != [1, 1]:
        raise InputError(f"A maximum over parts of a feature map, to {list(output_size)}, cannot be written as ONNX.")
    operators = script.opset20
    axes = operators.Constant(value_ints=[2, 3])
    # The second output, where the maximum is, is read by nobody.
    return operators.ReduceMax(features, axes, keepdims=1), operators.Shape(features)


class OnnxNetwork(ExportedNetwork):
    """An ONNX file of ``vreid export``, run by onnxruntime with as many threads as torch has.

    Args:
        path: the file.
        device: ``cpu``, ``cuda`` or ``cuda:N``; the CPU where onnxruntime cannot use CUDA.

    Raises:
        InputError: onnxruntime is not installed, or it is no file of ``vreid export``, or not as that wrote it.
    """

    def __init__(self, path: str | os.PathLike[str], *, device: str = "cpu") -> None:
        (runtime,) = require_export_extra("onnxruntime")
        path = os.fspath(path)
        if not Path(path).is_file():
            raise InputError(f"The ONNX file {path} {'is a folder' if Path(path).is_dir() else 'does not exist'}.")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors, which are raised as well
        providers: list[object] = ["CPUExecutionProvider"]
        if device != "cpu" and _CUDA in runtime.get_available_providers():
            providers.insert(0, (_CUDA, {"device_id": int(device.partition(":")[2] or 0)}))
        content = Path(path).read_bytes()  # not by its name: then a graph could have other files read as its weights
        try:
            session = runtime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # onnxruntime raises a dozen types of its own, with nothing in common
            raise InputError(f"{path} is not an ONNX file, or it is damaged.") from error
        record = ExportRecord.from_properties(session.get_modelmeta().custom_metadata_map, path)
        check_seal(content, path)
        super().__init__(path, record)
        self._session = session

    def run(self, pixels: Tensor) -> Sequence[Tensor]:
        found = self._session.run(list(self.record.features), {INPUT: pixels.numpy()})
        return [torch.from_numpy(feature) for feature in found]
