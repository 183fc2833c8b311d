import json

import pytest

from vreid_common.cli import main
from vreid_common.synthetic.record import read_records

_FEW = ["--train-ids", "2", "--test-ids", "2", "--cameras", "3", "--visits", "2", "--image-size", "32", "--workers", "1"]


@pytest.mark.parametrize(
    ("layout", "domain", "files"),
    [
        ("veri", "street", {"image_train", "image_query", "image_test", "name_train.txt", "test_track.txt", "views.csv"}),
        ("vehiclex", "studio", {"sys_image_train", "train_label.xml"}),
        ("csv", "studio", {"images"}),
    ],
)
def test_command_writes_the_layout(tmp_path, capsys, layout, domain, files):
    folder = tmp_path / "out" / "vehicles"
    with pytest.raises(SystemExit) as end:
        main(["render", str(folder), "--layout", layout, "--domain", domain, *_FEW, "--json", str(tmp_path / "about.json")])
    assert end.value.code == 0
    assert files | {"vehicles.csv", "render.json"} <= {path.name for path in folder.iterdir()}
    records = read_records(folder / "vehicles.csv")
    assert f"{len(records)} images rendered" in capsys.readouterr().out
    about = json.loads((tmp_path / "about.json").read_text())
    assert [about[name] for name in ("rendered", "domain", "layout")] == [len(records), domain, layout]
    assert about["size"]["train_ids"] == 2
    with pytest.raises(SystemExit):
        main(["render", str(folder), "--layout", layout, "--domain", domain, *_FEW])
    assert " 0 images rendered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--visits", "9"], "visits must be 1 .. cameras"),
        (["--seed", "-2"], "must not be negative"),
        (["--workers", "0"], "--workers is 0"),
        (["--image-size", "4"], "image_size must be 16"),
    ],
)
def test_wrong_arguments_end_in_one_sentence(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as end:
        main(["render", str(tmp_path / "x"), *_FEW, *arguments])
    assert end.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
