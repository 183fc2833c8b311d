"""A folder's lock."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from vreid_common.errors import InputError
from vreid_common.lock import locked


def _hold(folder: Path, log: Path) -> None:
    """Notes that it came and went, with time for another to come in between."""
    for _ in range(40):
        with locked(folder):
            with log.open("a") as file:
                file.write("in ")
            time.sleep(0.001)
            with log.open("a") as file:
                file.write("out ")


def test_one_holds_the_lock_at_a_time_and_nothing_is_left_of_it(tmp_path):
    """The file is removed by each holder while others wait for it."""
    folder, log = tmp_path / "folder", tmp_path / "log"
    folder.mkdir()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_hold, args=(folder, log)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert log.read_text().split() == ["in", "out"] * 160
    assert list(folder.iterdir()) == []


def test_a_second_process_is_told_who_has_it(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(InputError, match=rf"The folder is taken \(process {os.getpid()} on .+\): wait for it"),
    ):
        locked(tmp_path, "The folder is taken").__enter__()
    with locked(tmp_path, "The folder is taken"):
        pass


def test_a_forked_process_that_outlives_its_parent_does_not_keep_the_lock(tmp_path):
    context = multiprocessing.get_context("fork")
    with locked(tmp_path):
        worker = context.Process(target=time.sleep, args=(60,))
        worker.start()
    try:
        with locked(tmp_path, "The folder is taken"):
            pass
    finally:
        worker.kill()
        worker.join()


def test_leavings_go_with_the_lock_of_the_next(tmp_path):
    (tmp_path / f".model_final.pth.{2**22 + 1}.tmp").mkdir()
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
