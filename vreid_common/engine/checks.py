"""Refusals, before anything is loaded, of configurations that FastReID accepts and gets wrong."""

from fastreid.config import CfgNode
from fastreid.utils import comm

from vreid_common.config import check_values
from vreid_common.engine.model_trial import check_model
from vreid_common.engine.rules import EVALUATION_RULES, TRAINING_RULES
from vreid_common.engine.solver import check_solver
from vreid_common.errors import InputError

__all__ = ["check_config", "check_model"]


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
        batch, world = cfg.SOLVER.IMS_PER_BATCH, comm.get_world_size()
        if batch % world:
            raise InputError(f"SOLVER.IMS_PER_BATCH is {batch}, over {world} processes: make it a multiple of them.")
    check_model(cfg)
