"""Label files of the size of the largest sets are read once each; no image is opened, since there is none."""

from collections import Counter
from pathlib import Path

import pytest

from vreid_common.data.datasets import PKUVD1, VehicleX, VeRiWild10000

COUNT = 100_000


@pytest.fixture
def reads(monkeypatch) -> Counter:
    """How often each file is read; anything that opens a file by another way would find no image to open."""
    counter: Counter = Counter()
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        counter[path.name] += 1
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    return counter


def write(path: Path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def test_pku_vd(tmp_path, reads):
    folder = tmp_path / "PKU-VD" / "VD1"
    (folder / "image").mkdir(parents=True)
    rows = [f"{number:07d} {number // 10} 1 2" for number in range(2 * COUNT)]
    write(folder / "train_test" / "trainlist.txt", rows[:COUNT])
    write(folder / "train_test" / "testlist.txt", rows[COUNT:])
    write(folder / "query_ref" / "querylist.txt", rows[COUNT :: COUNT // 2000])
    write(folder / "query_ref" / "small_set.txt", rows[COUNT : COUNT + COUNT // 5])
    write(folder / "query_ref" / "medium_set.txt", rows[COUNT : COUNT + COUNT // 2])
    data = PKUVD1(str(tmp_path))
    assert (len(data.train), len(data.query), len(data.gallery)) == (COUNT, 2000, COUNT - 2000)
    assert [len(places) for places in data.subsets().values()] == [2000 + COUNT // 5 - 400, 2000 + COUNT // 2 - 1000]
    assert set(reads.values()) == {1}
    assert len(reads) == 5


def test_vehiclex(tmp_path, reads):
    folder = tmp_path / "VehicleX"
    (folder / "sys_image_train").mkdir(parents=True)
    items = (
        f'<Item imageName="{n // 100:04d}_c001_{n}.jpg" vehicleID="{n // 100:04d}" cameraID="c001" orientation="{n % 360}" '
        f'lightInt="{n / COUNT}" />'
        for n in range(COUNT)
    )
    write(folder / "train_label.xml", ["<TrainingImages><Items>", *items, "</Items></TrainingImages>"])
    data = VehicleX(str(tmp_path))
    assert len(data.train) == COUNT
    assert len({item.pid for item in data.train}) == COUNT // 100
    assert reads == {"train_label.xml": 1}


def test_veri_wild(tmp_path, reads):
    folder = tmp_path / "VERI-Wild"
    (folder / "images").mkdir(parents=True)
    lists = folder / "train_test_split"
    names = [f"{number // 10:05d}/{number:06d}" for number in range(COUNT)]
    write(lists / "vehicle_info.txt", (f"{name};{number % 174};2018-03-12 06:34:41;a;b;c" for number, name in enumerate(names)))
    write(lists / "train_list.txt", names[: COUNT // 2])
    write(lists / "test_10000_query.txt", names[COUNT // 2 :: 10])
    write(lists / "test_10000.txt", names[COUNT // 2 + 1 :])
    data = VeRiWild10000(str(tmp_path))
    assert (len(data.train), len(data.query), len(data.gallery)) == (COUNT // 2, COUNT // 20, COUNT // 2 - 1)
    assert set(reads.values()) == {1}
