"""One process of test_gather.py: the gradient that DistributedDataParallel gives a small model from a loss of the whole batch.

Run as: python gather_worker.py RANK WORLD_SIZE FOLDER
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vreid_common.config import get_vreid_cfg
from vreid_common.modeling import DSAMLoss


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images, targets = torch.randn(12, 6, generator=generator), torch.tensor([0, 1, 0, 2, 2, 1, 1, 0, 3, 2, 4, 4])
    torch.manual_seed(1)
    model = nn.Linear(6, 5).double()
    loss = DSAMLoss(get_vreid_cfg())
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
        model = DistributedDataParallel(model)
    share = slice(12 // world * rank, 12 // world * (rank + 1))
    value = loss({"features": model(images[share].double())}, targets[share])
    value.backward()
    torch.save({"loss": value.detach(), "gradients": [p.grad for p in model.parameters()]}, folder / f"{world}_{rank}.pt")
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
