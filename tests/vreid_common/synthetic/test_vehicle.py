from dataclasses import replace

import numpy as np
import pytest

from vreid_common.synthetic.charts import Kind
from vreid_common.synthetic.identity import COLORS, GROUP_SIZES, make_vehicle
from vreid_common.synthetic.livery import draw_charts
from vreid_common.synthetic.marks import RIM_STYLES, Decal
from vreid_common.synthetic.shapes import BODY_TYPES
from vreid_common.synthetic.vehicle import build_vehicle


@pytest.fixture(scope="module")
def population():
    return [make_vehicle(0, 0, 0, i) for i in range(300)]


@pytest.mark.parametrize("body_type", BODY_TYPES)
def test_every_body_type_builds_in_its_dimensions(population, body_type):
    vehicle = next(v for v in population if BODY_TYPES[v.type_id - 1] == body_type)
    mesh, _ = build_vehicle(vehicle)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert low[2] == pytest.approx(0, abs=0.02)  # stands on its wheels
    assert high[0] - low[0] == pytest.approx(vehicle.shape.length, abs=0.45)  # a spare wheel sticks out
    assert high[2] == pytest.approx(vehicle.shape.height, abs=0.5)  # so does a roof box
    assert mesh.normals.shape == mesh.vertices.shape
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1, abs=1e-5)
    # The texture of each vertex lies in the atlas, and there is glass, lamps and dark tyres on every vehicle.
    assert (mesh.uv >= -1).all()
    assert (mesh.uv <= np.array(mesh.kind.shape)[::-1]).all()
    assert {Kind.GLASS, Kind.LAMP, Kind.MATTE} <= set(mesh.kind.ravel().tolist())


def test_all_types_and_colours_occur(population):
    assert {v.type_id for v in population} == set(range(1, len(BODY_TYPES) + 1))
    assert {v.color_id for v in population} == set(range(1, len(COLORS) + 1))
    assert {v.marks.rims for v in population} == set(range(RIM_STYLES))
    assert {v.marks.roof for v in population} == {"plain", "rack", "sunroof", "box"}


def test_look_alikes_share_everything_but_marks(population):
    groups = {}
    for vehicle in population:
        groups.setdefault(vehicle.group, []).append(vehicle)
    assert [len(g) for g in list(groups.values())[: len(GROUP_SIZES)]] == list(GROUP_SIZES)
    for first, *others in groups.values():
        for other in others:
            assert replace(other, index=first.index, marks=first.marks) == first
            assert other.marks != first.marks
    assert len({v.shape for v in population}) == len(groups)


def test_population_does_not_depend_on_its_size_or_the_order_of_asking(population):
    make_vehicle.cache_clear()
    assert make_vehicle(0, 0, 0, 299) == population[299]
    assert make_vehicle(0, 0, 1, 0) != population[0]
    assert make_vehicle(1, 0, 0, 0) != population[0]
    assert make_vehicle(0, 1, 0, 0) != population[0]


@pytest.mark.parametrize(
    ("zone", "charts"),
    [("doors", {"left", "right"}), ("sill", {"left", "right"}), ("bonnet", {"top"}), ("roof", {"top"}),
     ("windscreen", {"front"}), ("nose", {"front"}), ("tail", {"rear"}), ("rear_window", {"rear"})],
)  # fmt: skip
@pytest.mark.parametrize("body_type", ["sedan", "pickup", "van", "bus", "truck"])
def test_decals_change_the_charts_of_their_zone_only(population, zone, charts, body_type):
    vehicle = next(v for v in population if BODY_TYPES[v.type_id - 1] == body_type)
    decal = Decal(zone, "patch", (255, 0, 255), (0, 255, 0), "", 0.5, 0.5, 0.9)
    plain = build_vehicle(replace(vehicle, marks=replace(vehicle.marks, decals=())))[0]
    marked = build_vehicle(replace(vehicle, marks=replace(vehicle.marks, decals=(decal,))))[0]
    assert (plain.vertices == marked.vertices).all()
    drawn = draw_charts(vehicle)
    origin = drawn.pack().origin
    changed = set()
    for name in ("left", "right", "front", "rear", "top"):
        (column, row), (height, width) = origin[name], drawn[name].kind.shape
        part = slice(row, row + height), slice(column, column + width)
        if (plain.rgb[part] != marked.rgb[part]).any():
            changed.add(name)
    assert changed == charts


def test_fittings_change_the_geometry(population):
    sedan = next(v for v in population if BODY_TYPES[v.type_id - 1] == "sedan")
    plain = replace(sedan, marks=replace(sedan.marks, roof="plain", spoiler=False))
    counts = [
        len(build_vehicle(replace(plain, marks=replace(plain.marks, **change)))[0].triangles)
        for change in ({}, {"roof": "rack"}, {"roof": "box"}, {"spoiler": True})
    ]
    assert len(set(counts)) == 4
    assert counts[0] == min(counts)
