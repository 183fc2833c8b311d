from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from vreid_common.structures import VIEWS
from vreid_common.synthetic import SIZES, Domain, RenderSize, Scene, view_of
from vreid_common.synthetic.scene import FRAME_RATE, Split
from vreid_common.synthetic.street import make_site
from vreid_common.synthetic.writer import shots_of

DEMO = {domain: Scene(SIZES["demo"], domain, 0) for domain in Domain}


def _shots(scene, vehicles=20):
    for split in Split:
        for index in range(min(vehicles, scene.counts[split])):
            yield from shots_of(scene, split, index)


def test_sizes():
    images = {name: sum(t.frames for t in Scene(size, Domain.STREET, 0).tracklets) for name, size in SIZES.items()}
    assert images == {"tiny": 211, "demo": 3150, "medium": 10_000, "veri": 50_441, "large": 100_000}


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((0, 0, 4, 2), "identities"), ((-1, 5, 4, 2), "identities"), ((4, 4, 2, 3), "visits"), ((4, 4, 2, 0), "visits")],
)
def test_impossible_sizes_are_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        RenderSize(*numbers)
    with pytest.raises(ValueError, match="negative"):
        Scene(SIZES["tiny"], Domain.STREET, -1)


@pytest.mark.parametrize("domain", list(Domain))
def test_tracklets_are_consecutive_passages(domain):
    tracks = defaultdict(list)
    for shot in _shots(DEMO[domain]):
        tracks[shot.tracklet.track_id].append(shot)
    for shots in tracks.values():
        assert len(shots) == shots[0].tracklet.frames
        assert 3 <= len(shots) <= 8
        assert [s.frame for s in shots] == list(range(len(shots)))
        assert len({s.tracklet for s in shots}) == 1
        assert set(np.diff([s.timestamp for s in shots])) == {3}
        turns = [(b.azimuth - a.azimuth + 180) % 360 - 180 for a, b in pairwise(shots)]
        assert max(map(abs, turns)) < 20
        assert len(set(np.sign(turns))) == 1  # a passage turns one way


def test_street_vehicles_drive_forwards_at_one_speed():
    for shot_list in _by_track(DEMO[Domain.STREET]):
        places = np.array([(s.pose.x, s.pose.y) for s in shot_list])
        steps = np.diff(places, axis=0)
        speed = np.hypot(*steps.T) / 3 * FRAME_RATE
        assert speed == pytest.approx(speed[0])
        assert 7 <= speed[0] <= 13
        yaw = shot_list[0].pose.yaw
        assert steps / np.hypot(*steps.T)[:, None] == pytest.approx(np.tile([np.cos(yaw), np.sin(yaw)], (len(steps), 1)))


def _by_track(scene):
    tracks = defaultdict(list)
    for shot in _shots(scene):
        tracks[shot.tracklet.track_id].append(shot)
    return tracks.values()


def test_a_vehicle_is_at_one_camera_at_a_time_and_needs_time_between():
    scene = DEMO[Domain.STREET]
    for split in Split:
        for index in range(scene.counts[split]):
            trip = scene.tracklets_of(split, index)
            assert len({t.camera for t in trip}) == len(trip) == scene.size.visits
            assert min(np.diff([t.start for t in trip])) > 10 * FRAME_RATE  # at least 250 m at no more than 14 m/s


def test_ids_and_queries():
    scene = DEMO[Domain.STREET]
    tracklets = scene.tracklets
    assert [t.track_id for t in tracklets] == list(range(1, len(tracklets) + 1))
    assert {t.vehicle_id for t in tracklets if t.split == Split.TRAIN} == set(range(1, 91))
    assert {t.vehicle_id for t in tracklets if t.split == Split.TEST} == set(range(91, 127))
    assert all(0 <= t.query < t.frames for t in tracklets)
    assert {t.camera for t in tracklets} == set(range(scene.size.cameras))


def test_the_view_is_the_cameras():
    """Most images of a camera are of one view; a vehicle is seen in several, and in one by several cameras."""
    scene = DEMO[Domain.STREET]
    views = defaultdict(Counter)
    seen = defaultdict(lambda: defaultdict(set))
    for shot in _shots(scene):
        view = view_of(shot.azimuth)
        views[shot.tracklet.camera][view] += 1
        seen[shot.tracklet.vehicle_id][view].add(shot.tracklet.camera)
    for camera, counts in views.items():
        assert counts[make_site(scene.seed, camera).view] / counts.total() > 0.6
    assert {make_site(scene.seed, camera).view for camera in views} == set(range(len(VIEWS)))
    assert np.mean([len(v) for v in seen.values()]) > 2
    assert np.mean([max(map(len, v.values())) for v in seen.values()]) > 1.5


def test_street_light_follows_the_hour():
    by_camera = defaultdict(list)
    for shot in _shots(DEMO[Domain.STREET], vehicles=40):
        by_camera[shot.tracklet.camera].append((shot.timestamp, shot.light.direction))
    for seen in by_camera.values():
        seen.sort(key=lambda pair: pair[0])
        first, last = seen[0][1], seen[-1][1]
        turn = np.arctan2(first[1], first[0]) - np.arctan2(last[1], last[0])
        assert 0.5 < turn % (2 * np.pi) < 3.0  # clockwise, as seen from above, from the morning on


def test_studio_attributes_are_the_cameras_true_place():
    for shot in _shots(DEMO[Domain.STUDIO], vehicles=5):
        x, y, z = shot.camera.eye
        assert np.degrees(np.arctan2(y, x)) % 360 == pytest.approx(shot.azimuth)
        assert (np.hypot(x, y), z) == pytest.approx((shot.camera_distance, shot.camera_height))
        assert shot.light.sun[0] == pytest.approx(1.25 * shot.light_intensity)
