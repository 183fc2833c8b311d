"""A small network that normalises its images as FastReID does, and images for it; tests/projects has real ones."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vreid_common.export import ExportRecord


class Network(nn.Module):
    """Convolution, batch normalisation, pooling: (B, 3, H, W) grey values to (B, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", torch.tensor([120.0, 115.0, 100.0]).view(1, 3, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor([58.0, 57.0, 60.0]).view(1, 3, 1, 1), False)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.layers[1].running_mean.uniform_(-0.5, 0.5)
        self.layers[1].running_var.uniform_(0.5, 2)

    def forward(self, batch: dict[str, Any]) -> Tensor:
        pixels = (batch["images"].float() - self.pixel_mean) / self.pixel_std
        return self.layers(pixels).flatten(1)


@pytest.fixture(scope="session")
def baseline() -> nn.Module:
    """In evaluation mode."""
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture
def images() -> Tensor:
    """(5, 3, 32, 40) uint8."""
    return torch.randint(0, 256, (5, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def make_record(baseline):
    """A function: attributes to the record of an export of ``baseline`` at 32×40."""

    def make(**changes) -> ExportRecord:
        statistics = (baseline.pixel_mean, baseline.pixel_std)
        mean, deviation = (tuple(values.flatten().tolist()) for values in statistics)
        values = {
            "preprocessing": "normalize", "size": (32, 40), "crop": None, "pixel_mean": mean, "pixel_std": deviation,
            "flip": False, "features": {"features": 8}, "project": "", "architecture": "Network", "checkpoint": "c0ffee",
            "config": "beef", "versions": {"torch": "2"},
        }  # fmt: skip
        return ExportRecord(**{**values, **changes})

    return make
