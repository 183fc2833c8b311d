"""Images that a command names one by one: what is none of them is answered with what to do."""

import pytest
from PIL import Image

from vreid_common.engine.commands.images import named_images
from vreid_common.errors import InputError


def test_files_and_folders_in_their_order(tmp_path):
    for name in ("b.jpg", "a.jpg", "folder/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    named = [str(tmp_path / name) for name in ("b.jpg", "folder", "a.jpg")]
    assert [item.path for item in named_images(named)] == [named[0], str(tmp_path / "folder/c.png"), named[2]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clip.mp4", "is a video, not an image: write its frames into a folder first (for example: ffmpeg -i clip.mp4 "),
        ("cars.csv", "is a CSV file, not an image: name it with --csv."),
        ("crops.zip", "is an archive, not an image: unpack it and name the folder with the images."),
        ("model.pth", "is a checkpoint, not an image: name it with --weights."),
    ],
)
def test_a_file_of_another_kind(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError) as error:
        named_images([str(tmp_path / name)])
    assert str(error.value).startswith(f"{tmp_path / name} {said}")


def test_what_is_not_there():
    with pytest.raises(
        InputError, match=r"^There is no image or folder crops\\car\.jpg: the path has backslashes, write crops/"
    ):
        named_images(["crops\\car.jpg"])
    with pytest.raises(InputError, match=r"^There is no image or folder none\.jpg\.$"):
        named_images(["none.jpg"])
