import json

import pytest

from vreid_common import cli


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["cmc", *map(str, arguments)])
    return ended.value.code


@pytest.fixture
def folders(tmp_path):
    for name, curve in (("a", [0.5, 0.6]), ("b", [0.7, 0.8])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cmc.json").write_text(json.dumps({"VeRi776": {"main": curve}}))
    return tmp_path


def test_two_runs_in_one_picture(folders):
    picture = folders / "cmc.svg"
    assert run(f"S={folders}/a", f"S+D={folders}/b/cmc.json", "--output", picture, "--title", "VeRi-776") == 0
    assert picture.stat().st_size > 1000


def test_json_has_the_curves(folders, capsys):
    output = ("--output", folders / "cmc.png", "--json", folders / "cmc.json", "--max-rank", 2)
    assert run(f"S={folders}/a", f"S+D={folders}/b", *output) == 0
    assert json.loads((folders / "cmc.json").read_text())["curves"] == {"S": [0.5, 0.6], "S+D": [0.7, 0.8]}
    assert capsys.readouterr().out == f"{folders}/cmc.png: S 50.0, S+D 70.0 % at rank 1.\n"


def test_wrong_arguments(folders, capsys):
    assert run(f"{folders}/a", "--output", folders / "cmc.png") == 2
    assert "give each curve as NAME=PATH" in capsys.readouterr().err
    assert run(f"S={folders}/a", f"S={folders}/b", "--output", folders / "cmc.png") == 2
    assert run(f"S={folders}/c", "--output", folders / "cmc.png") == 2
    assert not (folders / "cmc.png").exists()
