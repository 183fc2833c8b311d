import pytest
import torch
from fastreid.modeling import build_model
from fastreid.utils.events import EventStorage
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline
from vreid_common.registry import LOSS_REGISTRY


class MeanNormLoss(nn.Module):
    """A registered loss for these tests."""

    def __init__(self, cfg):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.seen = None

    def forward(self, outputs, targets):
        self.seen = {key: value.dtype for key, value in outputs.items()}
        return self.weight * outputs["features"].norm(dim=1).mean()


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(LOSS_REGISTRY, "_obj_map", {**LOSS_REGISTRY._obj_map, "MeanNormLoss": MeanNormLoss})


def build(*losses, architecture="VehicleBaseline"):
    cfg = get_vreid_cfg()
    cfg.MODEL.META_ARCHITECTURE = architecture
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.DEPTH = "18x"
    cfg.MODEL.BACKBONE.FEAT_DIM = 512
    cfg.MODEL.HEADS.NUM_CLASSES = 5
    cfg.MODEL.HEADS.WITH_BNNECK = True
    cfg.MODEL.LOSSES.NAME = losses
    cfg.MODEL.LOSSES.TRI.HARD_MINING = True
    torch.manual_seed(0)
    return build_model(cfg)


def batch(dtype=torch.uint8):
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return {"images": images.to(dtype), "targets": torch.tensor([0, 0, 3, 3])}


def losses_of(model, inputs, autocast=False):
    with EventStorage(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        return model(inputs)


def test_smoke_fastreid_and_registered_losses_together(registered):
    model = build("CrossEntropyLoss", "MeanNormLoss", "TripletLoss")
    assert isinstance(model, VehicleBaseline)
    losses = losses_of(model, batch())
    assert set(losses) == {"loss_cls", "loss_triplet", "loss_mean_norm"}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert "registered_losses.loss_mean_norm.weight" in model.state_dict()


def test_feature_same_losses_as_fastreid():
    names = ("CrossEntropyLoss", "TripletLoss", "CircleLoss", "Cosface")
    ours, theirs = build(*names), build(*names, architecture="Baseline")
    losses, expected = losses_of(ours, batch()), losses_of(theirs, batch())
    assert set(losses) == set(expected) == {"loss_cls", "loss_triplet", "loss_circle", "loss_cosface"}
    for name, value in losses.items():
        assert torch.equal(value, expected[name])


def test_exception_unknown_loss_names_what_exists(registered):
    with pytest.raises(InputError, match=r"'TripletLos'.*MeanNormLoss.*did you mean TripletLoss"):
        build("TripletLos")


def test_feature_losses_are_computed_in_float32_under_autocast(registered):
    model = build("MeanNormLoss", "TripletLoss")
    losses = losses_of(model, batch(), autocast=True)
    assert set(model.registered_losses["loss_mean_norm"].seen.values()) == {torch.float32}
    assert all(loss.dtype == torch.float32 for loss in losses.values())


def test_feature_uint8_and_float_images_are_the_same_and_untouched():
    model = build("CrossEntropyLoss").eval()
    bytes_in, floats_in = batch(), batch(torch.float32)
    before = floats_in["images"].clone()
    with torch.no_grad():
        assert torch.equal(model(bytes_in), model(floats_in))
    assert torch.equal(floats_in["images"], before)
