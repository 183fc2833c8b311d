"""A FastReID user's own script that takes only a part of this project."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import vreid_common
from vreid_common.evaluation import VehicleEvaluator
from fastreid.config import get_cfg
from fastreid.data import build_reid_test_loader
from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.data.datasets.bases import ImageDataset
from fastreid.engine import DefaultTrainer, default_argument_parser, default_setup, launch
import csv, os


@DATASET_REGISTRY.register()
class Mine(ImageDataset):
    def __init__(self, root="", **kwargs):
        rows = list(csv.DictReader(open(os.environ["VEHICLES"])))
        folder = os.path.dirname(os.environ["VEHICLES"])
        split = {name: [] for name in ("train", "query", "gallery")}
        for row in rows:
            split[row["split"]].append((os.path.join(folder, row["path"]), int(row["vehicle_id"]), int(row["camera_id"])))
        super().__init__(split["train"], split["query"], split["gallery"], **kwargs)


class Trainer(DefaultTrainer):
    @classmethod
    def build_evaluator(cls, cfg, dataset_name, output_dir=None):
        loader, num_query = build_reid_test_loader(cfg, dataset_name=dataset_name)
        return loader, VehicleEvaluator(cfg, num_query, output_dir)


def main(args):
    cfg = get_cfg()
    cfg.merge_from_list([
        "MODEL.DEVICE", "cpu", "MODEL.BACKBONE.DEPTH", "18x", "MODEL.BACKBONE.FEAT_DIM", 512, "DATASETS.NAMES", ("Mine",),
        "DATASETS.TESTS", ("Mine",), "INPUT.SIZE_TRAIN", [32, 32], "INPUT.SIZE_TEST", [32, 32], "SOLVER.MAX_EPOCH", 2,
        "SOLVER.IMS_PER_BATCH", 8, "SOLVER.WARMUP_ITERS", 1, "TEST.EVAL_PERIOD", 1, "DATALOADER.NUM_WORKERS", 0,
        "OUTPUT_DIR", os.environ["OUT"]])
    default_setup(cfg, args)
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    print("RESULT", dict(trainer.train()))


if __name__ == "__main__":
    args = default_argument_parser().parse_args()
    launch(main, args.num_gpus, args=(args,))
"""


def test_plain_fastreid_script_with_our_evaluator_runs(vehicles: Path, tmp_path: Path):
    (tmp_path / "train.py").write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin",
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "VEHICLES": str(vehicles),
            "OUT": str(tmp_path / "o"),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "'mAP'" in result.stdout.split("RESULT")[1]
    assert (tmp_path / "o" / "model_final.pth").is_file()
