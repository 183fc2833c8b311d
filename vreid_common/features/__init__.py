"""Extraction of features and their store on disk. See docs/features.md."""

from vreid_common.features.ensemble import COMBINATIONS, Ensemble
from vreid_common.features.extractor import Extractor
from vreid_common.features.grid import FeatureGrid, GridModel, open_grid
from vreid_common.features.identity import file_digest, image_list_digest, model_config, transform_identity
from vreid_common.features.inference import evaluation_mode
from vreid_common.features.store import FeatureStore, open_store, shard_size

__all__ = [
    "COMBINATIONS",
    "Ensemble",
    "Extractor",
    "FeatureGrid",
    "FeatureStore",
    "GridModel",
    "evaluation_mode",
    "file_digest",
    "image_list_digest",
    "model_config",
    "open_grid",
    "open_store",
    "shard_size",
    "transform_identity",
]
