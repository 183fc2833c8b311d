"""Trained models as files for other programs: ONNX and torch.export. See docs/export.md."""

from vreid_common.export.exported import ExportedNetwork
from vreid_common.export.network import DeployedNetwork
from vreid_common.export.onnx_file import OnnxNetwork, require_export_extra, write_onnx
from vreid_common.export.parity import RESIZING_TOLERANCE, TOLERANCE, Parity, measure_parity, model_features
from vreid_common.export.program import ProgramNetwork, trace, write_program
from vreid_common.export.record import PREPROCESSINGS, ExportRecord
from vreid_common.export.resize import resize_like_pillow

__all__ = [
    "PREPROCESSINGS",
    "RESIZING_TOLERANCE",
    "TOLERANCE",
    "DeployedNetwork",
    "ExportRecord",
    "ExportedNetwork",
    "OnnxNetwork",
    "Parity",
    "ProgramNetwork",
    "measure_parity",
    "model_features",
    "require_export_extra",
    "resize_like_pillow",
    "trace",
    "write_onnx",
    "write_program",
]
