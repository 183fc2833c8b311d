"""Images a second of training and of feature extraction: vreid_common's engine against FastReID's own trainer.

The peer is FastReID's DefaultTrainer with its loaders, transforms, hooks and flat parameter buffers, and nothing mended but
what crashes on today's stack and fault B1 (without which it updates no weights). Both train the same network on the same
rendered vehicles with the same batch, augmentation, optimizer and number of workers; a turn goes on where the last one ended.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import vreid_common  # noqa: F401 - before FastReID, which cannot be imported without it

# isort: split
import torch
from fastreid.config import CfgNode, get_cfg
from fastreid.data import build, build_reid_test_loader, build_reid_train_loader, data_utils
from fastreid.data.common import CommDataset
from fastreid.data.transforms import build_transforms
from fastreid.engine import DefaultTrainer, HookBase, default_setup
from fastreid.evaluation import ReidEvaluator
from fastreid.evaluation import inference_on_dataset as fastreid_inference
from fastreid.solver import build as solver
from fastreid.solver import build_optimizer
from fastreid.utils import params
from harness import Turns, build_parser, compare, save
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from vreid_common.data import build_dataset
from vreid_common.engine import Trainer, load_config, main
from vreid_common.engine.placement import to_memory_format
from vreid_common.evaluation import VehicleEvaluator

OURS = "vreid_common.engine.Trainer"
FASTREID = "FastReID 1.4.0's DefaultTrainer, only its crashes and fault B1 mended"
TEST_WORKERS = 4  # build_reid_test_loader's default, which no config key changes


@dataclass(frozen=True)
class Case:
    """One comparison. ``ours`` and ``peer`` are config keys that only one side gets."""

    title: str
    depth: int
    pixels: int
    batch: int
    steps: int
    device: str
    render: str = "demo"
    workers: int = 2
    ours: Mapping[str, Any] = field(default_factory=dict)
    peer: Mapping[str, Any] = field(default_factory=dict)

    def options(self, output_dir: str) -> list[str]:
        """KEY VALUE pairs that both FastReID's and our config know."""
        size = [self.pixels, self.pixels]
        settings = {
            "MODEL.DEVICE": self.device,
            "MODEL.META_ARCHITECTURE": "Baseline",
            "MODEL.BACKBONE.DEPTH": f"{self.depth}x",
            "MODEL.BACKBONE.FEAT_DIM": 512 if self.depth < 50 else 2048,
            "MODEL.HEADS.WITH_BNNECK": True,
            "MODEL.LOSSES.NAME": ("CrossEntropyLoss", "TripletLoss"),
            "MODEL.LOSSES.TRI.HARD_MINING": True,
            "INPUT.SIZE_TRAIN": size,
            "INPUT.SIZE_TEST": size,
            "INPUT.FLIP.ENABLED": True,
            "INPUT.PADDING.ENABLED": True,
            "INPUT.REA.ENABLED": True,
            "DATASETS.NAMES": ("StreetVehicles",),
            "DATASETS.TESTS": ("StreetVehicles",),
            "DATALOADER.SAMPLER_TRAIN": "NaiveIdentitySampler",
            "DATALOADER.NUM_INSTANCE": 4,
            "DATALOADER.NUM_WORKERS": self.workers,
            "SOLVER.IMS_PER_BATCH": self.batch,
            "SOLVER.MAX_EPOCH": 100_000,  # the contest ends it
            "SOLVER.WARMUP_ITERS": 0,
            "SOLVER.CHECKPOINT_PERIOD": 100_000,
            "TEST.EVAL_PERIOD": 100_000,
            "TEST.IMS_PER_BATCH": self.batch,
            "OUTPUT_DIR": output_dir,
        }
        return [str(text) for pair in settings.items() for text in pair]

    def our_options(self, output_dir: str) -> list[str]:
        own = {
            "MODEL.META_ARCHITECTURE": "VehicleBaseline",
            "DATASETS.RENDER.SIZE": self.render,
            "TEST.NUM_WORKERS": TEST_WORKERS,
            **self.ours,
        }
        return self.options(output_dir) + [str(text) for pair in own.items() for text in pair]

    def peer_config(self, output_dir: str) -> CfgNode:
        cfg = get_cfg()
        cfg.merge_from_list(self.options(output_dir) + [str(text) for pair in self.peer.items() for text in pair])
        default_setup(cfg, argparse.Namespace(config_file="", eval_only=False))
        return cfg


class TurnHook(HookBase):
    """Measures ``steps`` training steps a turn, after a few that use up what the loader has in store from between the turns."""

    def __init__(self, turns: Turns, case: Case) -> None:
        self._turns = turns
        self._case = case
        self._skipped = 2 * case.workers + 1
        self._done = 0
        self._start = 0.0

    def before_step(self) -> None:
        if self._done == 0:
            self._turns.wait()
        if self._done == self._skipped:
            _synchronize(self._case.device)
            self._start = time.perf_counter()

    def after_step(self) -> None:
        self._done += 1
        if self._done == self._skipped + self._case.steps:
            _synchronize(self._case.device)
            self._turns.report(self._case.steps * self._case.batch, time.perf_counter() - self._start)
            self._done = 0


def train_ours(turns: Turns, case: Case) -> None:
    class TakingTurns(Trainer):
        def build_hooks(self) -> list[HookBase]:
            return [*super().build_hooks(), TurnHook(turns, case)]

    with tempfile.TemporaryDirectory() as folder:
        main(trainer=TakingTurns, argv=case.our_options(folder))


def train_fastreid(turns: Turns, case: Case) -> None:
    MendedTrainer.case = case
    with tempfile.TemporaryDirectory() as folder:
        trainer = MendedTrainer(case.peer_config(folder))
        trainer.register_hooks([TurnHook(turns, case)])
        trainer.train()


def extract_ours(turns: Turns, case: Case) -> None:
    class FeaturesOnly(VehicleEvaluator):
        def evaluate(self) -> dict:
            return {}

    class Extractor(Trainer):
        @classmethod
        def build_evaluator(cls, cfg: CfgNode, dataset_name: str, output_dir: str | None = None) -> tuple[Any, FeaturesOnly]:
            return loader, FeaturesOnly(cfg, num_query)

    with tempfile.TemporaryDirectory() as folder:
        cfg = load_config(None, "", [*case.our_options(folder), "MODEL.HEADS.NUM_CLASSES", "100"])
        loader, num_query = Extractor.build_test_loader(cfg, "StreetVehicles")
        model = to_memory_format(cfg, Extractor.build_model(cfg))
        _extract(turns, case, lambda: Extractor.test_all(cfg, model), len(loader.dataset))


def extract_fastreid(turns: Turns, case: Case) -> None:
    class FeaturesOnly(ReidEvaluator):
        def evaluate(self) -> dict:
            return {}

    with tempfile.TemporaryDirectory() as folder:
        cfg = case.peer_config(folder)
        cfg.MODEL.HEADS.NUM_CLASSES = 100
        _use_fastreid_loader(case.device)
        data = _data(case)
        items = [*data.query, *data.gallery]
        test_set = CommDataset(items, build_transforms(cfg, is_train=False), relabel=False)
        loader, num_query = build_reid_test_loader(
            test_set, test_batch_size=case.batch, num_query=len(data.query), num_workers=TEST_WORKERS
        )
        model = MendedTrainer.build_model(cfg)
        evaluator = FeaturesOnly(cfg, num_query)
        _extract(turns, case, lambda: fastreid_inference(model, loader, evaluator), len(items))


def _extract(turns: Turns, case: Case, extract: Callable[[], object], images: int) -> None:
    while True:
        turns.wait()
        start = time.perf_counter()
        extract()
        _synchronize(case.device)
        turns.report(images, time.perf_counter() - start)


class MendedTrainer(DefaultTrainer):
    """FastReID's trainer as it was before torch 2, on its own loaders."""

    case: Case

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> DataLoader:
        _use_fastreid_loader(cls.case.device)
        transforms = build_transforms(cfg, is_train=True)
        return build_reid_train_loader(cfg, train_set=CommDataset(_data(cls.case).train, transforms, relabel=True))

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        model = super().build_model(cfg)
        model.preprocess_image = types.MethodType(_normalise_in_place, model)
        return model

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> tuple[Optimizer, Any]:
        solver.ContiguousParams = _uncured(params).ContiguousParams
        optimizer, flat_buffers = build_optimizer(cfg, model, contiguous=True)
        # B1: since torch 2 zero_grad drops the gradients by default, and with them the views that the flat buffers are made of.
        optimizer.zero_grad = partial(optimizer.zero_grad, set_to_none=False)
        return optimizer, flat_buffers


def _use_fastreid_loader(device: str) -> None:
    """FastReID's loader copies to the GPU in the background and works there; compat changes it because of the CPU (A3)."""
    if device == "cuda":
        build.DataLoaderX = _uncured(data_utils).DataLoaderX


def _uncured(module: types.ModuleType) -> types.ModuleType:
    """The module as its file has it: compat changes FastReID's classes in place."""
    spec = importlib.util.spec_from_file_location(f"uncured_{module.__name__.replace('.', '_')}", module.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


def _normalise_in_place(model: nn.Module, batch: Mapping[str, Any]) -> torch.Tensor:
    """What vreid_common's cures replace: the images come as float32 and are overwritten."""
    return batch["images"].to(model.device).sub_(model.pixel_mean).div_(model.pixel_std)


def _data(case: Case) -> Any:
    return build_dataset(load_config(None, "", case.our_options("")), "StreetVehicles")


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def cases(device: str, quick: bool) -> list[Case]:
    if quick:
        return [Case("ResNet-18", 18, 64, 16, steps=4, device=device, render="tiny")]
    if device == "cpu":
        return [
            Case("ResNet-18", 18, 64, 32, steps=30, device=device),
            Case("ResNet-50", 50, 64, 32, steps=10, device=device),
        ]
    big = {"depth": 50, "pixels": 256, "batch": 64, "steps": 90, "device": device, "render": "medium", "workers": 8}
    mixed = {"SOLVER.AMP.ENABLED": True}
    return [
        Case("ResNet-50, bfloat16 against float32", **big, ours=mixed),
        Case("ResNet-50, bfloat16 against float16", **big, ours=mixed, peer=mixed),
        Case("ResNet-50, float32", **big),
        Case("ResNet-50, float32, any kernels", **big, ours={"DETERMINISTIC": False}, peer={"CUDNN_BENCHMARK": True}),
    ]


def run() -> None:
    args = build_parser(__doc__.splitlines()[0]).parse_args()
    records = []
    for case in cases(args.device, args.quick):
        _data(case)  # rendered on first use, before anything is timed
        sizes = {"input": f"{case.pixels}×{case.pixels}", "batch": case.batch, "workers": case.workers, "data": case.render}
        common = {"unit": "images/s", "device": args.device, "repeats": 2 if args.quick else 5}
        ours, theirs = (OURS, partial(train_ours, case=case)), (FASTREID, partial(train_fastreid, case=case))
        records.append(compare(f"training, {case.title}", ours, theirs, sizes=sizes, **common))
        ours, theirs = (OURS, partial(extract_ours, case=case)), (FASTREID, partial(extract_fastreid, case=case))
        sizes = sizes | {"workers": TEST_WORKERS}
        records.append(compare(f"extraction, {case.title}", ours, theirs, sizes=sizes, **common))
    if not args.quick:
        save(f"training-{args.device}", records)


if __name__ == "__main__":
    run()
