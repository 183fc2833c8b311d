"""Files are there whole or not at all, and readable like any other."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import vreid_common
from vreid_common import files
from vreid_common.files import write_atomically
from vreid_common.leavings import sweep, workshop_of

# The module without the package, whose import takes longer than all else.
ALONE = f"""
import sys, types
package = types.ModuleType("vreid_common")
package.__path__ = [{str(Path(vreid_common.__file__).parent)!r}]
sys.modules["vreid_common"] = package
"""


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("ha")
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        write_atomically(path, fail)
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, mask: int):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "text", lambda path: path.write_text("x"))
        write_atomically(tmp_path / "tensors", lambda path: save_file({"x": torch.zeros(2)}, path))
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o666 & ~mask}


def test_a_link_of_the_temporary_name_is_not_followed(tmp_path: Path):
    """A folder from somebody else may hold one for every process's number."""
    (tmp_path / "folder").mkdir()
    workshop_of(tmp_path / "a.txt").symlink_to(tmp_path / "folder")
    write_atomically(tmp_path / "a.txt", lambda path: path.write_text("new"))
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not (tmp_path / "a.txt").is_symlink()
    assert list((tmp_path / "folder").iterdir()) == []


def test_what_is_written_when_a_process_is_killed_is_removed_by_the_next_writer(tmp_path: Path):
    """Of safetensors too, which writes into a file of its own name beside the one that it is given."""
    program = (
        f"{ALONE}\nfrom pathlib import Path\nfrom vreid_common.files import write_atomically\n"
        "def write(path):\n"
        "    (path.parent / '.tmpAbCdEf').write_text('half')\n    print('half', flush=True)\n    import time; time.sleep(600)\n"
        f"write_atomically(Path({str(tmp_path)!r}) / 'model_final.pth', write)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        writing = [path.name for path in tmp_path.iterdir()]
        files._swept.discard(tmp_path)
        write_atomically(tmp_path / "a.txt", lambda path: path.write_text("x"))
        assert [name for name in writing if (tmp_path / name).exists()] == writing, "its writer is alive"
        process.kill()
    files._swept.discard(tmp_path)
    write_atomically(tmp_path / "a.txt", lambda path: path.write_text("x"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(("age", "left"), [(0, True), (2 * 24 * 3600, False)])
def test_another_machine_s_writer_is_given_a_day(age: int, left: bool, tmp_path: Path):
    workshop = tmp_path / f".m.pth.{2**22 + 1}@elsewhere.tmp"
    workshop.mkdir()
    os.utime(workshop, (time.time() - age,) * 2)
    sweep(tmp_path)
    assert workshop.exists() == left


def test_files_of_others_are_left_alone(tmp_path: Path):
    for name in (".tmp", ".mine.tmp", "a.12345678.tmp", ".env"):
        (tmp_path / name).write_text("")
    sweep(tmp_path, held=True)
    assert len(list(tmp_path.iterdir())) == 4
