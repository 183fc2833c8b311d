"""Data sets and loaders from the configuration."""

import logging
from pathlib import Path

import torch
from fastreid.config import CfgNode
from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.data.datasets.bases import ImageDataset
from fastreid.utils import comm

from vreid_common.config import check_values
from vreid_common.data.dataset import ItemDataset
from vreid_common.data.datasets import DatasetError, VehicleDataset, data_root
from vreid_common.data.fastreid_sets import explain_reader_error, is_fastreids
from vreid_common.data.loader import TestLoader, TrainLoader
from vreid_common.data.mixing import join_sets, mix_domains
from vreid_common.data.samplers import build_sampler
from vreid_common.data.seeding import local_seed
from vreid_common.data.transforms import build_transforms
from vreid_common.data.translated import check_translated, translated_root
from vreid_common.data.validation import hold_out
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage
from vreid_common.suggestions import did_you_mean

__all__ = ["build_dataset", "build_test_loader", "build_train_dataset", "build_train_loader", "dataset_class", "split_items"]

_logger = logging.getLogger(__name__)

# FastReID's VehicleID splits its test list at random: with this seed always in the same way, whatever cfg.SEED is.
_SPLIT_SEED = 0


def dataset_class(name: str) -> type[ImageDataset]:
    """The data set registered with FastReID's ``DATASET_REGISTRY`` under a name.

    Raises:
        DatasetError: there is none; the message lists names like it.
    """
    names = sorted(DATASET_REGISTRY._obj_map)  # FastReID's registry has no other way to list its names
    if name in names:
        return DATASET_REGISTRY.get(name)
    if Path(name).suffix.lower() == ".csv":
        raise DatasetError(
            f"{name} is a file, not the name of a data set: name CSVVehicles, and the file as DATASETS.CSV.FILE."
        )
    if "/" in name or Path(name).is_dir():
        raise DatasetError(
            f"{name} is a path, not the name of a data set: name the set, e.g. VeRi776, and the folder above it as the data "
            "root (FASTREID_DATASETS, or --root of vreid check-data)."
        )
    hint = did_you_mean(name, names) or f"there are {', '.join(names)}."
    raise DatasetError(f"There is no data set {name!r}; {hint}")


def build_dataset(cfg: CfgNode, name: str, root: str | None = None) -> ImageDataset:
    """A registered data set, FastReID's own too, with ``VehicleImage`` items.

    Args:
        cfg: configuration; ``cfg.DATASETS.COMBINEALL`` adds the test images to the training images, and with
            ``cfg.DATASETS.VALIDATION`` a set of ``cfg.DATASETS.TESTS`` has held-out training identities as its test images.
        name: registered name.
        root: data root; if not given, that of translated copies for a set of ``cfg.DATASETS.TRANSLATED``, else
            ``FASTREID_DATASETS``.

    Returns:
        The data set; ``train``, ``query`` and ``gallery`` are lists. The same lists in every process and every run.

    Raises:
        DatasetError: there is no such data set, or it cannot be read.
    """
    cls = dataset_class(name)
    translated = None if root else translated_root(cfg, name)
    root = root or translated or data_root()
    kwargs = cls.from_config(cfg) if hasattr(cls, "from_config") else {}
    with local_seed(_SPLIT_SEED):
        try:
            dataset = cls(root=root, combineall=cfg.DATASETS.COMBINEALL, **kwargs)
            splits = {split: [_lifted(item) for item in getattr(dataset, split)] for split in ("train", "query", "gallery")}
        except (OSError, RuntimeError) as error:  # what FastReID's own data sets raise of folders
            raise DatasetError(
                f"Cannot read the data set {name}: {error}; set FASTREID_DATASETS (now {root}) to the folder that holds it."
            ) from error
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # and of files in them
            if not is_fastreids(cls) or isinstance(error, InputError):
                raise
            raise DatasetError(explain_reader_error(name, error)) from error
    if is_fastreids(cls):
        # They list folders in the order of the file system, which differs from machine to machine.
        splits = {split: sorted(items, key=lambda item: item.path) for split, items in splits.items()}
    if translated:
        check_translated(splits["train"], name)
    if _is_held_out(cfg, name):
        splits = _validation_split(cfg, name, splits["train"])
    for split, items in splits.items():
        setattr(dataset, f"_{split}", items)
    return dataset


def split_items(dataset: ImageDataset, split: str) -> list[VehicleImage]:
    """The images of "train", "query" or "gallery", all with the numbers of test images.

    Training items have strings for ids; they get the numbers in them, by which a vehicle is one in all splits. Where a layout
    numbers the tracks of each split anew, those of the training images come after the others.

    Raises:
        DatasetError: an id does not end in a number.
    """
    if split != "train":
        return getattr(dataset, split)
    first_track = 0
    if not getattr(dataset, "tracks_of_all_splits", False):
        first_track = max((item.track_id for item in (*dataset.query, *dataset.gallery)), default=UNKNOWN) + 1
    items = []
    for item in dataset.train:
        try:
            pid, camid = (int(str(label).rpartition("_")[2]) for label in (item.pid, item.camid))
        except ValueError:
            raise DatasetError(f"{item.path}: the vehicle {item.pid} or the camera {item.camid} has no number.") from None
        if item.track_id != UNKNOWN and first_track:
            item = item._replace(track_id=item.track_id + first_track, track=f"train {item.track_name}")
        items.append(item._replace(pid=pid, camid=camid))
    return items


def build_train_dataset(cfg: CfgNode) -> ItemDataset:
    """The training images of all ``cfg.DATASETS.NAMES``, mixed as ``cfg.DATASETS.MIX`` says, with training transforms.

    Raises:
        DatasetError: one of them cannot be read or has no training images.
        InputError: they cannot be mixed so.
    """
    sets: list[tuple[str, list[VehicleImage]]] = []
    for name in cfg.DATASETS.NAMES:
        dataset = build_dataset(cfg, name)
        if not dataset.train:
            raise DatasetError(f"The data set {name} of DATASETS.NAMES has no training images.")
        if comm.is_main_process():
            dataset.show_train()
        sets.append((name, dataset.train))
    if not sets:
        raise DatasetError("DATASETS.NAMES is empty: name a data set to train on.")
    check_values(cfg, "DATASETS.NAMES")
    for name in cfg.DATASETS.SYNTHETIC:
        dataset_class(name)
    joined = join_sets(sets, cfg.DATASETS.SYNTHETIC)
    items = mix_domains(joined, cfg.DATASETS.MIX, cfg.DATASETS.MIX_SEED)
    if len(items) < len(joined):
        _logger.info("DATASETS.MIX %s: %d of %d training images.", cfg.DATASETS.MIX, len(items), len(joined))
    if len({item.pid for item in items}) < 2:
        raise DatasetError(f"All training images of {', '.join(cfg.DATASETS.NAMES)} show one vehicle: train on two or more.")
    return ItemDataset(items, build_transforms(cfg, is_train=True), relabel=True)


def build_train_loader(cfg: CfgNode, dataset: ItemDataset | None = None) -> TrainLoader:
    """This process's loader of the training images, by default those of ``build_train_dataset``.

    Raises:
        InputError: the data cannot be read, or the batch does not fit the data or the number of processes.
    """
    dataset = dataset or build_train_dataset(cfg)
    sampler = build_sampler(cfg, dataset.img_items)
    _logger.info("%s: %d batches of %d images an epoch", type(sampler).__name__, len(sampler), sampler.batch_size)
    return TrainLoader(dataset, sampler, num_workers=cfg.DATALOADER.NUM_WORKERS, **_process(cfg))


def build_test_loader(cfg: CfgNode, dataset_name: str) -> tuple[TestLoader, int]:
    """This process's loader of a data set's query and gallery images, and the number of queries.

    Raises:
        DatasetError: the data set cannot be read, or has no query or no gallery images.
    """
    data = build_dataset(cfg, dataset_name)
    for split, items in (("query", data.query), ("gallery", data.gallery)):
        if not items:
            raise DatasetError(f"The data set {dataset_name} has no {split} images, so it cannot be evaluated.")
    if comm.is_main_process():
        data.show_test()
    check_values(cfg, "TEST.IMS_PER_BATCH")
    dataset = ItemDataset([*data.query, *data.gallery], build_transforms(cfg, is_train=False), relabel=False)
    batch_size = max(1, cfg.TEST.IMS_PER_BATCH // comm.get_world_size())
    subsets = {} if _is_held_out(cfg, dataset_name) or not isinstance(data, VehicleDataset) else data.subsets()
    loader = TestLoader(dataset, batch_size, num_workers=cfg.TEST.NUM_WORKERS, subsets=subsets, **_process(cfg))
    return loader, len(data.query)


def _is_held_out(cfg: CfgNode, name: str) -> bool:
    """Whether training identities take the place of a set's test images."""
    return cfg.DATASETS.VALIDATION.NUM_IDS != 0 and name in cfg.DATASETS.TESTS


def _validation_split(cfg: CfgNode, name: str, train: list[VehicleImage]) -> dict[str, list[VehicleImage]]:
    validation = cfg.DATASETS.VALIDATION
    check_values(cfg, "DATASETS.VALIDATION")
    if name not in cfg.DATASETS.NAMES:
        # Another reader of the same images may be named, which would train the identities that this one holds out.
        raise DatasetError(
            f"DATASETS.VALIDATION holds identities out of the training images of {name}, so DATASETS.NAMES has to name it too."
        )
    split = hold_out(train, validation.NUM_IDS, validation.SEED)
    _logger.info(
        "%s: a validation split of %d training identities takes the place of the test images.", name, validation.NUM_IDS
    )
    return split._asdict()


def _lifted(item: tuple) -> VehicleImage:
    return item if isinstance(item, VehicleImage) else VehicleImage(*item[:3])


def _process(cfg: CfgNode) -> dict[str, int | bool]:
    return {
        "timeout": cfg.DATALOADER.TIMEOUT,
        "pin_memory": cfg.MODEL.DEVICE.startswith("cuda") and torch.cuda.is_available(),
        "rank": comm.get_rank(),
        "world_size": comm.get_world_size(),
    }
