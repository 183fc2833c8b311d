"""Sets that are read from a translated copy."""

import shutil
from pathlib import Path

import pytest
from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.data import DatasetError, build_dataset, build_train_dataset
from vreid_common.structures import DOMAINS


def configuration() -> CfgNode:
    cfg = get_vreid_cfg()
    cfg.DATASETS.RENDER.SIZE = "tiny"
    cfg.DATASETS.NAMES = ("StreetVehicles", "StudioVehicles")
    return cfg


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rendered")
    for name in configuration().DATASETS.NAMES:
        build_dataset(configuration(), name, root=str(root))
    return root


@pytest.fixture
def cfg(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CfgNode:
    shutil.copytree(rendered, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    return configuration()


@pytest.fixture
def copy(cfg, tmp_path: Path) -> Path:
    """What `vreid translate apply` leaves of the studio set, the images as they were."""
    folder = Path(build_dataset(cfg, "StudioVehicles").train[0].path).parents[1]
    copy = tmp_path / "translated" / folder.name
    shutil.copytree(folder, copy)
    (copy / "translation.json").write_text("{}")
    return copy


def test_only_the_named_sets_are_read_from_the_copy(cfg, copy, tmp_path):
    plain = build_train_dataset(cfg).img_items
    cfg.DATASETS.TRANSLATED.NAMES = ("StudioVehicles",)
    items = build_train_dataset(cfg).img_items
    assert len(items) == len(plain)
    for item, other in zip(items, plain, strict=True):
        assert item[1:] == other[1:]
        translated = item.domain == DOMAINS.index("synthetic")
        expected = str(tmp_path / "translated" / Path(other.path).relative_to(tmp_path)) if translated else other.path
        assert item.path == expected


def test_the_root_may_be_anywhere(cfg, copy, tmp_path, monkeypatch):
    (tmp_path / "translated").rename(tmp_path / "elsewhere")
    cfg.DATASETS.TRANSLATED.NAMES = ("StudioVehicles",)
    cfg.DATASETS.TRANSLATED.ROOT = str(tmp_path / "elsewhere")
    assert build_dataset(cfg, "StudioVehicles").train[0].path.startswith(f"{tmp_path}/elsewhere/")


def test_a_root_that_is_not_there_is_not_rendered_into(cfg, tmp_path):
    cfg.DATASETS.TRANSLATED.NAMES = ("StudioVehicles",)
    with pytest.raises(DatasetError, match=r"DATASETS\.TRANSLATED\.ROOT is 'translated', which is no folder"):
        build_dataset(cfg, "StudioVehicles")
    assert not (tmp_path / "translated").exists()


def test_images_that_were_not_translated_are_refused(cfg, copy):
    (copy / "translation.json").unlink()
    cfg.DATASETS.TRANSLATED.NAMES = ("StudioVehicles",)
    with pytest.raises(DatasetError, match=r"`vreid translate apply` did not write .*\.jpg"):
        build_dataset(cfg, "StudioVehicles")
