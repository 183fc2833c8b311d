"""The batches of both domains."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from vreid_common.config import get_vreid_cfg
from vreid_common.data import DatasetError, ImageReadError, read_folder
from vreid_common.errors import InputError
from vreid_common.synthetic.translation import PairLoader, read_domain


def loader(folder: Path, workers: int = 0, seed: int = 3, batch_size: int = 2) -> PairLoader:
    items = read_folder(folder)
    return PairLoader((items, items[:3]), (8, 12), batch_size, seed, workers=workers)


def first(pairs: PairLoader, count: int, start: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(islice(pairs.batches(start), count))


def equal(a: list[tuple[torch.Tensor, torch.Tensor]], b: list[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def test_batches_of_both_domains_without_an_end(shipped):
    batches = first(loader(shipped), 20)
    assert {tuple(part.shape) for pair in batches for part in pair} == {(2, 3, 8, 12)}
    assert {part.dtype for pair in batches for part in pair} == {torch.uint8}
    assert len({pair[0].sum().item() for pair in batches}) > 5  # other images, other mirrorings


def test_a_resumed_loader_and_other_workers_give_the_same_batches(shipped):
    whole = first(loader(shipped), 9)
    for start in (1, 3, 8):  # 3 batches an epoch of the source, 2 of the target
        assert equal(first(loader(shipped), 9 - start, start), whole[start:])
    assert equal(first(loader(shipped, workers=2), 9), whole)
    assert not equal(first(loader(shipped, seed=4), 9), whole)


def test_every_image_is_seen_in_an_epoch(shipped):
    seen = torch.cat([source for source, _ in first(loader(shipped, batch_size=1), 5)])
    assert len({image.float().mean().round(decimals=2).item() for image in seen}) == 5


@pytest.mark.parametrize(
    ("options", "message"), [({"batch_size": 4}, "The target has 3 images"), ({"batch_size": 0}, "use 1, 0")]
)
def test_numbers_that_cannot_be(shipped, options, message):
    with pytest.raises(InputError, match=message):
        loader(shipped, **options)


def test_a_damaged_image(shipped):
    (shipped / "a" / "0.png").write_bytes(b"torn")
    with pytest.raises(ImageReadError, match="0.png"):
        first(loader(shipped, workers=2), 3)


class TestReadDomain:
    def test_a_folder(self, shipped, monkeypatch):
        assert len(read_domain(get_vreid_cfg(), str(shipped))) == 5
        monkeypatch.chdir(shipped.parent)
        assert len(read_domain(get_vreid_cfg(), "shipped")) == 5

    def test_a_data_set_has_its_training_images(self, vehicles):
        cfg = get_vreid_cfg()
        cfg.DATASETS.CSV.FILE = str(vehicles)
        assert len(read_domain(cfg, "CSVVehicles")) == 30

    def test_a_folder_that_is_named_like_a_data_set(self, shipped, monkeypatch):
        monkeypatch.chdir(shipped.parent)
        shipped.rename("CSVVehicles")
        assert len(read_domain(get_vreid_cfg(), "./CSVVehicles")) == 5
        with pytest.raises(DatasetError, match=r"DATASETS\.CSV\.FILE is empty"):
            read_domain(get_vreid_cfg(), "CSVVehicles")

    def test_what_is_not_there(self, tmp_path, vehicles):
        with pytest.raises(DatasetError, match=f"There is no folder {tmp_path}/none"):
            read_domain(get_vreid_cfg(), f"{tmp_path}/none")
        with pytest.raises(DatasetError, match="There is no data set 'StudioVehicle'; did you mean StudioVehicles"):
            read_domain(get_vreid_cfg(), "StudioVehicle")
        cfg = get_vreid_cfg()
        cfg.DATASETS.CSV.FILE = str(tmp_path / "test.csv")
        rows = vehicles.read_text().splitlines()
        (tmp_path / "test.csv").write_text(
            "\n".join([rows[0], *(f"{vehicles.parent}/{row}" for row in rows if row.endswith("gallery"))])
        )
        with pytest.raises(DatasetError, match="CSVVehicles has no training images"):
            read_domain(cfg, "CSVVehicles")
