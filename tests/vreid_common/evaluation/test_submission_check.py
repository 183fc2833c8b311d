"""The checker finds every fault that a server would refuse, and none in what the writer writes."""

import json

import numpy as np
import pytest

from vreid_common.cli import main
from vreid_common.errors import InputError
from vreid_common.evaluation import write_aicity_submission
from vreid_common.evaluation.submission_check import check_aicity_submission


def ranking(num_queries=5, num_gallery=130, ranks=100):
    random = np.random.default_rng(0)
    return np.stack([random.permutation(num_gallery)[:ranks] for _ in range(num_queries)])


@pytest.fixture
def file(tmp_path):
    write_aicity_submission(ranking(), tmp_path / "track2.txt")
    return tmp_path / "track2.txt"


def test_what_the_writer_writes_is_right(file, tmp_path):
    assert check_aicity_submission(file, 5, 130) == []
    write_aicity_submission(ranking(num_gallery=40, ranks=40), tmp_path / "small.txt")
    assert check_aicity_submission(tmp_path / "small.txt", 5, 40) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda words: [*words[:-1], words[0]], "line 3: it names image {first} twice."),
        (lambda words: [*words[:-1], "0"], "line 3: image 0 is not in 1 to 130."),
        (lambda words: [*words[:-1], "131"], "line 3: image 131 is not in 1 to 130."),
        (lambda words: words[:-1], "line 3: it names 99 gallery images, not 100."),
        (lambda words: [*words, ""], "line 3: it is not made of whole numbers with single spaces between them."),
        (lambda words: [*words[:-1], "-1"], "line 3: it is not made of whole numbers with single spaces between them."),
    ],
)
def test_a_fault_is_one_line(file, change, said):
    lines = file.read_text().splitlines()
    first = lines[2].split(" ")[0]
    lines[2] = " ".join(change(lines[2].split(" ")))
    file.write_text("\n".join(lines) + "\n")
    assert check_aicity_submission(file, 5, 130) == [said.format(first=first)]


def test_a_missing_line(file):
    assert check_aicity_submission(file, 6, 130) == ["there are 5 lines for 6 queries."]
    file.write_text("")
    assert check_aicity_submission(file, 1, 130) == ["there are 0 lines for 1 queries."]


def test_exception_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        check_aicity_submission(tmp_path / "gone.txt", 1, 1)


@pytest.mark.parametrize(("gallery", "status", "said"), [("130", 0, "nothing is wrong"), ("50", 1, "is not in 1 to 50")])
def test_the_command(file, capsys, gallery, status, said, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["check-submission", str(file), "--queries", "5", "--gallery", gallery, "--json", str(tmp_path / "faults.json")])
    assert ended.value.code == status
    assert said in capsys.readouterr().out
    faults = json.loads((tmp_path / "faults.json").read_text())["faults"]
    assert faults == check_aicity_submission(file, 5, int(gallery))


@pytest.mark.parametrize(("limit", "lines"), [([], 6), (["--limit", "1"], 2), (["--limit", "0"], 1052)])
def test_the_command_says_a_fault_of_every_line_a_few_times(tmp_path, capsys, limit, lines):
    (tmp_path / "track2.txt").write_text("\n".join(["000001.jpg 000002.jpg"] * 1052))
    with pytest.raises(SystemExit) as ended:
        main(["check-submission", str(tmp_path / "track2.txt"), *limit])
    said = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    assert len(said) == lines
    assert said[0].endswith("line 1: it is not made of whole numbers with single spaces between them.")
    assert lines == 1052 or said[-1] == f"... and {1053 - lines:,} more; --limit 0 shows all."


def test_limit_is_no_negative_number(capsys):
    with pytest.raises(SystemExit):
        main(["check-submission", "track2.txt", "--limit", "-1"])
    assert "must be 0 or a whole number above it" in capsys.readouterr().err
