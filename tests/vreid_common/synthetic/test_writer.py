import hashlib
import json
import signal
import subprocess
import sys
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
        if path.is_file() and path.name != ".lock"
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


_RENDER = """
import sys
from pathlib import Path
import vreid_common
from vreid_common.synthetic import Domain, RenderSize, Scene, write_scene
if __name__ == "__main__":
    write_scene(Scene(RenderSize(8, 4, 3, 2, 64), Domain.STREET, 3), Path(sys.argv[1]), "veri", int(sys.argv[2]))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_in_the_middle_and_continued_equals_unbroken(tmp_path, workers):
    script = tmp_path / "render.py"
    script.write_text(_RENDER)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, script, broken, str(workers)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(broken.rglob("*.jpg"))) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(list(broken.rglob("*.jpg")))
    assert not (broken / LABELS).exists()
    scene = Scene(RenderSize(8, 4, 3, 2, 64), Domain.STREET, 3)
    total = write_scene(scene, whole, "veri", workers=1)
    assert 0 < before < total
    assert 0 < write_scene(scene, broken, "veri", workers=1) < total
    left = {name: digest for name, digest in _contents(broken).items() if not name.endswith(".tmp")}
    assert left == _contents(whole)


def test_several_processes_at_once_build_one_data_set(tmp_path):
    script = tmp_path / "render.py"
    script.write_text(_RENDER)
    folder = tmp_path / "data"
    processes = [subprocess.Popen([sys.executable, script, folder, "1"], stderr=subprocess.PIPE) for _ in range(2)]
    assert [p.wait(timeout=120) for p in processes] == [0, 0], [p.stderr.read().decode() for p in processes]
    whole = tmp_path / "whole"
    write_scene(Scene(RenderSize(8, 4, 3, 2, 64), Domain.STREET, 3), whole, "veri", workers=1)
    assert _contents(folder) == _contents(whole)


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
    assert {path.name for path in tmp_path.iterdir()} <= {"thesis.txt", ".lock"}


def test_vehiclex_without_training_vehicles_is_refused(tmp_path):
    with pytest.raises(InputError, match="training images only"):
        write_scene(Scene(RenderSize(0, 2, 3, 2), Domain.STUDIO, 0), tmp_path, "vehiclex")
