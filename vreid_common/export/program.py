"""``torch.export``: a model as a graph of torch's own operators, with a batch of any size.

Shape shorthand: B images; H×W pixels.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from vreid_common.export.exported import ExportedNetwork
from vreid_common.export.network import DeployedNetwork
from vreid_common.export.record import ExportRecord

__all__ = ["RECORD_FILE", "ProgramNetwork", "trace", "write_program"]

RECORD_FILE = "vreid.json"
"""The extra file in a .pt2 that has ``ExportRecord.to_properties``."""

_SMALLEST, _LARGEST = 2, 16384
"""Pixels of a side of an image that the graph resizes."""


def trace(network: DeployedNetwork, input_size: tuple[int, int]) -> ExportedProgram:
    """The program of a network; B may be any number, and H and W where the network resizes.

    Args:
        network: on the CPU.
        input_size: (H, W) of its input where it does not resize.
    """
    dtype = torch.float32 if network.preprocessing == "none" else torch.uint8
    images = torch.zeros(2, 3, *input_size, dtype=dtype)  # two, as torch.export takes sizes of 0 and 1 for constants
    sizes = {0: Dim("batch")}
    if network.preprocessing == "resize":
        sizes |= {2: Dim("height", min=_SMALLEST, max=_LARGEST), 3: Dim("width", min=_SMALLEST, max=_LARGEST)}
    with torch.no_grad():
        return torch.export.export(network, (images,), dynamic_shapes={"images": sizes})


def write_program(program: ExportedProgram, path: Path, record: ExportRecord) -> None:
    """Writes a .pt2, which ``torch.export.load`` reads, with the record as its extra file ``RECORD_FILE``."""
    with path.open("wb") as file:
        torch.export.save(program, file, extra_files={RECORD_FILE: json.dumps(record.to_properties())})


class ProgramNetwork(ExportedNetwork):
    """A .pt2 that ``write_program`` wrote. Only for files of one's own: torch does not promise that reading one runs no code.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        extra = {RECORD_FILE: ""}  # replaced with its content
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given buffer is not writable")  # torch copies it
            program = torch.export.load(file, extra_files=extra)
        super().__init__(str(path), ExportRecord.from_properties(json.loads(extra[RECORD_FILE]), str(path)))
        self._module = program.module()

    def run(self, pixels: Tensor) -> Sequence[Tensor]:
        return self._module(pixels)
