"""What the tests of every project use: random batches, and a place for what FastReID's losses log."""

import pytest
import torch
from fastreid.utils.events import EventStorage


@pytest.fixture
def image_size() -> int:
    """Of the batches; a project whose networks are smaller says another one."""
    return 64


@pytest.fixture
def make_batch(image_size):
    """A function: (identities, size, domains) to a batch of random images, always the same."""

    def make(targets=(0, 0, 3, 3), size=image_size, domains=None):
        height, width = (size, size) if isinstance(size, int) else size
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (len(targets), 3, height, width), dtype=torch.uint8, generator=generator)
        batch = {"images": images, "targets": torch.tensor(targets)}
        return batch if domains is None else {**batch, "domains": torch.tensor(domains)}

    return make


@pytest.fixture
def events():
    """FastReID's cross-entropy logs its accuracy, for which an event storage has to be there."""
    with EventStorage() as storage:
        yield storage
