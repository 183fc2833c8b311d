"""A fixed share of each domain in every batch, and in every process's share of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.config import CfgNode, get_vreid_cfg
from vreid_common.data import build_sampler
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage

# A sampler that hangs would run into this.
pytestmark = pytest.mark.timeout(60)


def config(num_pids: int, instances: int, share: float, seed: int = 0) -> CfgNode:
    cfg = get_vreid_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN = "DomainIdentitySampler"
    cfg.DATALOADER.NUM_INSTANCE = instances
    cfg.DATALOADER.SYNTHETIC_SHARE = share
    cfg.SOLVER.IMS_PER_BATCH = num_pids * instances
    cfg.SEED = seed
    return cfg


def items_of(real: list[int], synthetic: list[int]) -> list[VehicleImage]:
    """Identities with so many images each, in three cameras, the two domains mixed up."""
    items = [
        VehicleImage(f"{domain}_{pid}_{place}.jpg", f"{domain}_{pid}", f"{domain}_{place % 3}", domain=domain)
        for domain, counts in enumerate((real, synthetic))
        for pid, count in enumerate(counts)
        for place in range(count)
    ]
    return [items[place] for place in np.random.default_rng(0).permutation(len(items))]


@st.composite
def problems(draw):
    """Shares of 1 to P - 1 identities, domains of very different sizes."""
    instances, num_pids = draw(st.integers(1, 4)), draw(st.integers(2, 8))
    synthetic = draw(st.integers(1, num_pids - 1))

    def counts(least: int) -> list[int]:
        images = st.integers(1, draw(st.sampled_from((2, 9, 40))))
        return draw(st.lists(images, min_size=least, max_size=least + 9).filter(lambda sizes: sum(sizes) >= least * instances))

    items = items_of(counts(num_pids - synthetic), counts(synthetic))
    return items, config(num_pids, instances, synthetic / num_pids, draw(st.integers(0, 2**31))), synthetic


@settings(deadline=None, max_examples=150)
@given(problems(), st.integers(0, 5))
def test_batches(problem, epoch):
    items, cfg, synthetic = problem
    sampler = build_sampler(cfg, items)
    batches = sampler.epoch(epoch)
    instances = cfg.DATALOADER.NUM_INSTANCE
    num_pids = cfg.SOLVER.IMS_PER_BATCH // instances
    assert len(batches) == len(sampler)
    assert {index for batch in batches for index in batch} == set(range(len(items))), "every image of both domains"
    images_of = Counter(item.pid for item in items)
    for batch in batches:
        assert len(batch) == cfg.SOLVER.IMS_PER_BATCH
        chunks = [batch[start : start + instances] for start in range(0, len(batch), instances)]
        pids = [items[chunk[0]].pid for chunk in chunks]
        assert len(set(pids)) == num_pids, "distinct identities"
        assert sum(pid.startswith("1_") for pid in pids) == synthetic, "exactly the share"
        for pid, chunk in zip(pids, chunks, strict=True):
            assert {items[index].pid for index in chunk} == {pid}
            assert len(set(chunk)) == min(instances, images_of[pid])


@pytest.mark.parametrize(("num_pids", "synthetic"), [(16, 8), (16, 4), (16, 12), (12, 4), (8, 2), (6, 5), (16, 6)])
def test_each_process_gets_its_share(num_pids, synthetic):
    items = items_of([4] * 20, [4] * 30)
    sampler = build_sampler(config(num_pids, 2, synthetic / num_pids), items)
    for world_size in (2, 4, 8):
        if num_pids % world_size:
            continue
        for batch in sampler.epoch(0):
            shares = np.array([items[index].domain for index in batch]).reshape(world_size, -1).sum(axis=1) / 2
            if synthetic % world_size == 0:
                assert (shares == synthetic / world_size).all()
            else:
                assert (abs(shares - synthetic / world_size) < 1).all()


def test_an_epoch_is_as_long_as_the_domain_that_needs_more_batches():
    """3 real batches of 4 identities, 25 synthetic ones: the real ones come round eight times and a third."""
    items = items_of([2] * 12, [2] * 100)
    sampler = build_sampler(config(8, 2, 0.5), items)
    assert len(sampler) == 25
    drawn = Counter(items[index].path for batch in sampler.epoch(2) for index in batch)
    assert {count for path, count in drawn.items() if path.startswith("1")} == {1}
    assert {count for path, count in drawn.items() if path.startswith("0")} == {8, 9}


def test_a_domain_that_starts_anew_meets_other_identities():
    items = items_of([1] * 6, [1] * 60)
    sampler = build_sampler(config(4, 1, 0.5), items)
    batches = sampler.epoch(0)
    met = {frozenset(items[i].pid for i in batch if items[i].domain == 0) for batch in batches}
    assert len(met) > 6  # of 15 pairs; three would come round for ever


def test_function_of_seed_and_epoch_only():
    items = items_of([5] * 9, [5] * 14)
    sampler = build_sampler(config(8, 2, 0.25), items)
    first = sampler.epoch(3)
    sampler.epoch(1)
    assert sampler.epoch(3) == first == build_sampler(config(8, 2, 0.25), items).epoch(3)
    assert sampler.epoch(4) != first
    assert build_sampler(config(8, 2, 0.25, seed=1), items).epoch(3) != first
    assert {type(index) for batch in first for index in batch} == {int}


@pytest.mark.parametrize(
    ("items", "cfg", "message"),
    [
        (items_of([4] * 9, [4] * 9), config(8, 2, 0.3), "SYNTHETIC_SHARE is 0.3, of 8 identities a batch: use a mul"),
        (items_of([4] * 9, [4] * 9), config(8, 2, 0.0), "SYNTHETIC_SHARE is 0.0"),
        (items_of([4] * 9, [4] * 9), config(8, 2, 1.0), "SYNTHETIC_SHARE is 1.0"),
        (items_of([4] * 3, [4] * 9), config(8, 2, 0.5), r"4 real identities with 2 images each .* have 3 with 12 images"),
        (items_of([4] * 9, [1] * 5), config(8, 4, 0.5), r"4 synthetic identities with 4 images each .* have 5 with 5 images"),
        (items_of([4] * 9, []), config(8, 2, 0.5), "4 synthetic identities"),
        ([*items_of([4] * 9, [4] * 9), VehicleImage("a.jpg", "a", UNKNOWN)], config(8, 2, 0.5), "1 of 73 .* have no domain"),
    ],
)  # fmt: skip
def test_refused(items, cfg, message):
    with pytest.raises(InputError, match=message):
        build_sampler(cfg, items)


def test_batch_not_divisible():
    cfg = config(4, 2, 0.5)
    cfg.DATALOADER.NUM_INSTANCE = 3
    with pytest.raises(InputError, match=r"IMS_PER_BATCH \(8\) is not a multiple of DATALOADER.NUM_INSTANCE \(3\)"):
        build_sampler(cfg, items_of([4] * 9, [4] * 9))
