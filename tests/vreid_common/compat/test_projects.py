"""What FastReID's own projects and plain scripts do, in a few lines each: it works beside vreid_common as it did without."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fastreid.config import CfgNode, get_cfg
from fastreid.data import CommDataset, build_reid_test_loader
from fastreid.data.build import fast_batch_collator
from fastreid.data.data_utils import DataLoaderX
from fastreid.data.transforms import build_transforms
from fastreid.evaluation import DatasetEvaluator, inference_on_dataset
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone, build_resnet_backbone
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY, Distiller
from fastreid.solver import build_optimizer
from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer
from fastreid.utils.events import EventStorage
from PIL import Image
from torch import nn

from vreid_common.errors import InputError

BATCH = 8


def small_cfg(architecture: str = "Baseline", **keys: Any) -> CfgNode:
    cfg = get_cfg()
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.DEVICE = architecture, "cpu"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "18x", 512
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.NUM_CLASSES, cfg.MODEL.HEADS.WITH_BNNECK = 4, True
    cfg.SOLVER.OPT, cfg.SOLVER.BASE_LR = "SGD", 0.01
    for key, value in keys.items():
        cfg.merge_from_list([key.replace("__", "."), value])
    return cfg


def batch(size: int = BATCH) -> dict[str, Any]:
    images = torch.randint(0, 256, (size, 3, 32, 32), generator=torch.Generator().manual_seed(0)).float()
    return {"images": images, "targets": torch.arange(size) % 4, "camids": torch.zeros(size, dtype=torch.int64)}


def train_one_step(cfg: CfgNode, model: nn.Module) -> set[str]:
    """The loop of a plain script; which parameters did not move."""
    optimizer, _ = build_optimizer(cfg, model)
    before = {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}
    with EventStorage():
        losses = model.train()(batch())
    optimizer.zero_grad()
    sum(losses.values()).backward()
    optimizer.step()
    return {name for name, value in model.named_parameters() if name in before and torch.equal(value, before[name])}


def test_a_plain_training_loop_trains():
    cfg = small_cfg()
    assert not train_one_step(cfg, build_model(cfg))


@META_ARCH_REGISTRY.register()
class FeatureDistiller(Distiller):
    """As FastDistill's Overhaul: the student's feature map, through a connector, is pulled to the teacher's."""

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        self.connector = nn.Sequential(nn.Conv2d(512, 512, 1, bias=False), nn.BatchNorm2d(512))

    def forward(self, batched_inputs: dict[str, Any]) -> Any:
        if not self.training:
            return super().forward(batched_inputs)
        images = self.preprocess_image(batched_inputs)
        targets = batched_inputs["targets"].to(self.device)
        features = self.backbone(images)
        with torch.no_grad():
            taught = [teacher.backbone(images) for teacher in self.model_ts]
            outputs = [teacher.heads(feature, targets) for teacher, feature in zip(self.model_ts, taught, strict=True)]
        losses = self.losses(self.heads(features, targets), outputs, targets)
        losses["loss_overhaul"] = sum(F.mse_loss(self.connector(features), feature) for feature in taught)
        return losses


@pytest.mark.parametrize("ema", [False, True])
@pytest.mark.parametrize("architecture", ["Distiller", "FeatureDistiller"])
def test_b16_distillation_trains_with_still_teachers(architecture: str, ema: bool, tmp_path: Path):
    teacher = small_cfg()
    torch.save({"model": build_model(teacher).state_dict()}, tmp_path / "teacher.pth")
    (tmp_path / "teacher.yml").write_text(teacher.dump())
    files = {"KD__MODEL_CONFIG": [str(tmp_path / "teacher.yml")], "KD__MODEL_WEIGHTS": [str(tmp_path / "teacher.pth")]}
    cfg = small_cfg(architecture, KD__EMA__ENABLED=ema, **files)
    model = build_model(cfg)
    teacher = model.model_ts[-1]
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    assert not train_one_step(cfg, model)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    model.eval()
    assert model.train().training
    with torch.no_grad():
        feature = teacher.backbone(batch()["images"])
        outputs = teacher.heads(feature, batch()["targets"])
        first = teacher.heads(feature[:1], batch()["targets"][:1])
    # The form of a training forward, with the statistics that the teacher learnt.
    assert set(outputs) == {"cls_outputs", "pred_class_logits", "features"}
    torch.testing.assert_close(outputs["pred_class_logits"][:1], first["pred_class_logits"], rtol=1e-4, atol=1e-4)
    if ema:  # nothing else than its training forward moves the copy's statistics
        assert model.model_ts[0].backbone.bn1.training


class TextEvaluator(DatasetEvaluator):
    """As FastRetri's: it keeps labels as the data set has them."""

    def reset(self) -> None:
        self.labels: list[str] = []
        self.features: list[torch.Tensor] = []

    def process(self, inputs: dict[str, Any], outputs: torch.Tensor) -> None:
        self.labels.extend(inputs["targets"])
        self.features.append(outputs)

    def evaluate(self) -> dict[str, Any]:
        return {"labels": self.labels, "features": torch.cat(self.features)}


def test_evaluation_with_labels_that_are_texts(tmp_path: Path):
    for number in range(3):
        Image.new("RGB", (32, 32), (80 * number, 9, 9)).save(tmp_path / f"{number}.png")
    items = [(str(tmp_path / f"{number}.png"), label, "0") for number, label in enumerate(["12", "car", "12"])]
    cfg = small_cfg(INPUT__SIZE_TEST=[32, 32])
    test_set = CommDataset(items, build_transforms(cfg, is_train=False), relabel=False)
    loader, _ = build_reid_test_loader(test_set, test_batch_size=2, num_query=3, num_workers=0)
    results = inference_on_dataset(build_model(cfg).eval(), loader, TextEvaluator())
    assert results["labels"] == ["12", "car", "12"]
    assert results["features"].shape == (3, 512)


def test_imports_of_fastface_and_of_earlier_releases():
    from torch._six import container_abcs, int_classes, string_classes

    assert isinstance({}, container_abcs.Mapping)
    assert isinstance(3, int_classes)
    assert isinstance("text", string_classes)
    assert torch._six.string_classes is string_classes


def test_b15_numpy_labels_are_collated():
    rows = [
        {"targets": np.int64(number), "scores": np.float32(number), "attributes": np.array([number, 1])} for number in (3, 5)
    ]
    collated = fast_batch_collator(rows)
    assert collated["targets"].tolist() == [3, 5]
    assert collated["scores"].dtype == torch.float32
    assert collated["attributes"].tolist() == [[3, 1], [5, 1]]


def test_a3_a_subclass_of_fastreids_loader_works():
    class Loader(DataLoaderX):
        pass

    loader = Loader(0, dataset=[1, 2, 3], batch_size=2, pin_memory=True)
    assert [part.tolist() for part in loader] == [[1, 2], [3]]
    loader.shutdown()


def test_a11_a_best_metric_is_read_back_by_fastreids_checkpointer(tmp_path: Path):
    """ReidEvaluator's metric is a NumPy number, and FastReID saves it with every checkpoint."""
    model = nn.Linear(2, 2)
    periodic = PeriodicCheckpointer(Checkpointer(model, str(tmp_path)), period=1, max_epoch=2)
    periodic.step(0, metric=np.float64(0.5))
    assert Checkpointer(nn.Linear(2, 2), str(tmp_path)).resume_or_load("")["metric"] == 0.5
    torch.save({"model": {}, "logger": logging.getLogger}, tmp_path / "code.pth")
    with pytest.raises(InputError, match="holds objects other than tensors"):
        Checkpointer(model).load(str(tmp_path / "code.pth"))


def test_b23_fastreids_checkpointer_takes_earlier_names(tmp_path: Path):
    source, target = build_model(small_cfg()), build_model(small_cfg())
    nn.init.normal_(source.heads.bottleneck[0].running_mean)
    old = {key.replace("bottleneck.0.", "bnneck."): value for key, value in source.state_dict().items()}
    torch.save({"model": {f"module.{key}": value for key, value in old.items()}}, tmp_path / "zoo.pth")
    Checkpointer(target).load(str(tmp_path / "zoo.pth"))
    assert torch.equal(target.heads.bottleneck[0].running_mean, source.heads.bottleneck[0].running_mean)


@pytest.mark.parametrize("kind", ["FastReID checkpoint", "state_dict"])
def test_b25_the_backbones_file_is_loaded_or_refused(kind: str, tmp_path: Path):
    source = build_model(small_cfg())
    path = tmp_path / "weights.pth"
    torch.save({"model": source.state_dict()} if kind[0] == "F" else {"state_dict": source.backbone.state_dict()}, path)
    cfg = small_cfg(MODEL__BACKBONE__PRETRAIN=True, MODEL__BACKBONE__PRETRAIN_PATH=str(path))
    for backbone in (build_model(cfg).backbone, build_backbone(cfg), build_resnet_backbone(cfg)):
        assert torch.equal(backbone.layer4[1].conv2.weight, source.backbone.layer4[1].conv2.weight)
    cfg.MODEL.BACKBONE.DEPTH = "34x"
    with pytest.raises(InputError, match="weights.pth was made for another network: it lacks layer1.2.conv1.weight"):
        build_model(cfg)
