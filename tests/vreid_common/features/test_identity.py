"""What makes another store, and what does not."""

import json
import os
from pathlib import Path

import pytest

from vreid_common.config import CfgNode, get_vreid_cfg
from vreid_common.data import ImageReadError
from vreid_common.errors import InputError
from vreid_common.features import file_digest, image_list_digest, model_config
from vreid_common.structures import VehicleImage


@pytest.fixture
def items(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    return [VehicleImage(str(tmp_path / f"{name}.jpg"), 1, 2) for name in "abc"]


def test_a_checkpoint_is_its_content(tmp_path):
    first, copy = tmp_path / "a.pth", tmp_path / "b.pth"
    first.write_bytes(b"weights")
    copy.write_bytes(b"weights")
    before = file_digest(first)
    assert before == file_digest(copy)
    copy.write_bytes(b"weighty")
    assert file_digest(copy) != before


def test_a_checkpoint_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"Cannot read the checkpoint .*none.pth: No such file"):
        file_digest(tmp_path / "none.pth")


def test_images_that_change(items):
    before = image_list_digest(items)
    assert image_list_digest(list(items)) == before
    assert image_list_digest(items[::-1]) != before
    assert image_list_digest(items[:2]) != before
    path = Path(items[1].path)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(b"longer")
    os.utime(path, ns=times)
    assert image_list_digest(items) != before  # by its size
    path.write_bytes(b"b")
    os.utime(path, ns=(times[0], times[1] + 1))
    assert image_list_digest(items) != before  # by its time
    os.utime(path, ns=times)
    assert image_list_digest(items) == before


def test_labels_do_not_count(items):
    relabelled = [item._replace(pid=-1, camid=7, track_id=3) for item in items]
    assert image_list_digest(relabelled) == image_list_digest(items)


def test_an_image_that_is_not_there(items):
    Path(items[2].path).unlink()
    with pytest.raises(ImageReadError, match=r"Cannot read the image .*c.jpg: No such file"):
        image_list_digest(items)


def test_a_name_that_is_not_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.jpg")
    path.write_bytes(b"x")
    assert len(image_list_digest([VehicleImage(str(path), 0, 0)])) == 64


def changed(*opts):
    cfg = get_vreid_cfg()
    cfg.SOMEPAPER = CfgNode({"WIDTH": 3})
    cfg.merge_from_list(list(opts))
    return model_config(cfg)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MODEL.BACKBONE.DEPTH", "18x"),
        ("MODEL.HEADS.POOL_LAYER", "AvgPool"),
        ("SOMEPAPER.WIDTH", 4),
        ("MODEL.PIXEL_MEAN", [1, 2, 3]),
    ],
)
def test_what_the_network_is_built_from_counts(key, value):
    assert changed(key, value) != changed()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MODEL.DEVICE", "cpu"), ("MODEL.WEIGHTS", "x.pth"), ("MODEL.LOSSES.NAME", ("TripletLoss",)),
        ("OUTPUT_DIR", "elsewhere"), ("SOLVER.BASE_LR", 1.0), ("TEST.METRIC", "euclidean"),
        ("DATASETS.CSV.FILE", "cars.csv"), ("SEED", 7),
    ],
)  # fmt: skip
def test_the_rest_does_not(key, value):
    assert changed(key, value) == changed()


def test_it_is_json():
    assert json.loads(json.dumps(changed())) == changed()
