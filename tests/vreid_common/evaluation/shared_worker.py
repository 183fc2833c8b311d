"""One process of test_sharding.py: evaluates its share of the queries and writes the whole result.

Run as: python shared_worker.py RANK WORLD_SIZE FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from vreid_common.evaluation import evaluate_queries, evaluate_ranking, tpr_at_fpr
from vreid_common.structures import FeatureRows


def outcomes(group: dist.ProcessGroup | None) -> dict[str, object]:
    rng = np.random.default_rng(0)
    query, gallery = (torch.from_numpy(rng.standard_normal((n, 16), np.float32)) for n in (31, 2500))
    labels = [rng.integers(0, high, n) for high in (60, 3) for n in (31, 2500)]
    rows = FeatureRows(query, gallery)
    broken = query.clone()
    broken[[3, 30]] = torch.nan
    found: dict[str, object] = {}
    queries = evaluate_queries(rows, *labels, top_k=100, normalizer="min", group=group)
    found["queries"] = {name: np.nan_to_num(values, nan=-1).tolist() for name, values in vars(queries).items()}
    metrics = evaluate_ranking(rows, *labels, group=group)
    found["metrics"] = [metrics.mAP, metrics.mINP, metrics.num_valid_queries, *metrics.cmc.tolist()]
    found["tpr"] = tpr_at_fpr(rows, *labels, fprs=(1e-3, 1e-2, 0.3), group=group)
    found["float64"] = tpr_at_fpr(rows.rows(0, 31).double(), *labels, group=group)
    found["one query"] = evaluate_ranking(rows.rows(0, 1), labels[1][:1], labels[1], group=group).mAP
    for name, measure in (("ranking", evaluate_ranking), ("verification", tpr_at_fpr)):
        try:
            measure(FeatureRows(broken, gallery), *labels, group=group)
        except ValueError as error:
            found[f"{name} with NaN"] = str(error)
    return found


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    group = None
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting_{world}", rank=rank, world_size=world)
        group = dist.group.WORLD
    (folder / f"{world}_{rank}.json").write_text(json.dumps(outcomes(group)))
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
