"""One of several processes that train a small EALN; arguments: rank, number of processes, folder with config.yml."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from ealn import EALNTrainer, add_ealn_config
from fastreid.utils import comm

from vreid_common.engine import load_config


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    comm._LOCAL_PROCESS_GROUP = dist.group.WORLD
    run = EALNTrainer(load_config(add_ealn_config, str(folder / "config.yml")))
    run.resume_or_load()
    run.train()
    comm.synchronize()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
