import pytest
import torch


@pytest.fixture(autouse=True)
def seed():
    """Every test draws the same numbers, alone or with others."""
    torch.manual_seed(0)
