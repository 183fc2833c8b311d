"""``vreid gallery``: builds a saved gallery, adds images to it, removes them, and says what is in it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from vreid_common.engine.commands.gallery_model import model_line, model_record, read_gallery_extraction
from vreid_common.engine.extract import add_image_arguments, read_images
from vreid_common.engine.extraction import Extraction, add_extraction_arguments, read_extraction
from vreid_common.engine.placement import share_cores
from vreid_common.errors import InputError
from vreid_common.files import check_writable, write_json
from vreid_common.gallery import INDEX_KINDS, Gallery, edit_gallery, load_gallery, save_gallery
from vreid_common.structures import METRICS, UNKNOWN, FeatureSet, read_features

__all__ = ["add_gallery_arguments", "run_gallery"]


def add_gallery_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid gallery`` and of its actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_line, add_arguments, run in (
        ("build", "make a gallery of images, or of features that are there", _add_build_arguments, _build),
        ("add", "add images to a gallery", _add_source_arguments, _add),
        ("remove", "remove images from a gallery", _add_remove_arguments, _remove),
        ("info", "say what is in a gallery", lambda action: None, _info),
    ):
        action = actions.add_parser(name, help=help_line, description=help_line[0].upper() + help_line[1:] + ".")
        action.add_argument("gallery", metavar="GALLERY", help="folder of the gallery")
        add_arguments(action)
        action.add_argument("--json", metavar="FILE", help="write what is in the gallery then")
        action.set_defaults(act=run)


def run_gallery(args: argparse.Namespace) -> int:
    """Executes ``vreid gallery``; returns 0, or 130 when interrupted, with the gallery as it was.

    Raises:
        InputError: an argument, the gallery, an image or a model is not as it must be.
    """
    check_writable(args.json)
    share_cores(1)
    try:
        gallery: Gallery = args.act(args)
    except KeyboardInterrupt:
        print(f"vreid gallery {args.action}: interrupted; the gallery is as it was.", file=sys.stderr)
        return 130
    about = _describe(gallery)
    size = f"{about['images']} images, {about['dimensions']} dimensions"
    print(f"{args.gallery}: {size}, {gallery.metric}, {_index_line(gallery)}.")
    if args.action == "info":
        counts = ((about["vehicles"], "vehicles"), (about["cameras"], "cameras"), (about["tracks"], "tracks"))
        print(", ".join(f"{count or 'unknown'} {name}" for count, name in counts) + f"; {model_line(gallery.model)}.")
    if args.json:
        write_json(args.json, about)
    return 0


def _add_build_arguments(parser: argparse.ArgumentParser) -> None:
    _add_source_arguments(parser)
    index = parser.add_argument_group("gallery")
    index.add_argument("--metric", choices=METRICS, help="what compares features (default: TEST.METRIC; of features, cosine)")
    index.add_argument(
        "--index", choices=INDEX_KINDS, default="exact",
        help="exact compares with every image; ivf and hnsw find most neighbours, faster (default: %(default)s)",
    )  # fmt: skip
    index.add_argument(
        "--recall", type=float, default=0.99, metavar="R",
        help="share of the 100 nearest that ivf or hnsw is tuned to find (default: %(default)s)",
    )  # fmt: skip


def _add_source_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", metavar="FILE", help="features that are there, in place of images")
    add_image_arguments(parser, required=False, default_splits=("gallery",))
    add_extraction_arguments(parser)


def _add_remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="images as `vreid search` names them")
    parser.add_argument("--list", metavar="FILE", help="a file with a path a line")


def _build(args: argparse.Namespace) -> Gallery:
    model = None
    if args.features:
        images, metric = _saved_features(args), args.metric or "cosine"
    else:
        extraction = read_extraction(args)
        images, metric = _extracted(args, extraction), args.metric or extraction.cfg.TEST.METRIC
        model = model_record(args, extraction)
    gallery = Gallery.build(images, metric, args.index, args.recall, model)
    save_gallery(gallery, args.gallery)
    return gallery


def _add(args: argparse.Namespace) -> Gallery:
    there = load_gallery(args.gallery)
    images = _saved_features(args) if args.features else _extracted(args, read_gallery_extraction(args, there.model))
    return edit_gallery(args.gallery, lambda gallery: gallery.added(images))


def _remove(args: argparse.Namespace) -> Gallery:
    paths = list(args.paths)
    if args.list:
        try:
            paths += filter(None, Path(args.list).read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--list {args.list} cannot be read: {error}.") from error
    if not paths:
        raise InputError("Name the images to remove, or give a --list of them.")
    return edit_gallery(args.gallery, lambda gallery: gallery.removed(paths))


def _info(args: argparse.Namespace) -> Gallery:
    return load_gallery(args.gallery)


def _saved_features(args: argparse.Namespace) -> FeatureSet:
    if args.images or args.csv or args.dataset or args.splits:
        raise InputError("--features takes the place of images: leave --images, --csv, --dataset and --splits out.")
    images = read_features(args.features)
    if images.model is None:
        print(f"{args.features} does not say which model made it: that it is the gallery's is for you to know.")
    return images


def _extracted(args: argparse.Namespace, extraction: Extraction) -> FeatureSet:
    if not (args.images or args.csv or args.dataset):
        raise InputError("Say what goes into the gallery: --images, --csv or --dataset, or --features.")
    parts = read_images(args, extraction.cfg)
    return extraction.extract([item for items in parts.values() for item in items])


def _describe(gallery: Gallery) -> dict[str, Any]:
    """What is in a gallery, as JSON."""
    images, index = gallery.images, gallery.index
    return {
        "images": len(images),
        "dimensions": images.features.shape[1],
        "vehicles": _count(images.pids),
        "cameras": _count(images.camids),
        "tracks": _count(images.track_ids),
        "metric": gallery.metric,
        "index": "exact" if index is None else index.kind,
        "recall": None if index is None else asdict(index.recall),
        "effort": None if index is None else index.effort,
        "model": gallery.model,
    }


def _count(labels: Tensor) -> int:
    """Different labels that are known."""
    return len(labels[labels != UNKNOWN].unique())


def _index_line(gallery: Gallery) -> str:
    index = gallery.index
    if index is None:
        return "exact"
    effort = f"{index.effort} {'clusters' if index.kind == 'ivf' else 'images in view'}"
    return f"{index.kind} looking at {effort}, {index.recall}"
