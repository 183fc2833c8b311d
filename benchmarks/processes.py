"""How re-ranking and evaluation gain from several processes: P gloo processes of one thread against one such process.

Every process holds the features and ends with the metrics. This is one machine's gain, where threads would do as well;
it shows what sharing the work costs, as for processes on several machines, whose network comes on top.

    python benchmarks/processes.py               # 2 processes, and as many as there are cores
    python benchmarks/processes.py --quick       # small: shows that it works, not how fast it is
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial

import vreid_common  # noqa: F401 - before FastReID, which cannot be imported without it

# isort: split
import torch
import torch.distributed as dist
from clustered import clustered_features
from harness import QUICK, Ended, Turns, build_parser, compare, save
from torch import Tensor
from torch.multiprocessing import start_processes

from vreid_common.cores import available_cores
from vreid_common.evaluation import evaluate_ranking
from vreid_common.reranking import k_reciprocal_rows
from vreid_common.structures import FeatureRows

DIMENSIONS = 512
Work = Callable[[Tensor, Tensor, Tensor], object]


def contestant(turns: Turns, work: Work, images: int, processes: int) -> None:
    """Takes its turns with ``processes`` - 1 processes more, which follow it by a flag that it sends before each work."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free.getsockname()[1]))
    others = start_processes(follow, (work, images, processes), processes - 1, join=False, start_method="spawn")
    run = join(0, work, images, processes)
    try:
        while True:
            turns.take(images, partial(lead, run), partial(lead, run))
    except Ended:
        dist.broadcast(torch.tensor(0), 0)
        while not others.join():
            pass
        raise


def lead(run: Callable[[], object]) -> None:
    dist.broadcast(torch.tensor(1), 0)
    run()


def follow(number: int, work: Work, images: int, processes: int) -> None:
    run, flag = join(number + 1, work, images, processes), torch.tensor(1)
    while True:
        dist.broadcast(flag, 0)
        if not flag:
            return
        run()


def join(rank: int, work: Work, images: int, processes: int) -> Callable[[], object]:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=processes)
    features, pids = clustered_features(images, DIMENSIONS)
    query, gallery = (part.contiguous() for part in features.split((images // 10, images - images // 10)))
    return partial(work, query, gallery, pids)


def rerank(query: Tensor, gallery: Tensor, pids: Tensor) -> None:
    distance = k_reciprocal_rows(query, gallery, group=dist.group.WORLD)
    evaluate_ranking(distance, *pids.split((len(query), len(gallery))), group=dist.group.WORLD)


def evaluate(query: Tensor, gallery: Tensor, pids: Tensor) -> None:
    evaluate_ranking(FeatureRows(query, gallery), *pids.split((len(query), len(gallery))), group=dist.group.WORLD)


def main() -> None:
    args = build_parser(__doc__.splitlines()[0]).parse_args()
    cores = available_cores()
    counts = [2] if args.quick else sorted({2, max(2, cores)})
    records = []
    images = 500 if args.quick else 40_000
    for title, called, work in (
        ("k-reciprocal 20/6, evaluated", "evaluate_ranking of k_reciprocal_rows", rerank),
        ("mAP, CMC, mINP", "evaluate_ranking of features", evaluate),
    ):
        for count in counts:
            subject, peer = (
                (f"{called}, {size} {name}", partial(contestant, work=work, images=images, processes=size))
                for size, name in ((count, "processes"), (1, "process"))
            )
            sizes = {"N": images, "queries": images // 10, "D": DIMENSIONS, "processes": count}
            effort = QUICK if args.quick else {"repeats": 3}
            records.append(compare(title, subject, peer, unit="images/s", sizes=sizes, device="cpu", **effort))
    if not args.quick:
        save("processes-cpu", records)


if __name__ == "__main__":
    main()
