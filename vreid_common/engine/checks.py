"""Refusals, before anything is loaded, of configurations that FastReID accepts and gets wrong."""

from fastreid.config import CfgNode
from fastreid.utils import comm

from vreid_common.config import check_values
from vreid_common.engine.model_trial import check_model
from vreid_common.engine.rules import EVALUATION_RULES, TRAINING_RULES
from vreid_common.engine.solver import check_solver
from vreid_common.errors import InputError
from vreid_common.registry import SAMPLER_REGISTRY

__all__ = ["check_batch", "check_config", "check_model"]


def check_config(cfg: CfgNode, *, training: bool) -> None:
    """Looks at the keys that evaluation, and where ``training`` that training, will read, and tries the model.

    Raises:
        InputError: naming the key that cannot work, where it was written, and what to set.
    """
    check_values(cfg)  # again: a stage of a training may have set some
    for rule in (*EVALUATION_RULES, *(TRAINING_RULES if training else ())):
        rule(cfg)
    if training:
        check_solver(cfg)
        check_batch(cfg, comm.get_world_size())
    check_model(cfg)


def check_batch(cfg: CfgNode, processes: int) -> None:
    """Whether ``processes`` can share a batch: called before any of them is started, too.

    Raises:
        InputError: they cannot share it evenly, in whole groups of DATALOADER.NUM_INSTANCE images of a vehicle, or one image is
            left for each, of which batch normalization knows no variance.
    """
    batch, name = cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.SAMPLER_TRAIN
    if batch % processes:
        raise InputError(f"SOLVER.IMS_PER_BATCH is {batch}, over {processes} processes: make it a multiple of them.")
    group = SAMPLER_REGISTRY.get(name).group_size(cfg) if name in SAMPLER_REGISTRY.names else 1
    if processes > 1 and group > 0 and batch // processes % group:
        raise InputError(
            f"SOLVER.IMS_PER_BATCH is {batch}, {batch // processes} for each of {processes} processes: make that a multiple of "
            f"DATALOADER.NUM_INSTANCE ({group}), so that none of a vehicle's images go to another process."
        )
    if processes > 1 and batch == processes:
        raise InputError(
            f"SOLVER.IMS_PER_BATCH is {batch}, one image for each of {processes} processes: batch normalization needs two."
        )
