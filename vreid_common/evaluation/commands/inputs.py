"""The arguments that both commands take: feature files, their labels, and how they are compared and evaluated."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist

from vreid_common.data.datasets.csv_vehicles import read_csv_items
from vreid_common.devices import check_gpus, choose_gpu
from vreid_common.errors import InputError
from vreid_common.evaluation.further import same_images
from vreid_common.evaluation.protocols import Protocol
from vreid_common.processes import started_by_torchrun
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import METRICS, UNKNOWN, FeatureSet, VehicleImage, check_models, join_sets, read_features

__all__ = ["Inputs", "add_file_arguments", "add_input_arguments", "positive", "read_device", "read_inputs", "read_protocol"]


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what ``read_inputs`` and ``read_protocol`` read."""
    files = add_file_arguments(parser)
    files.add_argument("--metric", choices=METRICS, default="cosine", help="what compares features (default: %(default)s)")
    files.add_argument("--device", default="cpu", help="where to compute, e.g. cuda (default: %(default)s)")
    rules = parser.add_argument_group("evaluation")
    rules.add_argument(
        "--protocol",
        choices=[name for name in PROTOCOL_REGISTRY.names if PROTOCOL_REGISTRY.get(name).needs_labels],
        default="SameCameraExcluded",
        help="which gallery images count (default: %(default)s)",
    )
    rules.add_argument("--max-rank", type=positive, default=50, metavar="N", help="length of the CMC (default: %(default)s)")
    rules.add_argument("--top-k", type=positive, metavar="K", help="mAP of the first K ranks only (AI City: 100)")
    rules.add_argument(
        "--draws", type=positive, default=10, metavar="N", help="draws of protocols that draw at random (default: %(default)s)"
    )
    rules.add_argument("--draw-seed", type=int, default=0, metavar="SEED", help="of those draws (default: %(default)s)")
    rules.add_argument(
        "--normalizer",
        choices=("all", "min", "hits"),
        default="all",
        help="what the average precision of K ranks is divided by: all matches, min(matches, K), or the hits among the K "
        "(default: %(default)s)",
    )


def add_file_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> argparse._ArgumentGroup:
    """Declares the feature files and labels that ``read_inputs`` reads; returns the group, for further options."""
    files = parser.add_argument_group(
        "features",
        "Feature files are feature sets (.safetensors with .json, as `vreid extract` and the evaluator write them), "
        ".npz with arrays features, pids, camids, track_ids, or .npy of features alone.",
    )
    files.add_argument("--query", required=required, metavar="FILE", help="features of the queries")
    files.add_argument("--gallery", required=required, metavar="FILE", help="features of the gallery")
    files.add_argument(
        "--labels",
        metavar="FILE.csv",
        help="labels in place of those in the files: columns path, vehicle_id, split and optionally camera_id, track_id, view, "
        "timestamp; the rows of split query and gallery stand in the order of the features",
    )
    return files


def positive(text: str) -> int:
    """A whole number from 1, as an argument's type."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


@dataclass(frozen=True, eq=False)
class Inputs:
    """The images of a command.

    Attributes:
        further: name → (query, gallery) with other features of the same images.
    """

    query: FeatureSet
    gallery: FeatureSet
    further: Mapping[str, tuple[FeatureSet, FeatureSet]]

    @property
    def labelled(self) -> bool:
        """Whether identities are known, so that there is something to evaluate."""
        return all(bool((images.pids != UNKNOWN).any()) for images in (self.query, self.gallery))


def read_inputs(args: argparse.Namespace) -> Inputs:
    """Reads the feature files and labels that the arguments name.

    Raises:
        InputError: one is missing, damaged, or does not fit the others.
    """
    device = read_device(args.device)
    query, gallery = _read_pair(args.query, args.gallery, device)
    if args.labels:
        items = read_csv_items(Path(args.labels))
        query = _label(query, items["query"], f"{args.labels} lists {{}} images of split query, but {args.query} has {{}}.")
        gallery = _label(
            gallery, items["gallery"], f"{args.labels} lists {{}} images of split gallery, but {args.gallery} has {{}}."
        )
    query, gallery = join_sets([query, gallery], [args.query, args.gallery])
    further: dict[str, tuple[FeatureSet, FeatureSet]] = {}
    for name, query_file, gallery_file in getattr(args, "further", None) or ():
        if name in further:
            raise InputError(f"--further {name} is given twice.")
        pair = _read_pair(query_file, gallery_file, device)
        check_models(pair[0].model, pair[1].model, query_file, gallery_file)
        for images, others, file in zip((query, gallery), pair, (query_file, gallery_file), strict=True):
            if len(images) != len(others):
                raise InputError(f"{file} has {len(others)} images instead of {len(images)}: {name} needs the same images.")
            if all(images.paths) and all(others.paths) and not same_images(images, others):
                raise InputError(f"{file} lists other images, or the same in another order: {name} needs the same images.")
        further[name] = pair
    return Inputs(query, gallery, further)


def read_protocol(args: argparse.Namespace, group: dist.ProcessGroup | None = None) -> Protocol:
    """The protocol that the arguments name, its queries shared among the processes of ``group``."""
    if args.draw_seed < 0:
        raise InputError(f"--draw-seed is {args.draw_seed}: use 0 or more.")
    return PROTOCOL_REGISTRY.get(args.protocol)(
        args.max_rank, top_k=args.top_k, normalizer=args.normalizer, num_draws=args.draws, seed=args.draw_seed, group=group
    )


def read_device(name: str) -> torch.device:
    """A device that can be used; of torchrun's processes each has a GPU of its own.

    Raises:
        InputError: it is none, or not there, or there are more processes than GPUs.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise InputError(f"--device is {name!r}: use cpu, cuda, or cuda:N.")
    if name != "cpu" and torch.cuda.is_available():
        if started_by_torchrun():
            check_gpus(int(os.environ["LOCAL_WORLD_SIZE"]), "--nproc-per-node")
            name = choose_gpu(name, "--device", int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"]))
        else:
            name = choose_gpu(name, "--device")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from error


def _read_pair(query_file: str, gallery_file: str, device: torch.device) -> tuple[FeatureSet, FeatureSet]:
    pair = [read_features(file) for file in (query_file, gallery_file)]
    for images, file in zip(pair, (query_file, gallery_file), strict=True):
        if not len(images):
            raise InputError(f"{file} has no images.")
    dimensions = [images.features.shape[1] for images in pair]
    if dimensions[0] != dimensions[1]:
        raise InputError(
            f"The features in {query_file} have {dimensions[0]} dimensions, those in {gallery_file} {dimensions[1]}: "
            "both must come from one model."
        )
    query, gallery = (images.to(device) for images in pair)
    return query, gallery


def _label(images: FeatureSet, items: list[VehicleImage], mismatch: str) -> FeatureSet:
    if len(items) != len(images):
        raise InputError(mismatch.format(len(items), len(images)))
    labelled = FeatureSet.from_items(images.features, items)
    return replace(labelled, image_digests=images.image_digests, model=images.model)
