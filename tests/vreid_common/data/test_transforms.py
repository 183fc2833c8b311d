import numpy as np
import pytest
import torch
from fastreid.data.transforms import build_transforms as fastreid_transforms
from PIL import Image

from vreid_common.data import build_transforms
from vreid_common.data.seeding import local_seed
from vreid_common.data.transforms import RandomPatch
from vreid_common.errors import InputError

SWITCHES = ("CROP", "FLIP", "PADDING", "CJ", "AFFINE", "AUTOAUG", "AUGMIX", "REA", "RPT")


@pytest.fixture
def image() -> Image.Image:
    y, x = np.mgrid[0:60, 0:80]
    return Image.fromarray(np.stack([x * 3, y * 4, 128 + 100 * np.sin(x / 9) * np.cos(y / 7)], axis=-1).astype(np.uint8))


def applied(cfg, image: Image.Image, seed: int = 0, is_train: bool = True) -> torch.Tensor:
    with local_seed(seed):
        return build_transforms(cfg, is_train)(image)


def enable(cfg, name: str) -> None:
    cfg.INPUT[name].ENABLED = True
    if "PROB" in cfg.INPUT[name]:
        cfg.INPUT[name].PROB = 1.0
    cfg.INPUT.CROP.SIZE = [12, 12]
    cfg.INPUT.PADDING.SIZE = 3


class TestBuildTransforms:
    @pytest.mark.parametrize("is_train", [True, False])
    def test_without_augmentation_as_fastreid(self, cfg, image, is_train):
        cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [24, 32]
        result = applied(cfg, image, is_train=is_train)
        assert result.dtype == torch.uint8
        assert torch.equal(result.float(), fastreid_transforms(cfg, is_train)(image))

    @pytest.mark.parametrize("name", SWITCHES)
    def test_each_augmentation_changes_the_image_and_repeats(self, cfg, image, name):
        """A7 among them: RandomAffine's arguments have other names today."""
        plain = applied(cfg, image)
        enable(cfg, name)
        results = [applied(cfg, image, seed) for seed in range(8)]
        assert all(result.dtype == torch.uint8 for result in results)
        assert all(result.shape == (3, *((12, 12) if name == "CROP" else (16, 16))) for result in results)
        assert torch.equal(results[3], applied(cfg, image, 3))
        assert any(not torch.equal(result, plain) for result in results if result.shape == plain.shape) or name == "CROP"
        assert len({result.numpy().tobytes() for result in results}) > 1 or name == "FLIP"

    @pytest.mark.parametrize("names", [("FLIP",), ("PADDING",), ("CROP", "FLIP", "PADDING", "AFFINE", "CJ")])
    def test_random_steps_are_fastreids(self, cfg, image, names):
        """The same seed draws the same augmentation as FastReID's own transforms, which compat lets run today."""
        for name in names:
            enable(cfg, name)
        cfg.INPUT.CROP.SIZE = cfg.INPUT.SIZE_TRAIN
        with local_seed(5):
            theirs = fastreid_transforms(cfg, True)(image)
        assert torch.equal(applied(cfg, image, 5).float(), theirs)

    def test_all_at_once(self, cfg, image):
        for name in SWITCHES:
            enable(cfg, name)
        assert applied(cfg, image).shape == (3, 12, 12)

    def test_crop_at_test_time_is_central(self, cfg, image):
        cfg.INPUT.SIZE_TEST = [60, 80]
        enable(cfg, "CROP")
        expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)[:, 24:36, 34:46]
        assert torch.equal(applied(cfg, image, is_train=False), expected)

    def test_erasing_value(self, cfg):
        enable(cfg, "REA")
        white = Image.new("RGB", (40, 40), (255, 255, 255))
        values = applied(cfg, white).flatten(1).unique(dim=1).T.tolist()
        assert sorted(values) == [[124, 116, 104], [255, 255, 255]]

    @pytest.mark.parametrize("value", ["random", [1, 2], [0, 0, 300]])
    def test_erasing_value_that_cannot_be_used(self, cfg, value):
        enable(cfg, "REA")
        cfg.INPUT.REA.VALUE = value
        with pytest.raises(InputError, match=r"INPUT\.REA\.VALUE is .* give one or three numbers"):
            build_transforms(cfg, True)

    def test_one_pixel_image(self, cfg):
        for name in SWITCHES:
            enable(cfg, name)
        assert applied(cfg, Image.new("RGB", (1, 1))).shape == (3, 12, 12)

    def test_padding_without_a_size(self, cfg):
        cfg.INPUT.SIZE_TRAIN = [0, 0]
        cfg.INPUT.PADDING.ENABLED = True
        with pytest.raises(InputError, match=r"INPUT\.PADDING\.ENABLED"):
            build_transforms(cfg, True)

    def test_size_of_three_numbers(self, cfg):
        cfg.INPUT.SIZE_TRAIN = [3, 16, 16]
        with pytest.raises(InputError, match=r"\[3, 16, 16\]: write \[height, width\]"):
            build_transforms(cfg, True)


class TestDecodeSize:
    @pytest.mark.parametrize(("size", "expected"), [([128, 256], 256), ([64], None), ([0, 0], None)])
    def test_only_where_every_image_is_shrunk_to_it(self, cfg, size, expected):
        cfg.INPUT.SIZE_TRAIN = size
        assert build_transforms(cfg, True).decode_size == expected


class TestRandomPatch:
    def test_input_is_kept_and_the_patch_is_a_part_of_it(self):
        image = torch.arange(3 * 20 * 20, dtype=torch.int32).reshape(3, 20, 20)
        before = image.clone()
        changed = 0
        for seed in range(20):
            with local_seed(seed):
                result = RandomPatch(1.0)(image)
            assert torch.equal(image, before)
            assert set(result[0].flatten().tolist()) <= set(image[0].flatten().tolist())
            changed += not torch.equal(result, image)
        assert changed >= 19

    def test_probability(self):
        image = torch.rand(3, 20, 20)
        with local_seed(0):
            assert RandomPatch(0.0)(image) is image
            share = np.mean([RandomPatch(0.3)(image) is not image for _ in range(1000)])
        assert 0.25 < share < 0.35

    def test_nothing_of_the_image_is_kept_alive(self):
        """B19: FastReID's patches are views, each of which keeps its whole image."""
        image = torch.rand(3, 20, 20)
        with local_seed(0):
            result = RandomPatch(1.0)(image)
        assert result.untyped_storage().data_ptr() != image.untyped_storage().data_ptr()
