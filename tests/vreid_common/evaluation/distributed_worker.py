"""One process of test_gather.py: evaluates its share of several made-up test sets and writes what came out.

Run as: python distributed_worker.py RANK WORLD_SIZE FOLDER
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator

SHARES = {
    "interleaved": lambda rank, world: list(range(rank, 40, world)),
    "unequal": lambda rank, world: list(range(3)) if rank else list(range(3, 40)),
    "empty rank": lambda rank, world: [] if rank else list(range(40)),
    "empty main": lambda rank, world: list(range(40)) if rank == world - 1 else [],
    "double": lambda rank, world: list(range(20 * rank, 20 * rank + 20 - rank)) + [0] * rank,
    "not finite": lambda rank, world: list(range(rank, 40, world)),
    "nothing": lambda rank, world: [],
}


def evaluate(case: str, rank: int, world: int) -> object:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 6, generator=generator)
    camids = torch.randint(0, 3, (40,), generator=generator)
    if case == "not finite":
        features[39] = torch.nan
    evaluator = VehicleEvaluator(get_vreid_cfg(), 10)
    share = torch.tensor(SHARES[case](rank, world), dtype=torch.int64)
    for part in share.split(7):
        if len(part):
            inputs = {
                "targets": part % 5,
                "camids": camids[part],
                "indices": part,
                "img_paths": [f"{i}.jpg" for i in part.tolist()],
            }
            evaluator.process(inputs, {"main": features[part], "short": features[part, :2].half()})
    try:
        results = evaluator.evaluate()
    except InputError as error:
        return f"InputError: {error}"
    paths = [path for images in evaluator.feature_sets.get("main", ()) for path in images.paths]
    return {"results": results, "paths": paths}


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting_{world}", rank=rank, world_size=world)
    found = {case: evaluate(case, rank, world) for case in SHARES if world > 1 or case in ("interleaved", "nothing")}
    (folder / f"{world}_{rank}.json").write_text(json.dumps(found))
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
