"""``vreid check-data NAME``: says, one line a fault, what is missing or inconsistent in a data set."""

import argparse
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain

import numpy as np
from fastreid.data.datasets.bases import ImageDataset
from tabulate import tabulate
from tqdm import tqdm

from vreid_common.config import CfgNode, check_values, get_vreid_cfg, merge_file, merge_pairs
from vreid_common.cores import available_cores
from vreid_common.data.build import build_dataset, dataset_class
from vreid_common.data.datasets import DatasetError, VehicleDataset, data_root
from vreid_common.data.fastreid_sets import empty_splits, is_fastreids
from vreid_common.data.image import ImageReadError, read_image
from vreid_common.files import check_writable, write_json
from vreid_common.kinds import not_there
from vreid_common.lifetime import end_with_parent
from vreid_common.repeated import add_limit_argument, shortened
from vreid_common.structures import UNKNOWN, Pictures, VehicleImage, find_copies

__all__ = ["add_check_arguments", "run_check"]


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that ``run_check`` takes."""
    parser.add_argument("name", help="registered name of the data set, e.g. VeRi776 or CSVVehicles")
    parser.add_argument("--root", default="", help="data root (default: FASTREID_DATASETS, or datasets)")
    parser.add_argument("--config-file", default="", help="configuration to take the data set's keys from")
    parser.add_argument("--read-images", action="store_true", help="decode every image")
    parser.add_argument("--workers", type=int, help="processes that decode (default: one a core)")
    add_limit_argument(parser)
    parser.add_argument(
        "--opts", nargs="+", default=[], metavar="KEY VALUE", help="configuration, e.g. DATASETS.CSV.FILE cars.csv"
    )
    parser.add_argument("--json", metavar="FILE", help="write all faults, by kind, and the table of the splits")


def run_check(args: argparse.Namespace) -> int:
    """Prints the faults of a data set and a table of its splits; returns 1 if there are faults, else 0.

    Raises:
        InputError: there is no data set of that name, or the configuration cannot be read.
    """
    check_writable(args.json)
    root = args.root or data_root()
    cfg = _configuration(args)
    cls = dataset_class(args.name)
    kwargs = cls.from_config(cfg) if hasattr(cls, "from_config") else {}
    layout = cls.missing(root, **kwargs) if issubclass(cls, VehicleDataset) else []
    faults, splits, copies = {"Layout": _print_faults("Layout", layout, args.limit)}, [], 0
    if not faults["Layout"]:
        try:
            # A set that can collects the faults of its lists, so that one of them does not hide the others.
            tolerant = getattr(cls, "tolerant", False)
            dataset = cls(root=root, tolerant=True, **kwargs) if tolerant else build_dataset(cfg, args.name, root)
        except DatasetError as error:
            faults["Layout"] = _print_faults("Layout", [str(error)], args.limit)
        else:
            splits = _splits(dataset)
            print(tabulate(splits, headers="keys"))
            copies = _own_pictures(dataset)
            faults |= {kind: _print_faults(kind, found, args.limit) for kind, found in _checks(dataset, args)}
    total = sum(map(len, faults.values()))
    if args.json:
        write_json(args.json, {"dataset": args.name, "root": root, "splits": splits, "faults": faults, "own_pictures": copies})
    print(f"{args.name}: {total} fault{'' if total == 1 else 's'} found." if total else f"{args.name}: no faults found.")
    return 1 if total else 0


def _configuration(args: argparse.Namespace) -> CfgNode:
    cfg = get_vreid_cfg()
    cfg.set_new_allowed(True)  # a project's file has keys of its own
    cfg.DATASETS.set_new_allowed(False)
    if args.config_file:
        merge_file(cfg, args.config_file)
    merge_pairs(cfg, args.opts, "--opts")
    check_values(cfg, "DATASETS")
    return cfg


def _checks(dataset: ImageDataset, args: argparse.Namespace) -> Iterator[tuple[str, Iterable[str]]]:
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    if isinstance(dataset, VehicleDataset):
        yield "Faulty rows", list(dataset.faults)
    if is_fastreids(type(dataset)):
        yield "Empty splits", empty_splits(dataset)
    elif not any(splits.values()) and not dataset.faults:
        yield "Empty splits", ["There is no image in any split."]
    yield "Missing images", _missing_images(splits)
    yield "Listed twice", _listed_twice(splits)
    yield "Ids in both train and test", _shared_ids(splits, getattr(dataset, "dataset_name", ""))
    yield "Queries without a match", _unmatched_queries(dataset.query, dataset.gallery)
    tracks = (_mixed_tracks(items) for items in (dataset.train, dataset.query + dataset.gallery))
    yield "Tracks of several vehicles", chain.from_iterable(tracks)
    if isinstance(dataset, VehicleDataset):
        yield "Lists and labels", dataset.inconsistencies()
    if args.read_images:
        paths = sorted({item.path for items in splits.values() for item in items})
        yield "Unreadable images", _unreadable_images([path for path in paths if not _file_fault(path)], args.workers)


def _own_pictures(dataset: ImageDataset) -> int:
    """Says how many gallery images are a query's own picture, which is no fault as no protocol lets them count."""
    sides = (
        Pictures(np.array([item.pid for item in items]), [item.path for item in items], np.full(len(items), UNKNOWN))
        for items in (dataset.query, dataset.gallery)
    )
    pairs = find_copies(*sides).pairs
    if pairs:
        subject = "1 gallery image is" if pairs == 1 else f"{pairs} gallery images are"
        print(f"{subject} a query's own picture, the same file or a copy of it: no protocol counts that as a match.")
    return pairs


def _missing_images(splits: dict[str, list[VehicleImage]]) -> Iterator[str]:
    for split, items in splits.items():
        yield from (f"{split}: {fault}" for fault in map(_file_fault, (item.path for item in items)) if fault)


def _file_fault(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path an image costs more than its stat
    except OSError:
        return not_there(path)[0].lower() + not_there(path)[1:]
    except ValueError:  # a NUL byte
        return f"{path!r} is no name of a file."
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is not a file."
    return "" if found.st_size else f"the file {path} is empty."


def _listed_twice(splits: dict[str, list[VehicleImage]]) -> Iterator[str]:
    """Within a split, and in train and in a test split; the same image as a query and in the gallery is usual."""
    for split, items in splits.items():
        seen: set[str] = set()
        for item in items:
            if item.path in seen:
                yield f"{split}: {item.path} is listed more than once."
            seen.add(item.path)
    train = {item.path for item in splits["train"]}
    for item in splits["query"] + splits["gallery"]:
        if item.path in train:
            yield f"{item.path} is listed both for training and for testing."


def _shared_ids(splits: dict[str, list[VehicleImage]], prefix: str) -> Iterator[str]:
    train = {str(item.pid).removeprefix(f"{prefix}_"): item for item in splits["train"]}
    test = {str(item.pid): item for item in splits["query"] + splits["gallery"] if item.pid != UNKNOWN}
    for pid in sorted(train.keys() & test.keys()):
        name, paths = test[pid].vehicle_name, (train[pid].path, test[pid].path)
        yield f"Vehicle {name} is in the training images ({paths[0]}) and in the test images ({paths[1]})."


def _unmatched_queries(query: list[VehicleImage], gallery: list[VehicleImage]) -> Iterator[str]:
    cameras: dict[int | str, set[int | str]] = defaultdict(set)
    for item in gallery:
        cameras[item.pid].add(item.camid)
    for item in query:
        if item.pid == UNKNOWN:
            continue
        if not cameras[item.pid]:
            yield f"{item.path}: the gallery has no image of vehicle {item.vehicle_name}."
        elif item.camid != UNKNOWN and cameras[item.pid] == {item.camid}:
            yield (
                f"{item.path}: the gallery has vehicle {item.vehicle_name} only from the query's own camera {item.camera_name}."
            )


def _mixed_tracks(items: list[VehicleImage]) -> Iterator[str]:
    first: dict[int, VehicleImage] = {}
    for item in items:
        other = first.setdefault(item.track_id, item)
        if item.track_id != UNKNOWN and item.pid != other.pid:
            vehicles = other.vehicle_name, item.vehicle_name
            yield (
                f"Track {item.track_name} holds {other.path} of vehicle {vehicles[0]} and {item.path} of vehicle {vehicles[1]}."
            )


def _unreadable_images(paths: list[str], workers: int | None) -> Iterator[str]:
    workers = available_cores() if workers is None else max(1, workers)
    with ProcessPoolExecutor(workers, initializer=end_with_parent) as pool:
        results = pool.map(_read_fault, paths, chunksize=32)
        yield from (fault for fault in tqdm(results, total=len(paths), desc="decoding", unit="image", leave=False) if fault)


def _read_fault(path: str) -> str:
    try:
        read_image(path)
    except ImageReadError as error:
        return str(error)
    return ""


def _print_faults(kind: str, faults: Iterable[str], limit: int) -> list[str]:
    """Prints the faults as they are found, up to ``limit`` of those that say the same; returns all."""
    found: list[str] = []

    def kept() -> Iterator[str]:
        for fault in faults:
            found.append(fault)
            yield fault

    for place, line in enumerate(shortened(kept(), limit)):
        if place == 0:
            tqdm.write(f"{kind}:")
        tqdm.write(f"  {line}")
    return found


def _splits(dataset: ImageDataset) -> list[dict[str, str | int]]:
    """What is in each split, in the columns of the table."""
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    if isinstance(dataset, VehicleDataset):
        test = dataset.query + dataset.gallery
        splits |= {f"test, {name}": [test[place] for place in places] for name, places in dataset.subsets().items()}
    rows = []
    for split, items in splits.items():
        cameras = len({item.camid for item in items} - {UNKNOWN})
        tracks = len({item.track_id for item in items} - {UNKNOWN})
        views = sum(item.view_id != UNKNOWN for item in items)
        vehicles = len({item.pid for item in items} - {UNKNOWN})
        row = {"split": split, "vehicles": vehicles, "images": len(items), "cameras": cameras, "tracks": tracks}
        rows.append({**row, "images with a view": views})
    return rows
