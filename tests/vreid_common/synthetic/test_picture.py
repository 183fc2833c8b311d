"""Whole images: what makes re-identification hard is in them."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from vreid_common.synthetic import SIZES, Domain, RenderSize, Scene
from vreid_common.synthetic.picture import render_shot
from vreid_common.synthetic.record import read_records
from vreid_common.synthetic.scene import Split
from vreid_common.synthetic.shapes import BODY_TYPES
from vreid_common.synthetic.street import make_site
from vreid_common.synthetic.writer import LABELS, shots_of


def _pixels(folder, records):
    images = [cv2.resize(cv2.imread(str(folder / r.path)), (32, 32), interpolation=cv2.INTER_AREA) for r in records]
    return np.stack(images).reshape(len(images), -1).astype(np.float32)


def test_view_changes_the_picture_more_than_identity(tiny_veri):
    """Pixels of two vehicles from one side are nearer to each other than pixels of one vehicle from two sides."""
    records = read_records(tiny_veri / LABELS)
    pixels = _pixels(tiny_veri, records)
    distance = np.sqrt(((pixels[:, None] - pixels[None]) ** 2).mean(axis=2))
    vehicle, view, camera = (np.array([getattr(r, k) for r in records]) for k in ("vehicle_id", "view", "camera_id"))
    kind, color = (np.array([getattr(r, k) for r in records]) for k in ("type_id", "color_id"))
    same_vehicle, same_view = vehicle[:, None] == vehicle, view[:, None] == view
    other_camera = camera[:, None] != camera
    across = distance[same_vehicle & ~same_view & other_camera].mean()
    alike = (kind[:, None] == kind) & (color[:, None] == color) & ~same_vehicle
    assert distance[alike & same_view].mean() < across  # look-alikes from one side, whatever the camera
    assert distance[~same_vehicle & same_view].mean() < 1.15 * across  # any two vehicles from one side


def test_tracklet_changes_smoothly(tiny_veri):
    records = read_records(tiny_veri / LABELS)
    pixels = _pixels(tiny_veri, records)
    following, anywhere = [], []
    for i, (a, b) in enumerate(pairwise(records)):
        step = np.abs(pixels[i] - pixels[i + 1]).mean()
        (following if a.track_id == b.track_id else anywhere).append(step)
    assert np.mean(following) < 0.6 * np.mean(anywhere)


@pytest.mark.parametrize("domain", list(Domain))
def test_every_type_is_in_the_picture_at_every_camera(domain):
    """The vehicle fills the crop: the middle of the image is not the empty scene, for the largest vehicles too."""
    size = RenderSize(train_ids=400, test_ids=1, cameras=6, visits=6, image_size=32)
    scene = Scene(size, domain, 1)
    seen = set()
    for index in range(size.train_ids):
        vehicle = scene.vehicle(Split.TRAIN, index)
        if vehicle.type_id in seen:
            continue
        seen.add(vehicle.type_id)
        for shot in shots_of(scene, Split.TRAIN, index)[::3]:
            image, quality = render_shot(scene, shot)
            assert image.shape == (32, 32, 3)
            assert image.dtype == np.uint8
            assert image.std() > 6
            assert 30 <= quality <= 100
    assert len(seen) == len(BODY_TYPES)


def test_cameras_differ_in_colour_and_brightness():
    sites = [make_site(0, camera) for camera in range(SIZES["demo"].cameras)]
    assert len({site.exposure for site in sites}) == len(sites)
    assert np.ptp([site.cast / site.cast.mean() for site in sites], axis=0).min() > 0.05


def test_image_does_not_depend_on_what_was_rendered_before():
    scene = Scene(SIZES["tiny"], Domain.STREET, 5)
    shots = shots_of(scene, Split.TRAIN, 1)
    first, _ = render_shot(scene, shots[-1])
    for shot in shots_of(scene, Split.TEST, 0)[:4] + shots[:2]:
        render_shot(scene, shot)
    again, _ = render_shot(scene, shots[-1])
    assert (first == again).all()


def test_shadow_falls_away_from_the_sun():
    """Moving the sun to the other side moves the dark ground, and the bright flank, to the other side of the picture."""
    scene = Scene(SIZES["tiny"], Domain.STUDIO, 0)
    shot = shots_of(scene, Split.TRAIN, 0)[0]
    right = shot.camera.rotation[0]
    left_over_right = []
    for side in (1.0, -1.0):
        direction = side * right * 0.8 + np.array([0, 0, 0.6])
        light = replace(shot.light, direction=direction, sun=np.full(3, 1.2))
        image, _ = render_shot(scene, replace(shot, light=light))
        columns = image[2 * len(image) // 3 :].astype(float).mean(axis=(0, 2))
        left_over_right.append(columns[: len(columns) // 3].mean() - columns[-len(columns) // 3 :].mean())
    assert left_over_right[0] < left_over_right[1] - 5  # sun on the right: shadow on the left


@pytest.mark.parametrize(
    ("domain", "index", "color"),
    [
        (Domain.STREET, 0, (98.3, 93.9, 94.3)),
        (Domain.STREET, 5, (84.9, 84.9, 86.5)),
        (Domain.STUDIO, 0, (126.8, 127.5, 138.6)),
        (Domain.STUDIO, 5, (171.0, 170.9, 167.4)),
    ],
)
def test_renderer_is_frozen(domain, index, color):
    """When this fails, older renderings are not what their name says: raise ``RENDERER_VERSION``, then change the numbers."""
    scene = Scene(SIZES["tiny"], domain, 0)
    image, _ = render_shot(scene, shots_of(scene, Split.TRAIN, index)[2])
    assert image.mean(axis=(0, 1)) == pytest.approx(color, abs=0.3)
