from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.config import CfgNode, get_vreid_cfg
from vreid_common.data import TrainingSamplerBase, build_sampler
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage

IDENTITY = ("NaiveIdentitySampler", "BalancedIdentitySampler")
ALL = (*IDENTITY, "TrainingSampler", "ImbalancedDatasetSampler")

# A sampler that hangs (B13) would run into this.
pytestmark = pytest.mark.timeout(60)


def config(name: str, batch: int, instances: int = 1, seed: int = 0) -> CfgNode:
    cfg = get_vreid_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN = name
    cfg.DATALOADER.NUM_INSTANCE = instances
    cfg.SOLVER.IMS_PER_BATCH = batch
    cfg.SEED = seed
    return cfg


def items_of(cameras: list[list[int]]) -> list[VehicleImage]:
    """One identity for each list of the cameras of its images."""
    return [
        VehicleImage(f"{pid}_{place}.jpg", f"set_{pid}", camera if camera == UNKNOWN else f"set_{camera}")
        for pid, cams in enumerate(cameras)
        for place, camera in enumerate(cams)
    ]


@st.composite
def identity_problems(draw) -> tuple[TrainingSamplerBase, list[VehicleImage], int]:
    instances = draw(st.integers(1, 5))
    per_batch = draw(st.integers(1, 4))
    # A few identities with very many images among many with one or two.
    images = st.lists(st.integers(-1, 3), min_size=1, max_size=draw(st.sampled_from((2, 9, 40))))
    cameras = draw(
        st.lists(images, min_size=per_batch, max_size=12).filter(lambda c: sum(map(len, c)) >= instances * per_batch)
    )
    items = items_of(cameras)
    cfg = config(draw(st.sampled_from(IDENTITY)), instances * per_batch, instances, draw(st.integers(0, 2**31)))
    return build_sampler(cfg, items), items, instances


class TestIdentitySamplers:
    @settings(deadline=None, max_examples=150)
    @given(identity_problems(), st.integers(0, 5))
    def test_batches(self, problem, epoch):
        sampler, items, instances = problem
        batches = sampler.epoch(epoch)
        assert len(batches) == len(sampler)
        assert {index for batch in batches for index in batch} == set(range(len(items)))
        images_of = Counter(item.pid for item in items)
        for batch in batches:
            assert len(batch) == sampler.batch_size
            chunks = [batch[start : start + instances] for start in range(0, len(batch), instances)]
            pids = [{items[index].pid for index in chunk} for chunk in chunks]
            assert all(len(pid) == 1 for pid in pids), "an identity's images are together, so ranks get whole identities"
            assert len(set.union(*pids)) == len(chunks), "the identities of a batch are distinct"
            for chunk in chunks:
                # An image is there twice only where the identity has fewer than K.
                assert len(set(chunk)) == min(instances, images_of[items[chunk[0]].pid])

    @settings(deadline=None, max_examples=100)
    @given(identity_problems())
    def test_no_more_batches_than_needed(self, problem):
        sampler, items, instances = problem
        chunks = [-(-count // instances) for count in Counter(item.pid for item in items).values()]
        per_batch = sampler.batch_size // instances
        assert len(sampler) == max(max(chunks), -(-sum(chunks) // per_batch))

    def test_identities_meet_others_from_epoch_to_epoch(self):
        sampler = build_sampler(config("NaiveIdentitySampler", 4, 2), items_of([[0, 0]] * 6))
        met = {
            frozenset(index // 2 for index in batch) for epoch in range(60) for batch in sampler.epoch(epoch)
        }  # 15 pairs are possible
        assert len(met) == 15

    def test_too_few_identities(self):
        with pytest.raises(InputError, match=r"needs 4 identities .* have 3: lower SOLVER.IMS_PER_BATCH to at most 6"):
            build_sampler(config("NaiveIdentitySampler", 8, 2), items_of([[0] * 5] * 3))

    @pytest.mark.parametrize("instances", [3, 0])
    def test_batch_not_divisible(self, instances):
        with pytest.raises(InputError, match=r"IMS_PER_BATCH \(8\) is not a multiple of DATALOADER.NUM_INSTANCE"):
            build_sampler(config("BalancedIdentitySampler", 8, instances), items_of([[0] * 5] * 9))


class TestBalancedCameras:
    def test_every_chunk_mixes_cameras(self):
        """6 images of one camera and 2 of another: two chunks of 4, each with both."""
        items = items_of([[0] * 6 + [1] * 2] * 2)
        sampler = build_sampler(config("BalancedIdentitySampler", 8, 4), items)
        for epoch in range(20):
            for batch in sampler.epoch(epoch):
                for start in (0, 4):
                    assert Counter(items[index].camid for index in batch[start : start + 4]) == {"set_0": 3, "set_1": 1}

    def test_chunks_are_filled_from_cameras_that_they_lack(self):
        items = items_of([[0, 0, 0, 1, 2]] * 2)
        sampler = build_sampler(config("BalancedIdentitySampler", 8, 4), items)
        for batch in sampler.epoch(0):
            for start in (0, 4):
                assert len({items[index].camid for index in batch[start : start + 4]}) == 3

    @settings(deadline=None, max_examples=80)
    @given(st.integers(2, 5), st.integers(1, 6), st.data())
    def test_no_chunk_has_more_of_a_camera_than_an_even_share(self, instances, chunks, data):
        count = instances * chunks
        cameras = data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
        items = items_of([cameras])
        for batch in build_sampler(config("BalancedIdentitySampler", instances, instances), items).epoch(0):
            for camera, images in Counter(items[index].camid for index in batch).items():
                assert images <= -(-cameras.count(int(camera.removeprefix("set_"))) // chunks)


class TestOtherSamplers:
    @settings(deadline=None, max_examples=60)
    @given(st.integers(1, 200), st.integers(1, 64), st.integers(0, 9))
    def test_shuffle_sees_every_image_and_wraps(self, images, batch, epoch):
        items = items_of([[0]] * (images + batch))
        sampler = build_sampler(config("TrainingSampler", batch), items)
        flat = [index for batch in sampler.epoch(epoch) for index in batch]
        assert sorted(flat[: len(items)]) == list(range(len(items)))
        assert flat[len(items) :] == flat[: len(flat) - len(items)]
        assert len(flat) == len(sampler) * batch < len(items) + batch

    def test_imbalanced_draws_identities_equally_often(self):
        items = items_of([[0] * 90, [0] * 9, [0]])
        sampler = build_sampler(config("ImbalancedDatasetSampler", 100), items)
        drawn = Counter(items[index].pid for epoch in range(60) for batch in sampler.epoch(epoch) for index in batch)
        assert np.allclose([drawn[pid] / 6000 for pid in ("set_0", "set_1", "set_2")], 1 / 3, atol=0.03)


@pytest.mark.parametrize("name", ALL)
class TestEverySampler:
    ITEMS = items_of([[0, 1, 2, 0, 1]] * 9)

    def test_function_of_seed_and_epoch_only(self, name):
        sampler = build_sampler(config(name, 8, 2), self.ITEMS)
        first = sampler.epoch(3)
        sampler.epoch(1)
        np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
        assert sampler.epoch(3) == first == build_sampler(config(name, 8, 2), self.ITEMS).epoch(3)
        assert sampler.epoch(4) != first
        assert build_sampler(config(name, 8, 2, seed=1), self.ITEMS).epoch(3) != first

    def test_indices_are_plain_ints(self, name):
        assert {type(index) for batch in build_sampler(config(name, 8, 2), self.ITEMS).epoch(0) for index in batch} == {int}

    @pytest.mark.parametrize("batch", [46, 0])
    def test_batch_larger_than_the_data(self, name, batch):
        with pytest.raises(InputError, match=rf"SOLVER.IMS_PER_BATCH is {batch} and the training data have 45 images"):
            build_sampler(config(name, batch, 2), self.ITEMS)


def test_sampler_that_is_refused():
    with pytest.raises(InputError, match="SetReWeightSampler.*use BalancedIdentitySampler"):
        build_sampler(config("SetReWeightSampler", 8), items_of([[0] * 8]))


def test_unknown_sampler():
    with pytest.raises(InputError, match="'Shuffle': use one of BalancedIdentitySampler, DomainIdentitySampler, Imbalanced"):
        build_sampler(config("Shuffle", 8), items_of([[0] * 8]))
