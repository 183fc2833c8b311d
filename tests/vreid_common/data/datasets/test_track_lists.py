import pytest

from vreid_common.data import DatasetError
from vreid_common.data.datasets.track_lists import read_tracks


def test_trailing_blanks_crlf_empty_lines_and_missing_last_newline(tmp_path):
    path = tmp_path / "test_track.txt"
    path.write_bytes(b"0002_c002_t0175 a.jpg b.jpg \r\n\r\n0002_c003_t0176 c.jpg \r\nd.jpg e.jpg")
    assert read_tracks(path) == {"a.jpg": 0, "b.jpg": 0, "c.jpg": 1, "d.jpg": 2, "e.jpg": 2}


def test_image_in_two_tracks(tmp_path):
    path = tmp_path / "test_track.txt"
    path.write_text("t1 a.jpg\nt2 b.jpg a.jpg\n")
    with pytest.raises(DatasetError, match=r"test_track\.txt, track 2: a\.jpg is also in track 1"):
        read_tracks(path)
