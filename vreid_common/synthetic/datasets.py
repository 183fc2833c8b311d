"""The rendered vehicles as FastReID data sets. They are rendered on first use."""

from __future__ import annotations

import logging
from pathlib import Path

from fastreid.config import CfgNode
from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data import DatasetError, VehicleDataset, data_root
from vreid_common.structures import VIEWS, VehicleImage
from vreid_common.synthetic.record import Record, read_records
from vreid_common.synthetic.scene import Domain, Scene
from vreid_common.synthetic.sizes import SIZES
from vreid_common.synthetic.writer import LABELS, RENDERER_VERSION, write_scene

__all__ = ["StreetVehicles", "StudioVehicles"]

_logger = logging.getLogger(__name__)


class _RenderedVehicles(VehicleDataset):
    """Reads ``<root>/<domain>-<size>-<seed>-v<renderer>``, which is rendered where it is not complete.

    Args:
        root: data root; ``FASTREID_DATASETS`` if not given.
        size: a name in ``SIZES``.
        seed: not negative; one seed gives bit-identical images.
    """

    scene_domain: Domain
    layout: str

    def __init__(self, root: str = "", size: str = "demo", seed: int = 0, **kwargs) -> None:
        folder = self._folder(root or data_root(), size, seed)
        if not (folder / LABELS).is_file():
            _logger.info("Rendering %s (once).", folder)
            write_scene(Scene(SIZES[size], self.scene_domain, seed), folder, self.layout)
        records = read_records(folder / LABELS)
        train, query, gallery = (
            [self._item(folder, r) for r in records if r.split == split] for split in ("train", "query", "gallery")
        )
        super().__init__([self.train_item(item) for item in train], query, gallery, **kwargs)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, str | int]:
        """Keyword arguments of the constructor."""
        return {"size": cfg.DATASETS.RENDER.SIZE, "seed": cfg.DATASETS.RENDER.SEED}

    @classmethod
    def missing(cls, root: str, size: str = "demo", seed: int = 0, **kwargs) -> list[str]:
        try:
            cls._folder(root, size, seed)
        except DatasetError as error:
            return [str(error)]
        return []

    @classmethod
    def _folder(cls, root: str, size: str, seed: int) -> Path:
        if size not in SIZES:
            raise DatasetError(f"DATASETS.RENDER.SIZE is {size!r}: set it to one of {', '.join(SIZES)}.")
        if seed < 0:
            raise DatasetError(f"DATASETS.RENDER.SEED is {seed}: set it to 0 or more.")
        return Path(root) / f"{cls.scene_domain.name.lower()}-{size}-{seed}-v{RENDERER_VERSION}"

    def _item(self, folder: Path, record: Record) -> VehicleImage:
        return VehicleImage(
            path=str(folder / record.path),
            pid=record.vehicle_id,
            camid=record.camera_id - 1,
            camera=f"c{record.camera_id:03d}",
            track_id=record.track_id,
            view_id=VIEWS.index(record.view),
            domain=int(self.scene_domain),
            color_id=record.color_id,
            type_id=record.type_id,
            timestamp=record.timestamp,
            orientation=record.orientation,
        )


@DATASET_REGISTRY.register()
class StreetVehicles(_RenderedVehicles):
    """Rendered vehicles as roadside cameras see them; stands for real data. In VeRi-776's layout, with tracks and views.

    As in VeRi-776, each test vehicle has one query image a camera. The rest of its images are the gallery.
    """

    dataset_name = "StreetVehicles"
    scene_domain = Domain.STREET
    layout = "veri"


@DATASET_REGISTRY.register()
class StudioVehicles(_RenderedVehicles):
    """Rendered vehicles on a plain floor, for training only; stands for VehicleX, in its layout. Not the street's vehicles."""

    dataset_name = "StudioVehicles"
    scene_domain = Domain.STUDIO
    layout = "vehiclex"
