"""The arguments by which commands name trained models."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vreid_common.engine.config_file import UnknownKeyError, load_config
from vreid_common.engine.placement import place_on_device
from vreid_common.engine.project import find_project, projects_with
from vreid_common.engine.trained_model import TrainedModel
from vreid_common.errors import InputError

__all__ = ["add_model_arguments", "read_models"]

logger = logging.getLogger(__name__)


def add_model_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> argparse._ArgumentGroup:
    """Declares what ``read_models`` reads; returns the group, for further options."""
    model = parser.add_argument_group("models")
    model.add_argument(
        "--config-file", action="append", required=required, default=[], metavar="FILE",
        help="configuration of the model; with several models one for all, or one for each",
    )  # fmt: skip
    model.add_argument(
        "--weights", action="append", required=required, default=[], metavar="FILE", help="its checkpoint (may be given again)"
    )
    model.add_argument(
        "--project", default="", metavar="NAME",
        help="project whose keys the configuration has: an installed one's name, or a folder, whose code is then run (default: "
        "the configuration's PROJECT, or the installed project in whose folder it lies)",
    )  # fmt: skip
    model.add_argument("--opts", nargs="+", default=[], metavar="KEY VALUE", help="configuration, e.g. MODEL.CHANNELS_LAST off")
    return model


def read_models(args: argparse.Namespace) -> list[TrainedModel]:
    """The models that the arguments name, their configurations on ``args.device`` where that is given; none is built yet.

    Raises:
        InputError: a file is missing, or a configuration is not as it must be.
    """
    files, weights = args.config_file, args.weights
    if len(files) != len(weights) and (len(files) != 1 or not weights):
        raise InputError(
            f"--config-file is given {len(files)} times and --weights {len(weights)}: give one configuration, or one for each."
        )
    models = []
    for file, checkpoint in zip(files * (len(weights) if len(files) == 1 else 1), weights, strict=True):
        if not Path(checkpoint).is_file():
            raise InputError(f"--weights {checkpoint} {'is a folder' if Path(checkpoint).is_dir() else 'does not exist'}.")
        project = find_project(file, args.project, args.opts)
        try:
            cfg = load_config(project.add_config, file, args.opts)
        except UnknownKeyError as error:
            if project.name:
                raise
            raise InputError(f"{error} {_say_whose(error.key)}") from error
        cfg.MODEL.WEIGHTS = checkpoint
        cfg.MODEL.DEVICE = args.device or cfg.MODEL.DEVICE
        cfg = project.trainer.stages(cfg)[-1].clone()
        cfg.defrost()
        moved = place_on_device(cfg)
        if moved:
            logger.info(moved)
        models.append(TrainedModel(cfg, project.trainer, project.name))
    return models


def _say_whose(key: str) -> str:
    names = projects_with(key)
    if not names:
        return "If it is a project's key, name the project's folder with --project."
    return f"It is a key of the project {' and of '.join(names)}: give --project {names[0]}."
