"""Image decoding, data sets, samplers, transforms and loaders."""

from vreid_common.data.build import (
    build_dataset,
    build_test_loader,
    build_train_dataset,
    build_train_loader,
    dataset_class,
    split_items,
)
from vreid_common.data.collate import collate
from vreid_common.data.dataset import ItemDataset
from vreid_common.data.datasets import DatasetError, VehicleDataset, data_root
from vreid_common.data.folder import read_folder
from vreid_common.data.image import ImageReadError, read_image
from vreid_common.data.loader import Batch, BatchLoader, TestLoader, TrainLoader
from vreid_common.data.prefetch import DevicePrefetcher
from vreid_common.data.samplers import TrainingSamplerBase, build_sampler
from vreid_common.data.transforms import build_transforms

__all__ = [
    "Batch",
    "BatchLoader",
    "DatasetError",
    "DevicePrefetcher",
    "ImageReadError",
    "ItemDataset",
    "TestLoader",
    "TrainLoader",
    "TrainingSamplerBase",
    "VehicleDataset",
    "build_dataset",
    "build_sampler",
    "build_test_loader",
    "build_train_dataset",
    "build_train_loader",
    "build_transforms",
    "collate",
    "data_root",
    "dataset_class",
    "read_folder",
    "read_image",
    "split_items",
]
