"""Refusals, before anything is loaded, of configurations that FastReID accepts and gets wrong."""

import torch
from fastreid.config import CfgNode
from fastreid.modeling import build_model
from fastreid.modeling.backbones import BACKBONE_REGISTRY
from fastreid.modeling.heads import REID_HEADS_REGISTRY
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from fastreid.utils import comm
from fastreid.utils.registry import Registry

from vreid_common.engine.solver import check_solver
from vreid_common.errors import InputError
from vreid_common.evaluation.protocols import protocol_from_config
from vreid_common.reranking.pipeline import compared_pipelines, pipeline_from_config

__all__ = ["check_config", "check_model"]


def check_config(cfg: CfgNode, *, training: bool) -> None:
    """Looks at the keys that evaluation, and where ``training`` that training, will read.

    Raises:
        InputError: naming the key that cannot work, and what to set.
    """
    solver, architecture = cfg.SOLVER, cfg.MODEL.META_ARCHITECTURE
    if architecture == "MoCo":
        # B11: its self-mask is right only while the queue pointer is 0, and a random queue is labelled class 0.
        raise InputError("MODEL.META_ARCHITECTURE MoCo mislabels its queue in FastReID 1.4.0 and is refused: use Baseline.")
    _check_registered("MODEL.META_ARCHITECTURE", architecture, META_ARCH_REGISTRY)
    _check_registered("MODEL.BACKBONE.NAME", cfg.MODEL.BACKBONE.NAME, BACKBONE_REGISTRY)
    _check_registered("MODEL.HEADS.NAME", cfg.MODEL.HEADS.NAME, REID_HEADS_REGISTRY)
    for key in ("SIZE_TRAIN", "SIZE_TEST"):
        size = cfg.INPUT[key]
        if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
            raise InputError(f"INPUT.{key} is {list(size)}: it has to be [height, width] in pixels, e.g. [256, 256].")
    for node in ("DATALOADER", "TEST"):
        if cfg[node].NUM_WORKERS < 0:
            raise InputError(f"{node}.NUM_WORKERS is {cfg[node].NUM_WORKERS}: use 0 (no worker process) or more.")
    if solver.AMP.ENABLED:
        if solver.AMP.DTYPE not in ("bfloat16", "float16"):
            raise InputError(f"SOLVER.AMP.DTYPE is {solver.AMP.DTYPE!r}: use bfloat16 or float16.")
        if solver.AMP.DTYPE == "float16" and not cfg.MODEL.DEVICE.startswith("cuda"):
            raise InputError("SOLVER.AMP.DTYPE float16 needs CUDA: use bfloat16 on a CPU.")
    pipeline_from_config(cfg)
    compared_pipelines(cfg)
    if not protocol_from_config(cfg).needs_labels and len(cfg.DATASETS.TESTS) > 1:
        raise InputError(
            f"TEST.PROTOCOL {cfg.TEST.PROTOCOL} writes one file a run, but DATASETS.TESTS has {len(cfg.DATASETS.TESTS)} sets: "
            "evaluate them one by one."
        )
    if training:
        _check_training(cfg)


def check_model(cfg: CfgNode) -> None:
    """Builds the model once, on the CPU and without weights, so that its parts refuse what they cannot use.

    It takes seconds, which are well spent where hours may lie between the stages of a training.

    Raises:
        InputError: from the part that refuses.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.HEADS.NUM_CLASSES = 1  # known only once the data set is read
    with torch.random.fork_rng(devices=[]):
        build_model(cfg)


def _check_registered(key: str, name: str, registry: Registry) -> None:
    known = registry._obj_map  # FastReID's registry has no other way to list its names
    if name not in known:
        raise InputError(f"{key} {name!r} is not registered: use one of {', '.join(sorted(known))}.")


def _check_training(cfg: CfgNode) -> None:
    solver, world = cfg.SOLVER, comm.get_world_size()
    if solver.IMS_PER_BATCH % world:
        raise InputError(f"SOLVER.IMS_PER_BATCH is {solver.IMS_PER_BATCH}, over {world} processes: make it a multiple of them.")
    if solver.MAX_EPOCH < 1:
        raise InputError(f"SOLVER.MAX_EPOCH is {solver.MAX_EPOCH}: train for at least 1 epoch, or use --eval-only.")
    if solver.CHECKPOINT_PERIOD < 1:
        raise InputError(f"SOLVER.CHECKPOINT_PERIOD is {solver.CHECKPOINT_PERIOD}: save every 1 or more epochs.")
    check_solver(cfg)
    if not cfg.DATASETS.NAMES:
        raise InputError("DATASETS.NAMES is empty: name a training set.")
