"""A folder's lock."""

import multiprocessing
import time
from pathlib import Path

from vreid_common.synthetic.lock import locked


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
