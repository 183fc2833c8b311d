"""Joining sets and choosing synthetic identities, on items alone."""

from collections import Counter

import pytest

from vreid_common.data import DatasetError
from vreid_common.data.mixing import join_sets, mix_domains
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage

REAL, SYNTHETIC = 0, 1


def vehicles(name: str, counts: list[int], domain: int = UNKNOWN) -> list[VehicleImage]:
    """Vehicles with so many images each, three to a track."""
    return [
        VehicleImage(f"{name}/{pid}_{place}.jpg", f"{name}_{pid}", f"{name}_0", track_id=pid * 100 + place // 3, domain=domain)
        for pid, count in enumerate(counts)
        for place in range(count)
    ]


class TestJoinSets:
    def test_every_image_gets_a_domain(self):
        sets = [("A", vehicles("A", [2])), ("B", vehicles("B", [2])), ("C", vehicles("C", [2], SYNTHETIC))]
        domains = {item.path[0]: item.domain for item in join_sets(sets, synthetic=("B",))}
        assert domains == {"A": REAL, "B": SYNTHETIC, "C": SYNTHETIC}

    def test_what_the_config_says_goes_before_what_the_reader_says(self):
        assert {item.domain for item in join_sets([("A", vehicles("A", [2], REAL))], synthetic=("A",))} == {SYNTHETIC}

    def test_numbers_of_other_peoples_sets_are_kept_apart(self):
        one = [VehicleImage("a.jpg", 1, 5), VehicleImage("b.jpg", 2, UNKNOWN)]
        other = [VehicleImage("c.jpg", 1, 5)]
        joined = join_sets([("A", one), ("B", other)])
        assert [item.pid for item in joined] == ["A_1", "A_2", "B_1"]
        assert [item.camid for item in joined] == ["A_5", UNKNOWN, "B_5"]

    def test_one_set_keeps_its_numbers(self):
        assert join_sets([("A", [VehicleImage("a.jpg", 1, 5, track_id=3)])]) == [VehicleImage("a.jpg", 1, 5, 3, domain=REAL)]

    def test_tracks_are_kept_apart(self):
        sets = [(name, vehicles(name, [4, 4])) for name in "ABC"]
        sets[1] = ("B", [item._replace(track_id=UNKNOWN) for item in sets[1][1]])
        joined = join_sets(sets)
        tracks = {name: {item.track_id for item in joined if item.path.startswith(name)} for name in "ABC"}
        assert tracks["B"] == {UNKNOWN}
        assert not tracks["A"] & tracks["C"]
        assert len(tracks["A"]) == len(tracks["C"]) == 4

    def test_two_readers_of_one_set(self):
        with pytest.raises(DatasetError, match="VehicleID and SmallVehicleID of DATASETS.NAMES both have a vehicle V_0"):
            join_sets([("VehicleID", vehicles("V", [2])), ("SmallVehicleID", vehicles("V", [2]))])


class TestMixDomains:
    ITEMS = vehicles("R", [5, 7, 8], REAL) + vehicles("S", [3, 6, 4, 3, 9, 5, 7, 4], SYNTHETIC)

    def test_real(self):
        assert mix_domains(self.ITEMS, "real") == self.ITEMS[:20]

    def test_full(self):
        assert mix_domains(self.ITEMS, "full") == self.ITEMS

    @pytest.mark.parametrize("seed", range(30))
    def test_balanced(self, seed):
        """Whole identities, as many of them in the order of a draw as come nearest to the number of real images."""
        mixed = mix_domains(self.ITEMS, "balanced", seed)
        assert [item for item in mixed if item.domain == REAL] == self.ITEMS[:20]
        assert mixed == [item for item in self.ITEMS if item in set(mixed)]
        images = Counter(item.pid for item in self.ITEMS)
        chosen = {item.pid for item in mixed if item.domain == SYNTHETIC}
        total = sum(images[pid] for pid in chosen)
        assert total == len(mixed) - 20
        # One identity more, or the last one less, is no nearer. Without it, some identity's images are the error's bound.
        assert abs(total - 20) <= max(images[pid] for pid in images if pid.startswith("S")) / 2

    def test_balanced_depends_on_the_seed_alone(self):
        mixes = [mix_domains(self.ITEMS, "balanced", seed) for seed in range(8)]
        assert mixes == [mix_domains(self.ITEMS, "balanced", seed) for seed in range(8)]
        assert len({tuple(mix) for mix in mixes}) > 4

    def test_balanced_hits_what_whole_identities_can_hit(self):
        items = vehicles("R", [12], REAL) + vehicles("S", [3] * 50, SYNTHETIC)
        assert len(mix_domains(items, "balanced")) == 24

    def test_balanced_takes_all_where_there_is_too_little(self):
        items = vehicles("R", [50], REAL) + vehicles("S", [3, 4], SYNTHETIC)
        assert mix_domains(items, "balanced") == items

    def test_balanced_takes_at_least_one_identity(self):
        items = vehicles("R", [1], REAL) + vehicles("S", [30, 40], SYNTHETIC)
        assert len({item.pid for item in mix_domains(items, "balanced")}) == 2

    @pytest.mark.parametrize(
        ("items", "mix", "seed", "message"),
        [
            (ITEMS, "half", 0, "DATASETS.MIX is 'half': use one of real, full, balanced"),
            (ITEMS, "balanced", -1, "DATASETS.MIX_SEED is -1"),
            (ITEMS[:20], "balanced", 0, "DATASETS.MIX is balanced and no training image is synthetic"),
            (ITEMS[20:], "balanced", 0, "no training image is real"),
            (ITEMS[20:], "real", 0, "no training image is real"),
            (vehicles("U", [2]), "real", 0, "2 of 2 training images have no domain"),
        ],
    )
    def test_refused(self, items, mix, seed, message):
        with pytest.raises(InputError, match=message):
            mix_domains(items, mix, seed)
