"""Seeds of the process's global generators, which transforms and FastReID's data sets draw from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["local_seed", "seed_generators"]


def seed_generators(seed: int) -> None:
    """Seeds the CPU generators of torch, NumPy and Python; ``seed`` is in [0, 2**63).

    ``torch.manual_seed`` would also seed every accelerator, which costs a hundred times as much.
    """
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - code that is not ours draws from the global generator
    random.seed(seed)


@contextmanager
def local_seed(seed: int) -> Iterator[None]:
    """Seeds the generators for the body of a ``with`` statement, and puts back afterwards what they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        seed_generators(seed)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
