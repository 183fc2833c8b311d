"""``vreid extract``: features of a folder, a CSV file or a data set, by one or several trained models."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.utils import comm
from torch import Tensor

from vreid_common.data import build_dataset, read_folder, split_items
from vreid_common.engine.console import set_up_logging
from vreid_common.engine.extraction import add_extraction_arguments, read_extraction
from vreid_common.engine.launch import end_together, launch
from vreid_common.engine.peers import timeouts_from_config
from vreid_common.engine.placement import describe_device, share_cores
from vreid_common.errors import InputError
from vreid_common.features import image_list_digest, open_store, shard_size
from vreid_common.files import check_writable, write_json
from vreid_common.structures import FeatureSet, VehicleImage, digest_images
from vreid_common.versions import package_versions

__all__ = ["add_extract_arguments", "add_image_arguments", "read_images", "run_extract"]

logger = logging.getLogger(__name__)

_SPLITS = ("train", "query", "gallery")


def add_extract_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid extract``."""
    add_extraction_arguments(parser)
    add_image_arguments(parser, required=True)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output", required=True, metavar="PATH",
        help="writes PATH.safetensors and PATH.json; of a CSV file or data set, PATH_query.*, PATH_gallery.* and so on",
    )  # fmt: skip
    output.add_argument("--store", metavar="FOLDER", help="where work in progress is kept (default: PATH_store)")
    output.add_argument("--json", metavar="FILE", help="write what was extracted, by which models, and where it is")


def add_image_arguments(
    parser: argparse.ArgumentParser, *, required: bool, default_splits: Sequence[str] = ("query", "gallery")
) -> None:
    """Declares what ``read_images`` reads."""
    images = parser.add_argument_group("images").add_mutually_exclusive_group(required=required)
    images.add_argument("--images", metavar="FOLDER", help="all images in a folder and below it")
    images.add_argument("--csv", metavar="FILE", help="query and gallery images of a CSV file (docs/custom-data.md)")
    images.add_argument("--dataset", metavar="NAME", help="query and gallery images of a registered data set")
    parser.add_argument(
        "--splits", type=_splits, metavar="SPLIT,SPLIT,...",
        help=f"which images of --csv or --dataset: of {', '.join(_SPLITS)} (default: {','.join(default_splits)})",
    )  # fmt: skip
    parser.set_defaults(default_splits=default_splits)


def run_extract(args: argparse.Namespace) -> int:
    """Executes ``vreid extract``, as one process or as one of torchrun's; returns 0, or 130 when interrupted.

    Raises:
        InputError: an argument, a configuration, a checkpoint, an image or the store is not as it must be.
    """
    check_writable(args.json)
    extraction = read_extraction(args)
    kind, timeouts = extraction.device.type, timeouts_from_config(extraction.cfg)
    try:
        launch(end_together, 1, args=(_extract, args), device=kind, timeouts=timeouts)
    except KeyboardInterrupt:
        print("vreid extract: interrupted; the same command goes on where it was.", file=sys.stderr)
        return 130
    return 0


def _extract(args: argparse.Namespace) -> None:
    share_cores(1)
    set_up_logging("")
    extraction = read_extraction(args)
    parts = read_images(args, extraction.cfg)
    dataset = extraction.dataset([item for items in parts.values() for item in items])
    models = [model.identity() for model in extraction.models]
    identity = {"models": models, "images": image_list_digest(dataset.img_items), **extraction.settings()}
    output = Path(args.output)
    output = output.with_suffix("") if output.suffix in (".safetensors", ".json") else output
    root = args.store or f"{output}_store"
    with open_store(root, identity, len(dataset), shard_size(len(dataset), extraction.batch_size)) as store:
        missing = sum(len(store.images(shard)) for shard in store.missing())
        if missing:
            logger.info("Extracting %d of %d images on %s.", missing, len(dataset), describe_device(extraction.device))
            extractor = extraction.extractor()
            started = time.perf_counter()
            extractor.fill(dataset, store)
            seconds = time.perf_counter() - started
            logger.info("Extracted %d images in %.1f s (%.0f images/s).", missing, seconds, missing / seconds)
        else:
            logger.info("All features are in %s: nothing to extract.", store.folder)
        if comm.is_main_process():
            written = _write(store.load(), parts, output, extraction.model_identity())
            if args.json:
                write_json(args.json, {"features": written, **identity, "versions": package_versions()})


def _splits(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not set(names) <= set(_SPLITS) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(_SPLITS)}, each once")
    return names


def read_images(args: argparse.Namespace, cfg: CfgNode) -> dict[str, list[VehicleImage]]:
    """The images that the arguments name: of a folder under "", else of the splits that have some under "_query" and so on.

    How many images of other splits are left out is logged.

    Raises:
        InputError: there are none, or they cannot be listed.
    """
    if args.images:
        if args.splits:
            raise InputError("--splits goes with --csv or --dataset: a folder has none.")
        return {"": read_folder(args.images)}
    if args.csv:
        cfg.DATASETS.CSV.FILE = args.csv
    name = "CSVVehicles" if args.csv else args.dataset
    dataset = build_dataset(cfg, name)
    wanted = args.splits or args.default_splits
    if not any(getattr(dataset, split) for split in wanted):
        raise InputError(f"{args.csv or name} has no {' or '.join(wanted)} images: choose others with --splits.")
    others = [f"{len(getattr(dataset, split))} {split}" for split in _SPLITS if split not in wanted and getattr(dataset, split)]
    if others and not args.splits:
        logger.warning("%s: %s images are left out; --splits takes them.", args.csv or name, " and ".join(others))
    return {f"_{split}": split_items(dataset, split) for split in wanted if getattr(dataset, split)}


def _write(
    features: Tensor, parts: dict[str, list[VehicleImage]], output: Path, model: dict[str, Any]
) -> list[dict[str, str | int]]:
    """Writes a feature set of each part; returns what they are, for JSON."""
    start, written = 0, []
    for suffix, items in parts.items():
        path = output.with_name(output.name + suffix)
        images = FeatureSet.from_items(features[start : start + len(items)], items)
        replace(images, image_digests=digest_images(images.paths), model=model).save(path)
        start += len(items)
        logger.info("%s: %d images, %d dimensions.", path.with_name(f"{path.name}.safetensors"), len(items), features.shape[1])
        written.append({"path": str(path), "images": len(items), "dimensions": features.shape[1]})
    return written
