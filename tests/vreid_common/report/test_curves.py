import json

import pytest

from vreid_common.errors import InputError
from vreid_common.report import read_curve


@pytest.fixture
def run(tmp_path):
    (tmp_path / "cmc.json").write_text(json.dumps({"VehicleID13164": {"main": [0.5, 0.6], "main/2400": [0.7, 0.9]}}))
    return tmp_path


@pytest.fixture
def command(tmp_path):
    results = [{"name": "plain", "cmc": [0.1]}, {"name": "k_reciprocal", "cmc": [0.2]}, {"name": "broken", "metrics": None}]
    (tmp_path / "out.json").write_text(json.dumps({"results": results}))
    return tmp_path / "out.json"


def test_of_a_run(run):
    assert read_curve(run) == read_curve(run / "cmc.json", "VehicleID13164", "main") == [0.5, 0.6]
    assert read_curve(run, feature="main/2400") == [0.7, 0.9]


def test_of_a_command(command):
    assert read_curve(command) == [0.1]
    assert read_curve(command, feature="k_reciprocal") == [0.2]


def test_what_is_not_there_is_named(run, command, tmp_path):
    with pytest.raises(InputError, match=r"no curve 'main/800'; it has main, main/2400"):
        read_curve(run, feature="main/800")
    with pytest.raises(InputError, match=r"no curve 'VeRi776'; it has VehicleID13164"):
        read_curve(run, "VeRi776")
    with pytest.raises(InputError, match=r"no curve 'broken'; it has plain, k_reciprocal"):
        read_curve(command, feature="broken")
    (tmp_path / "two.json").write_text(json.dumps({"A": {"main": [1]}, "B": {"main": [1]}}))
    with pytest.raises(InputError, match="has curves of A, B: name one as the dataset"):
        read_curve(tmp_path / "two.json")


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}', '{"results": 3}'])
def test_another_file(tmp_path, text):
    (tmp_path / "cmc.json").write_text(text)
    with pytest.raises(InputError, match=r"cmc\.json has no CMC curves"):
        read_curve(tmp_path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"cmc\.json has no CMC curves"):
        read_curve(tmp_path / "cmc.json")
