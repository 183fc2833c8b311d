"""How hard a data set is before anything is learned: mAP of raw pixels, within and across views.

python benchmarks/difficulty.py StreetVehicles
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from PIL import Image

import vreid_common.synthetic  # noqa: F401 - registers the rendered data sets
from vreid_common.config import get_vreid_cfg
from vreid_common.data import build_dataset, read_image
from vreid_common.evaluation import SameCameraExcluded
from vreid_common.structures import FeatureRows, FeatureSet, VehicleImage


def pixel_features(items: Sequence[VehicleImage], side: int = 32) -> FeatureSet:
    """The images of (N,) items, shrunk to ``side`` × ``side`` pixels, as features (N, 3·side²)."""
    pixels = [np.asarray(read_image(i.path).resize((side, side), Image.Resampling.BOX), dtype=np.float32) for i in items]
    labels = ([getattr(item, name) for item in items] for name in ("pid", "camid", "track_id", "view_id"))
    return FeatureSet.create(np.stack(pixels).reshape(len(items), -1), *labels, [item.path for item in items])


def raw_pixel_metrics(query: Sequence[VehicleImage], gallery: Sequence[VehicleImage]) -> dict[str, float]:
    """Metric → fraction for the ranking by Euclidean distance of pixels, same camera excluded."""
    asked, stored = pixel_features(query), pixel_features(gallery)
    return SameCameraExcluded()(asked, stored, FeatureRows(asked.features, stored.features, "euclidean")).metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="StreetVehicles", help="registered data set (default: %(default)s)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="configuration, e.g. DATASETS.RENDER.SIZE medium")
    args = parser.parse_args()
    cfg = get_vreid_cfg()
    cfg.merge_from_list(args.opts)
    dataset = build_dataset(cfg, args.name)
    print(f"{args.name}: 32 × 32 raw pixels, {SameCameraExcluded.title}")
    for name, value in raw_pixel_metrics(dataset.query, dataset.gallery).items():
        print(f"  {name:18} {100 * value:5.1f} %")


if __name__ == "__main__":
    main()
