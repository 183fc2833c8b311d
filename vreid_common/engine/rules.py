"""What goes together: rules over several configuration keys, each a function that names the key to change.

A key's own type, range and choices are declared with it (``vreid_common.config``); SOLVER's rules are in ``solver``.
"""

from __future__ import annotations

from fastreid.config import CfgNode
from fastreid.modeling.heads import REID_HEADS_REGISTRY

from vreid_common.config import BASELINE_LOSSES, invalid, stated
from vreid_common.evaluation.protocols import protocol_from_config
from vreid_common.modeling.heads import BNDropoutHead
from vreid_common.reranking.pipeline import compared_pipelines, pipeline_from_config

__all__ = ["DEPTHS", "EVALUATION_RULES", "TRAINING_RULES"]

DEPTHS = {
    "build_resnet_backbone": ("18x", "34x", "50x", "101x"),
    "build_resnext_backbone": ("50x", "101x"),
    "build_resnest_backbone": ("50x", "101x", "200x", "269x"),
    "build_osnet_backbone": ("x1_0", "x0_75", "x0_5", "x0_25"),
    "build_mobilenetv2_backbone": ("1.0x", "0.75x", "0.5x", "0.35x", "0.25x", "0.1x"),
    "build_mobilenetv3_backbone": ("Large", "Small"),
    "build_shufflenetv2_backbone": ("0.5x", "1.0x", "1.5x", "2.0x"),
    "build_effnet_backbone": ("b0", "b1", "b2", "b3", "b4", "b5"),
    "build_regnet_backbone": tuple(f"{size}{kind}" for size in (400, 800, 1600, 3200, 4000, 6400) for kind in "xy"),
    "build_repvgg_backbone": ("A0", "A1", "A2", "B0", "B1", "B1g2", "B1g4", "B2", "B2g2", "B2g4", "B3", "B3g2", "B3g4"),
    "build_vit_backbone": ("small", "base"),
}
"""MODEL.BACKBONE.DEPTH of FastReID's backbones, which look them up in tables inside of functions."""


def depth_is_the_backbones(cfg: CfgNode) -> None:
    backbone = cfg.MODEL.BACKBONE
    known = DEPTHS.get(backbone.NAME)
    if known and backbone.DEPTH not in known:
        raise invalid(cfg, "MODEL.BACKBONE.DEPTH", f"use one of {backbone.NAME}'s: {', '.join(known)}")


def branches_are_bottlenecks(cfg: CfgNode) -> None:
    """FastReID's MGN copies the last stage of a ResNet of 50 layers or more."""
    if cfg.MODEL.META_ARCHITECTURE == "MGN" and cfg.MODEL.BACKBONE.DEPTH in ("18x", "34x"):
        raise invalid(cfg, "MODEL.BACKBONE.DEPTH", "MODEL.META_ARCHITECTURE MGN needs a ResNet of 50x or 101x")


def transformer_keeps_its_size(cfg: CfgNode) -> None:
    """FastReID's ViT has position embeddings for images of SIZE_TRAIN."""
    if cfg.MODEL.BACKBONE.NAME != "build_vit_backbone":
        return
    for key, size in (("SIZE_TEST", cfg.INPUT.SIZE_TEST), ("CROP.SIZE", cfg.INPUT.CROP.SIZE)):
        if (key == "SIZE_TEST" or cfg.INPUT.CROP.ENABLED) and list(size) != list(cfg.INPUT.SIZE_TRAIN):
            raise invalid(cfg, f"INPUT.{key}", f"a ViT takes one size only: {stated(cfg, 'INPUT.SIZE_TRAIN')}")
    if min(cfg.INPUT.SIZE_TRAIN) < 16:
        raise invalid(cfg, "INPUT.SIZE_TRAIN", "a ViT's patches are 16 pixels wide: use 16 or more")


def classifier_is_the_heads(cfg: CfgNode) -> None:
    heads = cfg.MODEL.HEADS
    if issubclass(REID_HEADS_REGISTRY.get(heads.NAME), BNDropoutHead):
        return
    for key, value in (("CLS_LAYER", "CombinedMargin"), ("NECK_FEAT", "dropout")):
        if heads[key] == value:
            raise invalid(cfg, f"MODEL.HEADS.{key}", f"BNDropoutHead has it, but not {stated(cfg, 'MODEL.HEADS.NAME')}")


def losses_are_the_models(cfg: CfgNode) -> None:
    """FastReID's own models pass over any other loss without a word."""
    model = cfg.MODEL.META_ARCHITECTURE
    others = [name for name in cfg.MODEL.LOSSES.NAME if name not in BASELINE_LOSSES]
    if others and model in ("Baseline", "MGN"):
        way = "set MODEL.META_ARCHITECTURE VehicleBaseline" if model == "Baseline" else "leave them out"
        raise invalid(cfg, "MODEL.LOSSES.NAME", f"FastReID's {model} would ignore {', '.join(others)}: {way}")


def half_precision_is_the_devices(cfg: CfgNode) -> None:
    on = cfg.SOLVER.AMP.ENABLED or cfg.TEST.AMP
    if on and cfg.SOLVER.AMP.DTYPE == "float16" and not cfg.MODEL.DEVICE.startswith("cuda"):
        raise invalid(cfg, "SOLVER.AMP.DTYPE", "float16 needs CUDA: use bfloat16 on a CPU")


def teachers_have_weights(cfg: CfgNode) -> None:
    if "Distill" in cfg.MODEL.META_ARCHITECTURE and not cfg.KD.MODEL_CONFIG:
        raise invalid(cfg, "KD.MODEL_CONFIG", f"{stated(cfg, 'MODEL.META_ARCHITECTURE')} needs a teacher")
    if len(cfg.KD.MODEL_CONFIG) != len(cfg.KD.MODEL_WEIGHTS):
        raise invalid(cfg, "KD.MODEL_WEIGHTS", f"give one for each entry of {stated(cfg, 'KD.MODEL_CONFIG')}")


def reranking_can_be_built(cfg: CfgNode) -> None:
    pipeline_from_config(cfg)
    compared_pipelines(cfg)


def one_submission_a_run(cfg: CfgNode) -> None:
    if not protocol_from_config(cfg).needs_labels and len(cfg.DATASETS.TESTS) > 1:
        raise invalid(
            cfg, "DATASETS.TESTS", f"{stated(cfg, 'TEST.PROTOCOL')} writes one file a run: evaluate the sets one by one"
        )


def something_to_train_on(cfg: CfgNode) -> None:
    if not cfg.DATASETS.NAMES:
        raise invalid(cfg, "DATASETS.NAMES", "name a training set")


def a_batch_is_several_images(cfg: CfgNode) -> None:
    if cfg.SOLVER.IMS_PER_BATCH < 2:
        raise invalid(cfg, "SOLVER.IMS_PER_BATCH", "batch normalisation and metric losses compare images: use 2 or more")


def pretrained_transformer_is_a_file(cfg: CfgNode) -> None:
    backbone = cfg.MODEL.BACKBONE
    if backbone.NAME == "build_vit_backbone" and backbone.PRETRAIN and not backbone.PRETRAIN_PATH:
        raise invalid(cfg, "MODEL.BACKBONE.PRETRAIN", "FastReID has no download for a ViT: name a file in PRETRAIN_PATH")


def the_best_is_of_a_test_set(cfg: CfgNode) -> None:
    if cfg.TEST.BEST.DATASET and cfg.TEST.BEST.DATASET not in cfg.DATASETS.TESTS:
        raise invalid(cfg, "TEST.BEST.DATASET", f"name one of {stated(cfg, 'DATASETS.TESTS')}")


EVALUATION_RULES = (
    depth_is_the_backbones,
    branches_are_bottlenecks,
    transformer_keeps_its_size,
    classifier_is_the_heads,
    losses_are_the_models,
    half_precision_is_the_devices,
    teachers_have_weights,
    reranking_can_be_built,
    one_submission_a_run,
)
TRAINING_RULES = (
    something_to_train_on,
    a_batch_is_several_images,
    pretrained_transformer_is_a_file,
    the_best_is_of_a_test_set,
)
