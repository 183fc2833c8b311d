import pytest
import torch
from ealn import VGGM, EALNTrainer
from torch import nn

from vreid_common.errors import InputError


def test_feature_the_papers_layers():
    with torch.device("meta"):
        network = VGGM((224, 224))
        features = network.features(torch.zeros(1, 3, 224, 224))
        assert features.shape == (1, 512, 6, 6)
        assert network(torch.zeros(2, 3, 224, 224)).shape == (2, 1024, 1, 1)
    weights = {name: tuple(value.shape) for name, value in network.named_parameters() if name.endswith("weight")}
    assert list(weights.values()) == [
        (96, 3, 7, 7), (256, 96, 5, 5), (512, 256, 3, 3), (512, 512, 3, 3), (512, 512, 3, 3),
        (4096, 512, 6, 6), (1024, 4096, 1, 1),
    ]  # fmt: skip


def test_feature_local_response_normalisation_is_caffes():
    layer = VGGM((48, 48), (6, 2, 2), 2, 2).features[2]
    x = torch.rand(1, 6, 2, 2, dtype=torch.float64)
    expected = x.clone()
    for channel in range(6):
        around = x[:, max(0, channel - 2) : channel + 3].square().sum(1)
        expected[:, channel] /= (2 + 5e-4 / 5 * around) ** 0.75
    torch.testing.assert_close(layer(x), expected)


def test_exception_images_that_are_too_small():
    with pytest.raises(InputError, match=r"INPUT.SIZE_TRAIN \[16, 16\] leaves nothing"):
        VGGM((16, 16))


VGG = ("MODEL.BACKBONE.NAME", "build_vgg_m_backbone", "EALN.VGG_M.CHANNELS", [4, 4, 4], "EALN.VGG_M.FC6", 8)
SIZE = ("INPUT.SIZE_TRAIN", [48, 48], "INPUT.SIZE_TEST", [48, 48], "MODEL.HEADS.NUM_CLASSES", 3)


def test_smoke_as_a_backbone_of_any_config(make_cfg):
    model = EALNTrainer.build_model(make_cfg(*VGG, *SIZE)).eval()
    assert isinstance(model.backbone, nn.Module)
    assert model.embed(torch.zeros(2, 3, 48, 48)).shape == (2, 16)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("INPUT.SIZE_TEST", [56, 56]), r"INPUT.SIZE_TEST \[56, 56\]"),
        (("MODEL.BACKBONE.PRETRAIN", True), "name a file in MODEL.BACKBONE.PRETRAIN_PATH"),
        (("EALN.VGG_M.CHANNELS", [4, 4]), r"CHANNELS \[4, 4\]"),
        (("EALN.VGG_M.DROPOUT", 1.0), "DROPOUT 1.0"),
    ],
)
def test_exception_keys(make_cfg, overrides, said):
    with pytest.raises(InputError, match=said):
        EALNTrainer.build_model(make_cfg(*VGG, *SIZE, *overrides))


def test_weights_from_a_file(make_cfg, tmp_path):
    first = EALNTrainer.build_model(make_cfg(*VGG, *SIZE))
    torch.save(first.backbone.state_dict(), tmp_path / "vgg.pth")
    options = ("MODEL.BACKBONE.PRETRAIN", True, "MODEL.BACKBONE.PRETRAIN_PATH", str(tmp_path / "vgg.pth"))
    second = EALNTrainer.build_model(make_cfg(*VGG, *SIZE, *options))
    for name, value in first.backbone.state_dict().items():
        assert torch.equal(value, second.backbone.state_dict()[name])
