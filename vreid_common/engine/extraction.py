"""How a command makes features of images: by which models, scales and mirror images, and where."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.utils import comm

from vreid_common.data import ItemDataset, build_transforms
from vreid_common.engine.config_file import load_config
from vreid_common.engine.model_arguments import add_model_arguments, read_models
from vreid_common.engine.placement import memory_format
from vreid_common.engine.seeding import use_repeatable_kernels
from vreid_common.engine.trained_model import ExportedModel, ImageModel, TrainedModel
from vreid_common.errors import InputError
from vreid_common.export import OnnxNetwork
from vreid_common.features import COMBINATIONS, Ensemble, Extractor, transform_identity
from vreid_common.structures import FeatureSet, VehicleImage

__all__ = ["AMP", "Extraction", "add_extraction_arguments", "load_extraction", "read_extraction"]

AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}


def add_extraction_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what ``read_extraction`` reads."""
    models = add_model_arguments(parser, required=False)
    models.add_argument(
        "--onnx", action="append", default=[], metavar="FILE",
        help="a model as `vreid export` wrote it, in place of --config-file and --weights (may be given again)",
    )  # fmt: skip
    features = parser.add_argument_group("features")
    features.add_argument(
        "--scales", type=_numbers, default=(1.0,), metavar="S,S,...", help="scales of the input, e.g. DEx's 0.9,1,1.1,1.2"
    )
    features.add_argument("--flip", action="store_true", help="also the mirror image, at each scale")
    features.add_argument(
        "--combine", choices=COMBINATIONS, default="sum",
        help="how models, scales and mirror images become one feature (default: sum, DEx Eq. 4)",
    )  # fmt: skip
    features.add_argument("--amp", choices=sorted(AMP), help="mixed precision (default: none)")
    run = parser.add_argument_group("computing")
    run.add_argument("--batch-size", type=int, metavar="N", help="images of a batch (default: TEST.IMS_PER_BATCH)")
    run.add_argument("--workers", type=int, metavar="N", help="processes that read images (default: TEST.NUM_WORKERS)")
    run.add_argument("--device", metavar="NAME", help="e.g. cpu or cuda:1 (default: MODEL.DEVICE)")


def read_extraction(args: argparse.Namespace) -> Extraction:
    """What the arguments ask for; no model is built yet.

    Raises:
        InputError: an argument, a configuration or a file is not as it must be.
    """
    models = _read_exported(args) if args.onnx else _read_trained(args)
    for model in models[1:]:
        if transform_identity(model.cfg) != transform_identity(models[0].cfg):
            raise InputError(
                "The configurations prepare images differently (INPUT.SIZE_TEST, INPUT.CROP): all models see the same images; "
                "give them one size by --opts."
            )
    cfg = models[0].cfg
    if args.amp == "fp16" and not cfg.MODEL.DEVICE.startswith("cuda"):
        raise InputError("--amp fp16 needs CUDA: use bf16 on a CPU.")
    batch_size = cfg.TEST.IMS_PER_BATCH if args.batch_size is None else args.batch_size
    if batch_size < 1:
        raise InputError(f"The batch size is {batch_size}: use 1 or more.")
    workers = cfg.TEST.NUM_WORKERS if args.workers is None else args.workers
    return Extraction(models, tuple(args.scales), args.flip, args.combine, args.amp, batch_size, workers)


def load_extraction(
    config_file: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    *,
    project: str | os.PathLike[str] = "",
    opts: Sequence[str] = (),
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    combine: str = "sum",
    device: str | None = None,
) -> Extraction:
    """What ``vreid extract`` makes features by, for one trained model; ``extract`` of the result gives the command's features.

    Args:
        config_file: the run's config.yaml, or a project's configuration.
        weights: the checkpoint.
        project: as ``--project``, like ``opts``, ``scales``, ``flip``, ``combine`` and ``device``.

    Raises:
        InputError: an argument, the configuration or the checkpoint is not as it must be.
    """
    parser = argparse.ArgumentParser()
    add_extraction_arguments(parser)
    args = parser.parse_args([])
    args.config_file, args.weights, args.project = [os.fspath(config_file)], [os.fspath(weights)], os.fspath(project)
    args.opts, args.scales, args.flip, args.combine, args.device = list(opts), tuple(scales), flip, combine, device
    return read_extraction(args)


@dataclass(frozen=True)
class Extraction:
    """Models, how what they see becomes one feature, and how images are read. Its fields are the arguments."""

    models: Sequence[ImageModel]
    scales: tuple[float, ...]
    flip: bool
    combine: str
    amp: str | None
    batch_size: int
    workers: int

    @property
    def cfg(self) -> CfgNode:
        """The configuration by which images are prepared and read."""
        return self.models[0].cfg

    @property
    def device(self) -> torch.device:
        return torch.device(self.cfg.MODEL.DEVICE)

    def settings(self) -> dict[str, Any]:
        """What the features depend on beside models and images, as JSON."""
        return {
            "transform": transform_identity(self.cfg),
            "scales": list(self.scales),
            "flip": self.flip,
            "combine": self.combine,
            "amp": self.amp,
        }

    def model_identity(self) -> dict[str, Any]:
        """Of the models and how their features are made: two that are equal give features that can be compared.

        Raises:
            InputError: a checkpoint cannot be read.
        """
        settings = {name: value for name, value in self.settings().items() if name != "amp"}
        return {"origins": [model.origin() for model in self.models], **settings}

    def dataset(self, items: Sequence[VehicleImage]) -> ItemDataset:
        """Images as the models take them."""
        return ItemDataset(items, build_transforms(self.cfg, is_train=False), relabel=False)

    def extractor(self, *, progress: bool = True) -> Extractor:
        """Builds the models.

        Raises:
            InputError: a checkpoint is not that of its model.
        """
        use_repeatable_kernels(self.cfg)
        return Extractor(
            Ensemble([model.build() for model in self.models], self.scales, flip=self.flip, combine=self.combine),
            device=self.device,
            batch_size=self.batch_size,
            num_workers=self.workers,
            amp_dtype=AMP[self.amp] if self.amp else None,
            memory_format=memory_format(self.cfg),
            progress=progress,
        )

    def extract(self, items: Sequence[VehicleImage]) -> FeatureSet:
        """Builds the models and computes the features of images, in one process and without a store.

        Raises:
            InputError: there are no images, one cannot be read, or a checkpoint is not that of its model.
        """
        found = self.extractor().extract(self.dataset(items))
        assert found is not None, "there is one process"
        return replace(found, model=self.model_identity())


def _read_trained(args: argparse.Namespace) -> list[TrainedModel]:
    if not (args.config_file and args.weights):
        raise InputError("Name a model: --config-file and --weights, or --onnx.")
    models = read_models(args)
    for model in models:
        model.trainer.check_config(model.cfg, training=False)
    return models


def _read_exported(args: argparse.Namespace) -> list[ExportedModel]:
    if args.config_file or args.weights:
        raise InputError("--onnx takes the place of --config-file and --weights: leave these out.")
    if args.amp or args.scales != (1.0,):
        raise InputError("--amp and --scales need the checkpoint: an ONNX file computes in its own types at its own size.")
    device = args.device or "cuda"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise InputError(f"--device is {device!r}: use cpu, cuda, or cuda:N.")
    if device == "cuda" and comm.get_world_size() > 1:
        device = f"cuda:{comm.get_local_rank()}"
    models = []
    for path in args.onnx:
        network = OnnxNetwork(path, device=device)
        cfg = load_config(None, "", args.opts)
        cfg.MODEL.DEVICE = "cpu"  # where images are handed to onnxruntime
        cfg.INPUT.SIZE_TEST = list(network.record.size)
        cfg.INPUT.CROP.ENABLED = network.record.crop is not None
        cfg.INPUT.CROP.SIZE = list(network.record.crop or cfg.INPUT.CROP.SIZE)
        models.append(ExportedModel(cfg, path, network))
    return models


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers above 0, such as 0.9,1,1.1,1.2")
    return numbers
