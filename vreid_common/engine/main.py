"""The command line of every project's ``train_net.py``."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.utils import comm
from torch import nn

from vreid_common.arguments import refuse_empty
from vreid_common.config import invalid
from vreid_common.engine.checkpoint import Checkpointer
from vreid_common.engine.checks import check_batch
from vreid_common.engine.config_file import AddConfig, load_config
from vreid_common.engine.console import say_how_it_was_started, set_up_logging
from vreid_common.engine.interrupt import Interrupted
from vreid_common.engine.launch import end_together, launch
from vreid_common.engine.manifest import FILE_NAME
from vreid_common.engine.output import own_output
from vreid_common.engine.peers import timeouts_from_config
from vreid_common.engine.placement import place_on_device, share_cores
from vreid_common.engine.progress import STAGE
from vreid_common.engine.project import project_name
from vreid_common.engine.rehearsal import rehearse
from vreid_common.engine.results import copy_results, write_results
from vreid_common.engine.resuming import check_stages, is_finished
from vreid_common.engine.seeding import use_repeatable_kernels
from vreid_common.engine.trainer import Trainer
from vreid_common.errors import InputError, RunError
from vreid_common.guard import add_debug_argument, guard
from vreid_common.processes import started_by_torchrun
from vreid_common.weights import read_checkpoint_header

__all__ = ["build_parser", "main"]

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """FastReID's arguments; ``--num-gpus`` counts processes where there is no GPU."""
    parser = argparse.ArgumentParser(description="Train or evaluate a vehicle re-identification model.")
    parser.add_argument("--config-file", default="", metavar="FILE", help="configuration (YAML)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUTPUT_DIR")
    parser.add_argument("--eval-only", action="store_true", help="evaluate MODEL.WEIGHTS, or what OUTPUT_DIR holds")
    parser.add_argument("--num-gpus", type=int, default=1, metavar="N", help="GPUs (on a CPU: processes) on this machine")
    parser.add_argument("--num-machines", type=int, default=1, metavar="N", help="machines that take part")
    parser.add_argument("--machine-rank", type=int, default=0, metavar="N", help="this machine's number, from 0")
    parser.add_argument("--dist-url", default="auto", metavar="URL", help="tcp://host:port of machine 0 (auto: this machine)")
    add_debug_argument(parser)
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that override the configuration")
    return parser


def main(
    add_config: AddConfig | None = None, trainer: type[Trainer] = Trainer, argv: Sequence[str] | None = None
) -> dict[str, Any] | None:
    """Runs the command line of a project: reads the configuration, starts the processes, trains or evaluates.

    Args:
        add_config: adds the project's keys to FastReID's and vreid_common's.
        trainer: the project's trainer.
        argv: arguments; None takes the process's own.

    Returns:
        Results by test set, in percent; None where child processes ran (they are in OUTPUT_DIR/results.json).

    Bad input ends the process with one sentence and status 2, a failure with 1, and an interrupted run with 130.
    """
    with guard():
        args = build_parser().parse_args(argv)
        given = sys.argv[1:] if argv is None else argv
        refuse_empty(given[: len(given) - len(args.opts)])
        cfg = _read_config(args, add_config, trainer)
        # What is wrong with their number is said before any of them is started.
        processes = int(os.environ["WORLD_SIZE"]) if started_by_torchrun() else args.num_gpus * args.num_machines
        place_on_device(cfg, starts=processes)
        device = "cuda" if cfg.MODEL.DEVICE.startswith("cuda") else "cpu"
        if processes > 1 and not args.eval_only:
            for stage in trainer.stages(cfg):
                check_batch(stage, processes)
        try:
            return launch(
                _run_in_process,
                args.num_gpus,
                args.num_machines,
                args.machine_rank,
                args.dist_url,
                args=(args, add_config, trainer),
                device=device,
                timeouts=timeouts_from_config(cfg),
            )
        except RunError as error:
            if processes > 1:
                error.add_note(_where_to_go_on(args, add_config, trainer))
            raise


def _read_config(args: argparse.Namespace, add_config: AddConfig | None, trainer: type[Trainer]) -> CfgNode:
    """The configuration; PROJECT is the project that runs."""
    cfg = load_config(add_config, args.config_file, args.opts)
    name = project_name(trainer, add_config)
    if cfg.PROJECT not in ("", name):
        here = f"this is the train_net.py of {name}" if name else "this program is no project's"
        raise InputError(f"PROJECT is {cfg.PROJECT}, but {here}: run the train_net.py of {cfg.PROJECT}.")
    cfg.PROJECT = name
    return cfg


def _run_in_process(args: argparse.Namespace, add_config: AddConfig | None, trainer: type[Trainer]) -> dict[str, Any]:
    """What every process does."""
    try:
        return end_together(_run, args, add_config, trainer, go_on=partial(_where_to_go_on, args, add_config, trainer))
    except Interrupted as stop:
        if comm.is_main_process():
            logger.info("%s", stop)
        comm.synchronize()  # the first process to leave makes the starting one end the others: this line comes before that
        raise SystemExit(130) from None


def _where_to_go_on(args: argparse.Namespace, add_config: AddConfig | None, trainer: type[Trainer]) -> str:
    """What is left of a run whose processes were lost."""
    if args.eval_only:
        return "The same command evaluates anew."
    cfg = _read_config(args, add_config, trainer)
    for stage in reversed(trainer.stages(cfg)):
        checkpointer = Checkpointer(nn.Identity(), stage.OUTPUT_DIR)
        if checkpointer.has_checkpoint():
            last = checkpointer.get_checkpoint_file()
            return f"The last checkpoint is {last}: the same command with --resume goes on from there."
    return f"No checkpoint was saved in {cfg.OUTPUT_DIR} yet: the same command starts anew."


def _run(args: argparse.Namespace, add_config: AddConfig | None, trainer: type[Trainer]) -> dict[str, Any]:
    share_cores(args.num_gpus)
    cfg = _read_config(args, add_config, trainer)
    with ExitStack() as owned:
        return _run_stages(args, cfg, trainer, owned)


def _run_stages(args: argparse.Namespace, cfg: CfgNode, trainer: type[Trainer], owned: ExitStack) -> dict[str, Any]:
    """Runs what the command asks for; ``owned`` keeps the locks of the folders that it writes into."""
    moved = place_on_device(cfg)
    stages = trainer.stages(cfg)
    due = stages[-1:] if args.eval_only else stages
    if args.eval_only and not cfg.DATASETS.TESTS:
        raise invalid(cfg, "DATASETS.TESTS", "--eval-only has nothing to evaluate: name a test set")
    for stage in due:  # all of them now: what is wrong with the last one must not be found after the first one was trained
        trainer.check_config(stage, training=not args.eval_only)
    if comm.is_main_process():
        for folder in sorted({cfg.OUTPUT_DIR, *(stage.OUTPUT_DIR for stage in due)}):
            owned.enter_context(own_output(folder))
    if args.resume and not args.eval_only:
        check_stages(stages, trainer)
    done = [args.resume and stage is not stages[-1] and is_finished(stage) for stage in due]
    results: dict[str, Any] = {}
    for number, stage in enumerate(due, start=1):
        set_up_logging(stage.OUTPUT_DIR)
        if len(due) > 1:
            STAGE.set(f"stage {number} of {len(due)}")
            if comm.is_main_process():
                logger.info("Stage %d of %d: %s, in %s.", number, len(due), stage.MODEL.META_ARCHITECTURE, stage.OUTPUT_DIR)
        if moved and comm.is_main_process():
            logger.info(moved)
        say_how_it_was_started(stage)
        if number == 1 and not args.eval_only:
            for place, finished in enumerate(done):
                if not finished:
                    rehearse(trainer, due[place], [before.OUTPUT_DIR for before in due[:place]])
        use_repeatable_kernels(stage)
        if done[number - 1]:
            logger.info("The run in %s is finished and is not repeated.", stage.OUTPUT_DIR)
            continue
        results = _evaluate(stage, trainer) if args.eval_only else _train(stage, trainer, resume=args.resume)
        if comm.is_main_process() and stage.OUTPUT_DIR != cfg.OUTPUT_DIR:
            # The command's own folder always has the results of its last stage.
            copy_results(stage.OUTPUT_DIR, cfg.OUTPUT_DIR)
    if comm.is_main_process():
        written = "results.json and log.txt" if args.eval_only else "Checkpoints, metrics.json, results.json and log.txt"
        logger.info("%s are in %s.", written, stages[-1].OUTPUT_DIR)
    return results


def _train(cfg: CfgNode, trainer: type[Trainer], resume: bool) -> dict[str, Any]:
    started = time.monotonic()
    run = trainer(cfg)
    run.resume_or_load(resume=resume)
    results = run.train()
    if comm.is_main_process():
        checkpoint = Path(cfg.OUTPUT_DIR) / "model_final.pth"
        seconds = round(time.monotonic() - started, 1)
        write_results(run.cfg, results, checkpoint, iterations=run.max_iter, seconds=seconds, manifest=FILE_NAME)
    return results


def _evaluate(cfg: CfgNode, trainer: type[Trainer]) -> dict[str, Any]:
    cfg.defrost()
    cfg.MODEL.WEIGHTS = trainer.checkpoint_to_evaluate(cfg)
    results = trainer.evaluate(cfg)
    if comm.is_main_process():
        trained = read_checkpoint_header(cfg.MODEL.WEIGHTS)
        seed = {"seed": trained["seed"]} if "seed" in trained else {}
        write_results(cfg, results, Path(cfg.MODEL.WEIGHTS), protocol=trainer.evaluation_record(cfg), **seed)
    return results
