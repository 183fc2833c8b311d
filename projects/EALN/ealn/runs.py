"""A finished training: its model, its losses, and what its networks make of the test images.

Shape shorthand: N test images; D feature dimensions.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from fastreid.config import CfgNode
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ealn.config import add_ealn_config
from ealn.constraints import squared_distance
from ealn.meta_arch import EALN
from ealn.networks import HARD
from ealn.trainer import EALNTrainer
from ealn.views import FRONT
from vreid_common.data import DevicePrefetcher, build_test_loader
from vreid_common.engine import load_config
from vreid_common.errors import InputError
from vreid_common.features.inference import inference, with_progress
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["EmbeddedImages", "TrainedRun", "embed_test_images"]


@dataclass(frozen=True)
class TrainedRun:
    """OUTPUT_DIR of a training that has ended.

    Raises:
        InputError: it has no config.yaml or model_final.pth.
    """

    folder: Path

    def __post_init__(self) -> None:
        for name in ("config.yaml", "model_final.pth"):
            if not (self.folder / name).is_file():
                raise InputError(f"{self.folder} has no {name}: name the OUTPUT_DIR of an EALN training that has ended.")

    def config(self, device: str = "cpu") -> CfgNode:
        """The configuration of the training, with its final checkpoint as the model's weights."""
        weights = str(self.folder / "model_final.pth")
        return load_config(
            add_ealn_config, str(self.folder / "config.yaml"), ["MODEL.WEIGHTS", weights, "MODEL.DEVICE", device]
        )

    def model(self, device: str = "cpu") -> EALN:
        """The trained networks."""
        return EALNTrainer.build_trained_model(self.config(device))

    def losses(self, names: Sequence[str]) -> tuple[list[int], list[float]]:
        """The sum of some losses as it was reported: iterations, and values.

        Raises:
            InputError: metrics.json is not there or has none of them.
        """
        path = self.folder / "metrics.json"
        try:
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as the losses of a training ({error}).") from error
        found = [line for line in lines if all(name in line for name in names)]
        if not found:
            raise InputError(f"{path} has no line with {', '.join(names)}.")
        return [line["iteration"] for line in found], [sum(line[name] for name in names) for line in found]


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Test images in the embedding space, and how far from each the images lie that are generated from it.

    Attributes:
        features: (N, D) L2-normalised.
        pids: (N,) identities.
        hard: (N,) d(x, G_hard(x)), where hard negatives are normalised by statistics of their own, as in training; None without
            G_hard.
        view: (N,) d(x, G_view(x)), NaN for images of another view; None without G_view.
    """

    features: Tensor
    pids: Tensor
    hard: Tensor | None
    view: Tensor | None


def embed_test_images(run: TrainedRun, device: str = "cpu") -> EmbeddedImages:
    """Applies a run's networks to the query and gallery images of its first test set."""
    cfg, model = run.config(device), run.model(device)
    of_hard = _normalised_for_hard_negatives(model, cfg) if HARD in model.generators else None
    loader, _ = build_test_loader(cfg, cfg.DATASETS.TESTS[0])
    found: dict[str, list[Tensor]] = {}
    with inference(model):
        for batch in with_progress(DevicePrefetcher(loader, device)):
            images = as_network_input(batch["images"])
            features = model.embed(images)
            columns = {"features": features, "pids": batch["targets"]}
            if of_hard is not None:
                columns["hard"] = squared_distance(features, of_hard.embed(model.generate_hard(images)))
            if FRONT in model.generators:
                made, shown = model.generate_other_view(images, batch["view_ids"])
                columns["view"] = torch.where(shown, squared_distance(features, model.embed(made)), torch.nan)
            for name, column in columns.items():
                found.setdefault(name, []).append(column)
    joined = {name: torch.cat(columns) for name, columns in found.items()}
    return EmbeddedImages(joined["features"], joined["pids"], joined.get("hard"), joined.get("view"))


@torch.no_grad()
def _normalised_for_hard_negatives(model: EALN, cfg: CfgNode) -> EALN:
    """A copy whose batch normalisation has the mean statistics of the hard negatives of an epoch's training batches."""
    adapted = copy.deepcopy(model).eval()
    for layer in adapted.modules():
        if isinstance(layer, _BatchNorm) and layer.track_running_stats:
            layer.reset_running_stats()
            layer.momentum = None  # a mean over all batches
            layer.train()
    for batch in DevicePrefetcher(EALNTrainer.build_train_loader(cfg).epoch(0), model.device):
        adapted.embed(model.generate_hard(as_network_input(batch["images"])))
    return adapted.eval()
