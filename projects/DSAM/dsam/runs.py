"""The trained runs of a study, and the features that they give training images.

Shape shorthand: N images; D feature dimensions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fastreid.config import CfgNode

from dsam.config import add_dsam_config
from dsam.trainer import DSAMTrainer
from vreid_common.data import ItemDataset, build_train_dataset, build_transforms
from vreid_common.engine import load_config
from vreid_common.errors import InputError
from vreid_common.features import Extractor
from vreid_common.structures import VehicleImage
from vreid_common.study.plan import plan_runs
from vreid_common.study.spec import read_study

__all__ = ["TrainedRun", "draw_images", "trained_runs", "training_features"]


@dataclass(frozen=True)
class TrainedRun:
    """A row's finished training: its OUTPUT_DIR has config.yaml and model_final.pth."""

    name: str
    folder: Path

    def config(self, device: str) -> CfgNode:
        """The configuration with which the run was trained, and its final checkpoint as the model's weights."""
        weights = str(self.folder / "model_final.pth")
        config = str(self.folder / "config.yaml")
        return load_config(add_dsam_config, config, ["MODEL.WEIGHTS", weights, "MODEL.DEVICE", device])


def trained_runs(study: str | Path, work_dir: str | Path, seed: int, rows: Sequence[str] = ()) -> list[TrainedRun]:
    """The runs of a study with one seed, in the study's order.

    Args:
        study: the study file.
        work_dir: ``vreid study``'s --work-dir.
        seed: which of the study's seeds.
        rows: names of rows; none are all.

    Raises:
        InputError: there is no such row or seed, or a run is not there.
    """
    plan = {name: run for (name, of_seed), run in plan_runs(read_study(study)).items() if of_seed == seed}
    unknown = [name for name in rows if name not in plan]
    if not plan or unknown:
        raise InputError(
            f"{study} has no row {unknown[0]!r}; it has {', '.join(plan)}." if plan else f"{study} has no seed {seed}."
        )
    found = [TrainedRun(name, Path(work_dir) / run.id) for name, run in plan.items() if not rows or name in rows]
    for run in found:
        if not (run.folder / "model_final.pth").is_file():
            raise InputError(f"{run.folder} has no model_final.pth of the row {run.name!r}: run vreid study {study} first.")
    return found


def draw_images(items: Sequence[VehicleImage], num_ids: int, num_images: int, seed: int = 0) -> list[VehicleImage]:
    """Images of identities drawn at random from training images, ``num_images`` of each, identity after identity.

    Raises:
        InputError: there are not so many identities with so many images.
    """
    by_pid: dict[int | str, list[VehicleImage]] = defaultdict(list)
    for item in items:
        by_pid[item.pid].append(item)
    enough = sorted(pid for pid, images in by_pid.items() if len(images) >= num_images)
    if num_ids > len(enough):
        raise InputError(f"{len(enough)} training identities have {num_images} images or more; {num_ids} are to be drawn.")
    rng = np.random.default_rng(seed)
    drawn = [enough[place] for place in rng.choice(len(enough), num_ids, replace=False)]
    return [by_pid[pid][place] for pid in drawn for place in rng.choice(len(by_pid[pid]), num_images, replace=False)]


def training_features(
    run: TrainedRun, num_ids: int = 0, num_images: int = 0, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Features that a run's model gives training images, as it gives them to test images.

    Args:
        run: the model.
        num_ids: identities to draw; 0 takes all training images.
        num_images: images of each.
        device: where to compute.

    Returns:
        (N, D) float32 features and (N,) identities from 0.
    """
    cfg = run.config(device)
    items = build_train_dataset(cfg).img_items
    items = draw_images(items, num_ids, num_images) if num_ids else items
    number = {pid: place for place, pid in enumerate(dict.fromkeys(item.pid for item in items))}
    known = [item._replace(pid=number[item.pid], camid=-1) for item in items]
    images = ItemDataset(known, build_transforms(cfg, is_train=False), relabel=False)
    extractor = Extractor(
        DSAMTrainer.build_trained_model(cfg), device=device, batch_size=cfg.TEST.IMS_PER_BATCH, progress=False
    )
    found = extractor.extract(images)
    assert found is not None, "there is one process"
    return found.features.numpy(), found.pids.numpy()
