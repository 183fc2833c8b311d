"""Each fault that compat cures, met the way a plain FastReID user meets it."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fastreid.config import get_cfg
from fastreid.data.transforms import build_transforms
from fastreid.engine import DefaultTrainer
from fastreid.modeling import build_model
from fastreid.modeling.losses.triplet_loss import triplet_loss
from PIL import Image


def small_cfg(**overrides):
    cfg = get_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.DEPTH = "18x"
    cfg.MODEL.BACKBONE.FEAT_DIM = 512
    cfg.MODEL.HEADS.NUM_CLASSES = 4
    cfg.MODEL.HEADS.WITH_BNNECK = True
    cfg.SOLVER.BASE_LR = 0.01
    for key, value in overrides.items():
        cfg.merge_from_list([key.replace("__", "."), value])
    return cfg


def batch(size: int = 8, pixels: int = 32) -> dict:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (size, 3, pixels, pixels), generator=generator).float()
    return {"images": images, "targets": torch.arange(size) % 4, "camids": torch.zeros(size, dtype=torch.int64)}


def python(code: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env}, check=False, timeout=120
    )


def test_a1_a2_fastreid_imports_after_vreid_common_and_not_before():
    assert python("import fastreid.engine").returncode != 0
    assert python("import vreid_common, fastreid.engine").returncode == 0


def test_a3_plain_loader_works_without_cuda_and_b14_a_corrupt_image_ends_it(tmp_path: Path):
    from fastreid.data.build import build_reid_test_loader
    from fastreid.data.common import CommDataset

    for name in ("good.jpg", "bad.jpg"):
        Image.new("RGB", (16, 16)).save(tmp_path / name)
    (tmp_path / "bad.jpg").write_bytes(b"not an image")
    items = [(str(tmp_path / name), 0, 0) for name in ("good.jpg", "bad.jpg")]
    transforms = build_transforms(small_cfg(), is_train=False)
    loader, _ = build_reid_test_loader(CommDataset(items[:1], transforms), test_batch_size=1, num_query=1, num_workers=0)
    assert next(iter(loader))["images"].shape[0] == 1
    loader, _ = build_reid_test_loader(CommDataset(items, transforms), test_batch_size=2, num_query=1, num_workers=1)
    with pytest.raises(Exception, match="UnidentifiedImageError"):
        list(loader)


@pytest.mark.parametrize("architecture", ["Baseline", "MGN"])
def test_a4_b2_b3_images_are_normalised_once_and_never_in_place(architecture: str):
    cfg = small_cfg(MODEL__META_ARCHITECTURE=architecture)
    if architecture == "MGN":
        cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "50x", 2048
    model = build_model(cfg).eval()
    given = batch(2, pixels=96)
    before = given["images"].clone()
    with torch.no_grad():
        first, second = model(given), model(given)
        from_bytes = model({**given, "images": given["images"].to(torch.uint8)})
    torch.testing.assert_close(given["images"], before, rtol=0, atol=0)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, from_bytes)


def test_a5_building_the_evaluator_compiles_nothing(monkeypatch: pytest.MonkeyPatch):
    from fastreid.evaluation import ReidEvaluator, reid_evaluation

    def fail():
        raise AssertionError("ran make")

    monkeypatch.setattr(reid_evaluation, "compile_helper", fail)
    ReidEvaluator(small_cfg(), num_query=1)


def test_a7_random_affine_runs():
    cfg = small_cfg(INPUT__AFFINE__ENABLED=True, INPUT__SIZE_TRAIN=[32, 32])
    assert build_transforms(cfg)(Image.new("RGB", (40, 40))).shape == (3, 32, 32)


@pytest.mark.parametrize(("backbone", "depth"), [("build_regnet_backbone", "200x"), ("build_effnet_backbone", "b0")])
def test_a12_packaged_backbones_build_from_any_folder(
    backbone: str, depth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from fastreid.modeling.backbones import build_backbone

    monkeypatch.chdir(tmp_path)
    cfg = small_cfg(MODEL__BACKBONE__NAME=backbone, MODEL__BACKBONE__DEPTH=depth)
    assert build_backbone(cfg)(torch.zeros(1, 3, 32, 32)).dim() == 4


def test_b1_every_trainable_parameter_moves_in_one_step_of_fastreids_own_trainer():
    from fastreid.engine.train_loop import SimpleTrainer
    from fastreid.utils.events import EventStorage

    cfg = small_cfg(SOLVER__OPT="SGD", MODEL__LOSSES__NAME=("CrossEntropyLoss", "TripletLoss"))
    model = build_model(cfg)
    optimizer, wrapper = DefaultTrainer.build_optimizer(cfg, model)
    before = {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}
    trainer = SimpleTrainer(model, [batch()], optimizer, wrapper)
    with EventStorage():
        trainer.run_step()
    still = [name for name, value in model.named_parameters() if name in before and torch.equal(value, before[name])]
    assert not still


def test_b18_gradients_are_clipped_by_parameter_and_the_wrapper_stays_one():
    from fastreid.solver import build_optimizer
    from fastreid.utils.params import ContiguousParams

    cfg = small_cfg(SOLVER__CLIP_GRADIENTS__ENABLED=True, SOLVER__CLIP_GRADIENTS__CLIP_TYPE="norm")
    model = build_model(cfg)
    optimizer, wrapper = build_optimizer(cfg, model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    limit = cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE * 1.001
    assert all(value.grad.norm() <= limit for value in model.parameters() if value.requires_grad)
    assert isinstance(wrapper, ContiguousParams)
    wrapper.assert_buffer_is_valid()


def test_b10_soft_triplet_sees_negatives_at_real_distances():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(16, 512, generator=generator)  # distances of about 32
    targets = torch.arange(8).repeat_interleave(2)
    distances = torch.cdist(features, features)
    same = targets[:, None] == targets[None]
    expected = 0.0
    for i in range(16):
        positives, negatives = distances[i][same[i]], distances[i][~same[i]]
        hard_positive = (positives * positives.softmax(0)).sum()
        hard_negative = (negatives * (-negatives).softmax(0)).sum()
        expected += torch.relu(hard_positive - hard_negative + 0.3) / 16
    loss = triplet_loss(features, targets, margin=0.3, norm_feat=False, hard_mining=False)
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("module", ["common", "data_utils"])
def test_b15_palette_and_alpha_images_become_rgb(module: str, tmp_path: Path):
    """FastAttr and FastClas have read_image from data_utils."""
    read_image = importlib.import_module(f"fastreid.data.{module}").read_image
    for mode in ("P", "RGBA", "LA", "CMYK", "L"):
        path = tmp_path / f"{mode}.{'tif' if mode == 'CMYK' else 'png'}"
        Image.new("RGB", (4, 4), (200, 30, 60)).convert(mode).save(path)
        assert read_image(str(path)).mode == "RGB"
