"""One of several gloo processes that train a layer with SupConLoss: python supcon_worker.py RANK SIZE FOLDER."""

import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from cybercore import SupConLoss, add_cybercore_config
from torch.nn.parallel import DistributedDataParallel

from vreid_common.config import get_vreid_cfg

rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
torch.set_num_threads(1)
store = dist.FileStore(str(folder / f"store_{size}"), size)
dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=100))

torch.manual_seed(0)
layer = torch.nn.Linear(6, 4)
images, targets = torch.randn(8, 6), torch.tensor([0, 0, 0, 1, 2, 2, 1, 3])  # an identity in both halves, and one alone
model = DistributedDataParallel(layer) if size > 1 else layer
optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
mine = slice(rank * 8 // size, (rank + 1) * 8 // size)
loss = SupConLoss(add_cybercore_config(get_vreid_cfg()))({"features": model(images[mine])}, targets[mine])
loss.backward()
optimizer.step()
torch.save({**layer.state_dict(), "loss": loss.detach()}, folder / f"{size}_{rank}.pth")
dist.destroy_process_group()
