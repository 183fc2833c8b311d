"""``vreid extract``: features of a folder, a CSV file or a data set, by one or several trained models."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

import torch
from fastreid.config import CfgNode
from fastreid.utils import comm

from vreid_common.data import ItemDataset, build_dataset, build_transforms, read_folder
from vreid_common.data.transforms import decode_size
from vreid_common.engine.console import set_up_logging
from vreid_common.engine.launch import end_together, launch
from vreid_common.engine.model_arguments import add_model_arguments, read_models
from vreid_common.engine.placement import describe_device, memory_format, share_cores
from vreid_common.engine.seeding import use_repeatable_kernels
from vreid_common.engine.trained_model import TrainedModel
from vreid_common.errors import InputError
from vreid_common.features import (
    COMBINATIONS,
    Ensemble,
    Extractor,
    image_list_digest,
    open_store,
    shard_size,
    transform_identity,
)
from vreid_common.structures import FeatureSet, VehicleImage

__all__ = ["add_extract_arguments", "run_extract"]

logger = logging.getLogger(__name__)

_AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}


def add_extract_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid extract``."""
    add_model_arguments(parser)
    images = parser.add_argument_group("images").add_mutually_exclusive_group(required=True)
    images.add_argument("--images", metavar="FOLDER", help="all images in a folder and below it")
    images.add_argument("--csv", metavar="FILE", help="query and gallery images of a CSV file (docs/custom-data.md)")
    images.add_argument("--dataset", metavar="NAME", help="query and gallery images of a registered data set")
    features = parser.add_argument_group("features")
    features.add_argument(
        "--scales", type=_numbers, default=(1.0,), metavar="S,S,...", help="scales of the input, e.g. DEx's 0.9,1,1.1,1.2"
    )
    features.add_argument("--flip", action="store_true", help="also the mirror image, at each scale")
    features.add_argument(
        "--combine", choices=COMBINATIONS, default="sum",
        help="how models, scales and mirror images become one feature (default: sum, DEx Eq. 4)",
    )  # fmt: skip
    features.add_argument("--amp", choices=sorted(_AMP), help="mixed precision (default: none)")
    run = parser.add_argument_group("output")
    run.add_argument(
        "--output", required=True, metavar="PATH",
        help="writes PATH.safetensors and PATH.json; of a CSV file or data set, PATH_query.* and PATH_gallery.*",
    )  # fmt: skip
    run.add_argument("--store", metavar="FOLDER", help="where work in progress is kept (default: PATH_store)")
    run.add_argument("--batch-size", type=int, metavar="N", help="images of a batch (default: TEST.IMS_PER_BATCH)")
    run.add_argument("--workers", type=int, metavar="N", help="processes that read images (default: TEST.NUM_WORKERS)")
    run.add_argument("--device", metavar="NAME", help="e.g. cpu or cuda:1 (default: MODEL.DEVICE)")


def run_extract(args: argparse.Namespace) -> int:
    """Executes ``vreid extract``, as one process or as one of torchrun's; returns 0, or 130 when interrupted.

    Raises:
        InputError: an argument, a configuration, a checkpoint, an image or the store is not as it must be.
    """
    kind = "cuda" if _read_models(args)[0].cfg.MODEL.DEVICE.startswith("cuda") else "cpu"
    try:
        launch(end_together, 1, args=(_extract, args), device=kind)
    except KeyboardInterrupt:
        print("vreid extract: interrupted; the same command goes on where it was.", file=sys.stderr)
        return 130
    return 0


def _extract(args: argparse.Namespace) -> None:
    share_cores(1)
    set_up_logging("")
    models = _read_models(args)
    cfg = models[0].cfg
    for model in models:
        model.trainer.check_config(model.cfg, training=False)
    use_repeatable_kernels(cfg)
    parts = _read_images(args, cfg)
    dataset = ItemDataset(
        [item for items in parts.values() for item in items],
        build_transforms(cfg, is_train=False),
        relabel=False,
        decode_size=decode_size(cfg, is_train=False),
    )
    identity = {
        "models": [model.identity() for model in models],
        "transform": transform_identity(cfg),
        "images": image_list_digest(dataset.img_items),
        "scales": list(args.scales),
        "flip": args.flip,
        "combine": args.combine,
        "amp": args.amp,
    }
    batch_size = cfg.TEST.IMS_PER_BATCH if args.batch_size is None else args.batch_size
    if batch_size < 1:
        raise InputError(f"The batch size is {batch_size}: use 1 or more.")
    output = Path(args.output)
    output = output.with_suffix("") if output.suffix in (".safetensors", ".json") else output
    root = args.store or f"{output}_store"
    with open_store(root, identity, len(dataset), shard_size(len(dataset), batch_size)) as store:
        missing = sum(len(store.images(shard)) for shard in store.missing())
        if missing:
            logger.info("Extracting %d of %d images on %s.", missing, len(dataset), describe_device(_device(cfg)))
            extractor = Extractor(
                Ensemble(
                    [model.build() for model in models],
                    args.scales,
                    flip=args.flip,
                    combine=args.combine,
                ),
                device=_device(cfg),
                batch_size=batch_size,
                num_workers=cfg.TEST.NUM_WORKERS if args.workers is None else args.workers,
                amp_dtype=_AMP.get(args.amp),
                memory_format=memory_format(cfg),
            )
            started = time.perf_counter()
            extractor.fill(dataset, store)
            seconds = time.perf_counter() - started
            logger.info("Extracted %d images in %.1f s (%.0f images/s).", missing, seconds, missing / seconds)
        else:
            logger.info("All features are in %s: nothing to extract.", store.folder)
        if comm.is_main_process():
            _write(store.load(), parts, output)


def _read_models(args: argparse.Namespace) -> list[TrainedModel]:
    models = read_models(args)
    for model in models:
        if args.csv:
            model.cfg.DATASETS.CSV.FILE = args.csv
        if transform_identity(model.cfg) != transform_identity(models[0].cfg):
            raise InputError(
                "The configurations prepare images differently (INPUT.SIZE_TEST, INPUT.CROP): all models see the same images; "
                "give them one size by --opts."
            )
    if args.amp == "fp16" and not models[0].cfg.MODEL.DEVICE.startswith("cuda"):
        raise InputError("--amp fp16 needs CUDA: use bf16 on a CPU.")
    return models


def _read_images(args: argparse.Namespace, cfg: CfgNode) -> dict[str, list[VehicleImage]]:
    """The images of each feature set that is written, by what is appended to its name."""
    if args.images:
        return {"": read_folder(args.images)}
    name = "CSVVehicles" if args.csv else args.dataset
    dataset = build_dataset(cfg, name)
    parts = {"_query": dataset.query, "_gallery": dataset.gallery}
    if not any(parts.values()):
        raise InputError(f"{args.csv or name} has neither query nor gallery images to extract features from.")
    return {suffix: items for suffix, items in parts.items() if items}


def _write(features: torch.Tensor, parts: dict[str, list[VehicleImage]], output: Path) -> None:
    start = 0
    for suffix, items in parts.items():
        path = output.with_name(output.name + suffix)
        FeatureSet.create(
            features[start : start + len(items)],
            [item.pid for item in items],
            [item.camid for item in items],
            [item.track_id for item in items],
            [item.view_id for item in items],
            [item.path for item in items],
        ).save(path)
        start += len(items)
        logger.info("%s: %d images, %d dimensions.", path.with_name(f"{path.name}.safetensors"), len(items), features.shape[1])


def _device(cfg: CfgNode) -> torch.device:
    return torch.device(cfg.MODEL.DEVICE)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers above 0, such as 0.9,1,1.1,1.2")
    return numbers
