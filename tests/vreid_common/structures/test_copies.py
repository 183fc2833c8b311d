"""A query's own picture in the gallery: the same file, or the same bytes under another name."""

import numpy as np
import pytest

from vreid_common.structures import UNKNOWN, Pictures, digest_images, find_copies, image_digest


@pytest.fixture
def files(tmp_path):
    for name, content in {"a": b"one", "a2": b"one", "b": b"two", "c": b"three"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    return tmp_path


def pictures(folder, pids, names, *, digests=False) -> Pictures:
    paths = [str(folder / name) if name else "" for name in names]
    known = digest_images(paths).numpy() if digests else np.full(len(pids), UNKNOWN)
    return Pictures(np.array(pids), paths, known)


@pytest.mark.parametrize("digests", [False, True])
def test_the_same_file_a_link_and_a_copy(files, digests):
    query = pictures(files, [1, 1, 2], ["a", "c", "b"], digests=digests)
    gallery = pictures(files, [1, 1, 1, 1, 2], ["a", "a2", "link", "b", "../" + files.name + "/b"], digests=digests)
    found = find_copies(query, gallery)
    own = found.query[:, None] == found.gallery
    assert (own & (query.pids[:, None] == gallery.pids)).astype(int).tolist() == [[1, 1, 1, 0, 0], [0] * 5, [0, 0, 0, 0, 1]]
    assert (found.pairs, found.compared) == (4, True)


@pytest.mark.parametrize("digests", [False, True])
def test_pictures_of_other_or_unknown_vehicles_are_no_pairs(files, digests):
    query = pictures(files, [1, UNKNOWN], ["a", "b"], digests=digests)
    assert find_copies(query, pictures(files, [2, UNKNOWN], ["a", "b"], digests=digests)).pairs == 0


def test_files_that_are_gone_are_compared_by_path(files):
    found = find_copies(pictures(files, [1], ["gone"]), pictures(files, [1, 1], ["./gone", "other"]))
    assert (found.query[0] == found.gallery).tolist() == [True, False]
    assert (found.pairs, found.compared) == (1, False)


def test_files_that_cannot_be_read_are_like_no_others(files, monkeypatch):
    monkeypatch.setattr("vreid_common.structures.copies.image_digest", lambda _: UNKNOWN)
    found = find_copies(pictures(files, [1], ["a"]), pictures(files, [1, 1], ["b", "./a"]))
    assert (found.query[0] == found.gallery).tolist() == [False, True]
    assert (found.pairs, found.compared) == (1, False)


def test_images_without_a_path_are_no_copies(files):
    found = find_copies(pictures(files, [1], [""]), pictures(files, [1, 1], ["", "a"]))
    assert (found.pairs, found.compared) == (0, False)


def test_digest(files):
    assert image_digest(str(files / "a")) == image_digest(str(files / "a2")) != image_digest(str(files / "b"))
    assert image_digest(str(files / "gone")) == UNKNOWN
