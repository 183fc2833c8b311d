"""Checkpoints of FastReID's earlier releases, as its published model zoo has them."""

import pytest
import torch
from fastreid.config import CfgNode
from fastreid.modeling import build_model
from fastreid.modeling.heads import REID_HEADS_REGISTRY, EmbeddingHead
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.engine import Checkpointer
from vreid_common.errors import InputError
from vreid_common.weights import current_names


@REID_HEADS_REGISTRY.register()
class OcclusionHead(EmbeddingHead):
    """The parts of PartialReID's head: a second neck and a second classifier beside the first ones."""

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        self.bnneck_occ = nn.Sequential(nn.BatchNorm2d(512))
        self.weight_occ = nn.Parameter(torch.randn(cfg.MODEL.HEADS.NUM_CLASSES, 512))


def make_model(head: str = "EmbeddingHead", classes: int = 4, embedding: int = 0, architecture: str = "Baseline") -> nn.Module:
    cfg = get_vreid_cfg()
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.DEVICE = architecture, "cpu"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "18x", 512
    cfg.MODEL.HEADS.NAME, cfg.MODEL.HEADS.NUM_CLASSES, cfg.MODEL.HEADS.EMBEDDING_DIM = head, classes, embedding
    cfg.MODEL.HEADS.WITH_BNNECK = True
    model = build_model(cfg)
    for value in model.state_dict().values():
        if value.is_floating_point():
            nn.init.normal_(value)
    return model


def old_state(model: nn.Module, changes: dict[str, str]) -> dict[str, torch.Tensor]:
    state = {}
    for key, value in model.state_dict().items():
        old = next((key.replace(new, before) for new, before in changes.items() if new in key), key)
        state[old] = value
    return {**state, "pixel_mean": model.pixel_mean, "pixel_std": model.pixel_std}


V1 = {"heads.bottleneck.0.": "heads.bnneck.", "heads.weight": "heads.classifier.weight"}
V1_WITH_EMBEDDING = {"heads.bottleneck.1.": "heads.bnneck.", "heads.weight": "heads.classifier.weight"}
SEQUENCE = {"heads.bottleneck.": "heads.bnneck.", "heads.weight": "heads.classifier.weight"}
PARTIAL = {**V1, "heads.weight_occ": "heads.classifier_occ.weight", "heads.bnneck_occ.0.": "heads.bnneck_occ."}


@pytest.mark.parametrize(
    ("head", "embedding", "changes"),
    [
        ("EmbeddingHead", 0, V1),
        ("EmbeddingHead", 16, V1_WITH_EMBEDDING),
        ("EmbeddingHead", 16, SEQUENCE),
        ("OcclusionHead", 0, dict(reversed(PARTIAL.items()))),
    ],
)
def test_old_files_load_whole(head, embedding, changes, tmp_path, caplog):
    source, target = make_model(head, embedding=embedding), make_model(head, embedding=embedding)
    state = old_state(source, changes)
    assert set(state) - set(source.state_dict()) > {"heads.classifier.weight"}
    torch.save({"model": state}, tmp_path / "zoo.pth")
    with caplog.at_level("INFO"):
        Checkpointer(target).load(str(tmp_path / "zoo.pth"), strict=True)
    assert "zoo.pth has" in caplog.text
    assert "tensors under names of an earlier FastReID, renamed: heads." in caplog.text
    assert "the model has not" not in caplog.text
    for key, value in target.state_dict().items():
        torch.testing.assert_close(value, source.state_dict()[key], rtol=0, atol=0)


def test_releases_between_saved_the_new_neck_and_the_old_ones_count(tmp_path, caplog):
    """The zoo's vehicle models are of this kind."""
    source, target = make_model(), make_model()
    state = old_state(source, {"heads.weight": "heads.classifier.weight"})
    torch.save({"model": {**state, "heads.bnneck.num_batches_tracked": torch.tensor(7)}}, tmp_path / "zoo.pth")
    Checkpointer(target).load(str(tmp_path / "zoo.pth"), strict=True)
    assert torch.equal(target.heads.weight, source.heads.weight)
    assert "the model has not" not in caplog.text


def test_second_classifiers_of_other_identities_are_left_out_like_first_ones(tmp_path):
    source, target = make_model("OcclusionHead", classes=3), make_model("OcclusionHead", classes=5)
    before = target.heads.weight_occ.clone()
    torch.save({"model": source.state_dict()}, tmp_path / "three.pth")
    Checkpointer(target).load(str(tmp_path / "three.pth"), strict=True)
    assert torch.equal(target.heads.weight_occ, before)
    assert torch.equal(target.heads.bnneck_occ[0].weight, source.heads.bnneck_occ[0].weight)


def test_another_heads_neck_is_refused(tmp_path):
    """The reduction head of FastReID 1.0 had a convolution, a normalisation and a neck: no head of today is the same."""
    source = make_model(embedding=16).state_dict()
    state = {**source, "heads.bnneck.weight": torch.ones(16)}
    torch.save({"model": state}, tmp_path / "reduction.pth")
    with pytest.raises(InputError, match=r"heads.bottleneck.0.weight has shape \(16, 512, 1, 1\) there"):
        Checkpointer(make_model()).load(str(tmp_path / "reduction.pth"), strict=True)


def test_names_that_the_model_still_has_stay():
    model = nn.Module()
    model.heads = nn.Module()
    model.heads.bnneck, model.heads.bottleneck = nn.BatchNorm1d(2), nn.Sequential(nn.BatchNorm1d(2))
    state = model.state_dict()
    assert current_names(state, model, "file.pth") == state


def test_another_normalisation_of_pixels_is_said(caplog):
    model = make_model()
    current_names({"pixel_mean": torch.full((1, 3, 1, 1), 127.5)}, model, "zoo.pth")
    assert "zoo.pth was trained with MODEL.PIXEL_MEAN [127.5, 127.5, 127.5]; the config has [123.6" in caplog.text
