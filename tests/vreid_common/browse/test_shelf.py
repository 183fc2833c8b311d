"""Pages of images to pick from."""

import pytest

from vreid_common.browse import Session
from vreid_common.browse.shelf import shelf_of


@pytest.mark.parametrize(
    ("page", "shown", "rows"), [(1, 1, range(12)), (4, 4, range(36, 40)), (9, 4, range(36, 40)), (0, 1, range(12))]
)
def test_pages(sets, pipelines, page, shown, rows):
    shelf = shelf_of(Session(sets[1], pipelines), "", page)
    assert (shelf.page, shelf.pages, shelf.found) == (shown, 4, 40)
    assert shelf.rows == tuple(rows)
    assert all(picture.size == (128, 128) for picture, _ in shelf.pictures)
    assert [caption for _, caption in shelf.pictures][:2] == [
        f"vehicle {sets[1].pids[row]}" if sets[1].pids[row] >= 0 else sets[1].paths[row] for row in rows
    ][:2]


def test_found_ones_alone(session):
    shelf = shelf_of(session, "query_04")
    assert (shelf.rows, shelf.found) == ((4,), 1)
    none = shelf_of(session, "no such", 3)
    assert (none.rows, none.page, none.pages, none.found) == ((), 1, 1, 0)


def test_an_image_that_is_gone_and_one_of_no_known_vehicle(sets, pipelines):
    shelf = shelf_of(Session(sets[1].select([0, 11]), pipelines))
    assert [caption for _, caption in shelf.pictures] == ["vehicle 0", "gallery_11_of_1.png"]
    assert shelf.pictures[0][0].getpixel((5, 5)) == (128, 128, 128)
