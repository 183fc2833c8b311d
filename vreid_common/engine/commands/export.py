"""``vreid export``: a trained model as an ONNX file or a torch.export program, compared with the model before it is there.

Shape shorthand: N images that are compared; H×W pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from fastreid.config import CfgNode
from torch import Tensor
from torch.export import ExportedProgram
from torchvision.transforms.functional import pil_to_tensor

from vreid_common.data import build_transforms, read_image
from vreid_common.engine.extract import add_image_arguments, read_images
from vreid_common.engine.model_arguments import add_model_arguments, read_models
from vreid_common.engine.placement import share_cores
from vreid_common.engine.trained_model import TrainedModel
from vreid_common.errors import InputError
from vreid_common.export import (
    PREPROCESSINGS,
    RESIZING_TOLERANCE,
    TOLERANCE,
    DeployedNetwork,
    ExportedNetwork,
    ExportRecord,
    OnnxNetwork,
    Parity,
    ProgramNetwork,
    measure_parity,
    model_features,
    require_export_extra,
    trace,
    write_onnx,
    write_program,
)
from vreid_common.features import file_digest
from vreid_common.files import check_writable, write_atomically, write_json
from vreid_common.versions import package_versions

__all__ = ["add_export_arguments", "run_export"]

_KINDS: dict[str, tuple[Callable[..., None], Callable[[Path], ExportedNetwork]]] = {
    ".onnx": (write_onnx, OnnxNetwork),
    ".pt2": (write_program, lambda path: ProgramNetwork(path, file_digest(path))),  # this process has just written it
}
_TOLERANCES = (TOLERANCE, RESIZING_TOLERANCE)
"""Of what ``_parities`` measures, in its order."""
_MOST_IMAGES = 32
_BATCH = 8


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid export``."""
    add_model_arguments(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output", action="append", required=True, metavar="FILE",
        help="FILE.onnx is an ONNX file, FILE.pt2 a program of torch.export (may be given again)",
    )  # fmt: skip
    output.add_argument(
        "--preprocessing", choices=PREPROCESSINGS, default="normalize",
        help="what the graph does before the network: nothing; subtract mean and divide by deviation; or resize before that "
        "(default: %(default)s)",
    )  # fmt: skip
    output.add_argument("--json", metavar="FILE", help="write what the files take and give, and their parity with the model")
    add_image_arguments(parser, required=False)


def run_export(args: argparse.Namespace) -> int:
    """Writes the files that compute what the model computes for real images: the test images, unless others are named.

    Returns 0; 1 where one does not, which is then not written.

    Raises:
        InputError: an argument, a configuration, a checkpoint or an image is not as it must be, or a package is missing.
    """
    paths = _check_outputs(args)
    share_cores(1)
    model = _read_model(args)
    samples = _Samples.read(args, model.cfg)
    network = model.build().eval()
    expected = model_features(network, samples.prepared.split(_BATCH), model.cfg.TEST.FLIP.ENABLED)
    record = _record(args.preprocessing, model, expected)
    program = trace(DeployedNetwork(network, args.preprocessing, record.size, record.crop, record.flip), record.input_size)
    failed, parities = False, {}
    for path in paths:
        found = _write(program, path, record, samples, expected)
        failed |= found is None
        if found is not None:
            digest = file_digest(path)
            parities[str(path)] = {"sha256": digest, **{name: asdict(parity) for name, parity in found.items()}}
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {_signature(record)}, SHA-256 {digest}")
            for name, parity in found.items():
                print(f"  {name}: {parity}")
    if args.json:
        write_json(args.json, {"files": parities, **asdict(record)})
    return 1 if failed else 0


def _check_outputs(args: argparse.Namespace) -> list[Path]:
    paths = [Path(path) for path in args.output]
    for path in paths:
        if path.suffix not in _KINDS:
            raise InputError(f"--output {path}: the name has to end in {' or '.join(_KINDS)}.")
    check_writable(*paths, args.json)
    if any(path.suffix == ".onnx" for path in paths):
        require_export_extra("onnx", "onnxscript", "onnxruntime")
    return paths


def _read_model(args: argparse.Namespace) -> TrainedModel:
    args.device = "cpu"  # a graph keeps the device of its constants
    models = read_models(args)
    if len(models) > 1:
        raise InputError("A file holds one model: export each by itself, and name several with vreid extract --onnx.")
    models[0].trainer.check_config(models[0].cfg, training=False)
    return models[0]


@dataclass(frozen=True)
class _Samples:
    """Real images.

    Attributes:
        prepared: (N, 3, H, W) uint8, as the test transform gives them.
        originals: the same as they are, each (1, 3, H, W) of its own size.
    """

    prepared: Tensor
    originals: Sequence[Tensor]

    @classmethod
    def read(cls, args: argparse.Namespace, cfg: CfgNode) -> _Samples:
        if not (args.images or args.csv or args.dataset):
            if not cfg.DATASETS.TESTS:
                raise InputError("DATASETS.TESTS is empty: name images to compare, by --images, --csv or --dataset.")
            args.dataset = cfg.DATASETS.TESTS[0]
        items = [item for part in read_images(args, cfg).values() for item in part]
        chosen = torch.linspace(0, len(items) - 1, min(_MOST_IMAGES, len(items))).long().tolist()
        pictures = [read_image(items[place].path) for place in chosen]
        transform = build_transforms(cfg, is_train=False)
        return cls(torch.stack(list(map(transform, pictures))), [pil_to_tensor(picture)[None] for picture in pictures])


def _record(preprocessing: str, model: TrainedModel, features: Mapping[str, Tensor]) -> ExportRecord:
    cfg, origin = model.cfg, model.origin()
    return ExportRecord(
        preprocessing=preprocessing,
        size=tuple(cfg.INPUT.SIZE_TEST),
        crop=_crop(cfg),
        pixel_mean=tuple(cfg.MODEL.PIXEL_MEAN),
        pixel_std=tuple(cfg.MODEL.PIXEL_STD),
        flip=cfg.TEST.FLIP.ENABLED,
        features={name: feature.shape[1] for name, feature in features.items()},
        project=model.project,
        architecture=cfg.MODEL.META_ARCHITECTURE,
        checkpoint=origin["checkpoint"],
        config=origin["config"],
        versions=package_versions(),
    )


def _crop(cfg: CfgNode) -> tuple[int, int] | None:
    if not cfg.INPUT.CROP.ENABLED:
        return None
    size = tuple(cfg.INPUT.CROP.SIZE)
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"INPUT.CROP.SIZE is {list(size)}: an exported file needs [height, width].")
    return size


class _NoParity(Exception):
    """A file computes something else than the model."""


def _write(
    program: ExportedProgram, path: Path, record: ExportRecord, samples: _Samples, expected: dict[str, Tensor]
) -> dict[str, Parity] | None:
    """Writes a file and returns its parity; None, said on standard output, where it has none and so is not there."""
    write, reader = _KINDS[path.suffix]
    found: dict[str, Parity] = {}

    def write_checked(temporary: Path) -> None:
        write(program, temporary, record)
        found.update(_parities(reader(temporary), samples, expected))
        if any(not parity.difference <= tolerance for parity, tolerance in zip(found.values(), _TOLERANCES, strict=False)):
            raise _NoParity

    try:
        write_atomically(path, write_checked)
    except _NoParity:
        said = "; ".join(f"{name}: {parity}" for name, parity in found.items())
        print(f"{path} is not written, as it computes something else than the model: {said}")
        return None
    return found


def _parities(exported: ExportedNetwork, samples: _Samples, expected: dict[str, Tensor]) -> dict[str, Parity]:
    """What the images were → parity: prepared, and where the graph resizes also as they are."""

    def compare(batches: Sequence[Tensor]) -> Parity:
        return measure_parity(model_features(exported, batches, flip=False), expected)  # the mirror image is in the graph

    first, others = samples.prepared[:1], samples.prepared[1:]  # the graph has to take batches of one and of several
    parities = {"parity": compare([first, *(others.split(_BATCH) if len(others) else ())])}
    if exported.record.preprocessing == "resize":
        parities["parity, resized in the graph"] = compare(samples.originals)
    return parities


def _signature(record: ExportRecord) -> str:
    height, width = ("height", "width") if record.preprocessing == "resize" else record.input_size
    kind = "float32, normalised" if record.preprocessing == "none" else "uint8 RGB"
    features = ", ".join(f"{name} (batch, {dim})" for name, dim in record.features.items())
    return f"images (batch, 3, {height}, {width}) {kind} -> {features}"
