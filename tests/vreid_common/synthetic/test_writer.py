import hashlib
import json
import multiprocessing
import time
from pathlib import Path

import cv2
import pytest

from vreid_common.errors import InputError
from vreid_common.synthetic import Domain, RenderSize, Scene, write_scene
from vreid_common.synthetic.record import read_records
from vreid_common.synthetic.writer import LABELS

SMALL = RenderSize(train_ids=3, test_ids=2, cameras=3, visits=2, image_size=48)


def _contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module", params=list(Domain), ids=lambda d: d.name.lower())
def rendered(request, tmp_path_factory):
    scene = Scene(SMALL, request.param, 7)
    folder = tmp_path_factory.mktemp("whole")
    assert write_scene(scene, folder, "csv", workers=1) == sum(t.frames for t in scene.tracklets)
    return scene, folder


def test_bytes_do_not_depend_on_the_number_of_workers(rendered, tmp_path):
    scene, folder = rendered
    write_scene(scene, tmp_path, "csv", workers=2)
    assert _contents(tmp_path) == _contents(folder)


def test_another_seed_gives_other_images(rendered, tmp_path):
    scene, folder = rendered
    other = Scene(SMALL, scene.domain, 8)
    write_scene(other, tmp_path, "csv", workers=1)
    names = [name for name in _contents(tmp_path) if name.endswith(".jpg")]
    assert not {_contents(tmp_path)[name] for name in names} & set(_contents(folder).values())


def test_images_have_the_size_asked_for_and_labels_list_each_once(rendered):
    _, folder = rendered
    records = read_records(folder / LABELS)
    assert sorted(record.path for record in records) == sorted(str(p.relative_to(folder)) for p in folder.rglob("*.jpg"))
    assert all(cv2.imread(str(folder / record.path)).shape == (48, 48, 3) for record in records)
    assert len([r for r in records if r.split == "query"]) == SMALL.test_ids * SMALL.visits


def test_what_is_missing_is_rendered_again_and_nothing_else(rendered, tmp_path):
    scene, folder = rendered
    write_scene(scene, tmp_path, "csv", workers=1)
    images = sorted(tmp_path.rglob("*.jpg"))
    kept = images[0].stat().st_mtime_ns
    for path in images[1::3]:
        path.unlink()
    images[2].write_bytes(b"")  # as a full disk leaves it
    (tmp_path / LABELS).unlink()
    assert write_scene(scene, tmp_path, "csv", workers=1) == len(images[1::3]) + 1
    assert images[0].stat().st_mtime_ns == kept
    assert _contents(tmp_path) == _contents(folder)


MIDDLING = Scene(RenderSize(train_ids=8, test_ids=4, cameras=3, visits=2, image_size=64), Domain.STREET, 3)


def _start(folder: Path, workers: int) -> multiprocessing.Process:
    """Renders ``MIDDLING`` in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=write_scene, args=(MIDDLING, folder, "veri", workers))
    process.start()
    return process


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    write_scene(MIDDLING, folder, "veri", workers=1)
    return _contents(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_in_the_middle_and_continued_equals_unbroken(tmp_path, unbroken, workers):
    process = _start(tmp_path, workers)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.rglob("*.jpg"))) < 15:
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.join()
    before = len(list(tmp_path.rglob("*.jpg")))
    assert not (tmp_path / LABELS).exists()
    assert 0 < write_scene(MIDDLING, tmp_path, "veri", workers=1) < sum(t.frames for t in MIDDLING.tracklets)
    assert before >= 15
    assert _contents(tmp_path) == unbroken


def test_workers_end_with_a_killed_parent(tmp_path):
    process = _start(tmp_path, 2)
    children: list[int] = []
    while len(children) < 2:
        assert process.is_alive()
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.kill()
    process.join()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_several_processes_at_once_build_one_data_set(tmp_path, unbroken):
    processes = [_start(tmp_path, 1) for _ in range(3)]
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert _contents(tmp_path) == unbroken


def test_folder_of_another_scene_is_refused(rendered):
    scene, folder = rendered
    with pytest.raises(InputError, match=r"already holds other rendered images \(seed 7\)"):
        write_scene(Scene(SMALL, scene.domain, 8), folder, "csv")
    with pytest.raises(InputError, match="layout 'csv'"):
        write_scene(scene, folder, "veri")
    recipe = json.loads((folder / "render.json").read_text())
    assert recipe["train_ids"] == 3


def test_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="was not made by `vreid render`"):
        write_scene(Scene(SMALL, Domain.STREET, 0), tmp_path, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_places_that_cannot_be_written_are_refused_in_a_sentence(tmp_path):
    scene = Scene(SMALL, Domain.STREET, 0)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match=f"{file} is a file"):
        write_scene(scene, file, "csv")
    for folder in (file / "below", Path("/proc/vreid"), Path("/proc")):
        with pytest.raises(InputError, match=f"Cannot write rendered images to {folder}: [A-Z][^\n]+"):
            write_scene(scene, folder, "csv")


def test_vehiclex_without_training_vehicles_is_refused(tmp_path):
    with pytest.raises(InputError, match="training images only"):
        write_scene(Scene(RenderSize(0, 2, 3, 2), Domain.STUDIO, 0), tmp_path, "vehiclex")
