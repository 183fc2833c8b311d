"""``torch.export``: a model as a graph of torch's own operators, with a batch of any size.

Shape shorthand: B images; H×W pixels.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from vreid_common.errors import InputError
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
    """A .pt2 that ``write_program`` wrote, and no other.

    Reading a .pt2 can run code: torch unpickles what it holds, evaluates its expressions and runs its guards as Python. So the
    file is read only if it is the one that the caller knows, by its digest.

    Args:
        path: the file.
        sha256: its SHA-256, as ``vreid export`` says it.

    Raises:
        InputError: there is no such file, or it is another one.
    """

    def __init__(self, path: str | os.PathLike[str], sha256: str) -> None:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"The program {path} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(f"{path} is not the file with the SHA-256 {sha256}: reading another could run its code.")
        extra = {RECORD_FILE: ""}  # replaced with its content
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given buffer is not writable")  # torch copies it
            program = torch.export.load(io.BytesIO(content), extra_files=extra)
        super().__init__(str(path), ExportRecord.from_properties(json.loads(extra[RECORD_FILE]), str(path)))
        self._module = program.module()

    def run(self, pixels: Tensor) -> Sequence[Tensor]:
        return self._module(pixels)
