"""The training loop that every project's ``train_net.py`` runs."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.engine import DefaultTrainer
from fastreid.engine.train_loop import HookBase, TrainerBase
from fastreid.evaluation import DatasetEvaluator
from fastreid.utils import comm
from fastreid.utils.events import EventStorage, EventWriter, JSONWriter, TensorboardXWriter
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from vreid_common.data import DevicePrefetcher, TestLoader, TrainLoader, build_test_loader, build_train_loader
from vreid_common.engine import hooks
from vreid_common.engine.best_model import deciding_metric, say_what_decides
from vreid_common.engine.building import build_or_explain
from vreid_common.engine.checkpoint import Checkpointer
from vreid_common.engine.checks import check_config
from vreid_common.engine.evaluate_sets import Evaluations, evaluate_sets
from vreid_common.engine.interrupt import Interrupted, StopRequest, listen_for_interrupts
from vreid_common.engine.manifest import make_manifest, write_records
from vreid_common.engine.output import set_aside
from vreid_common.engine.placement import describe_device, memory_format, to_memory_format, wrap_distributed
from vreid_common.engine.progress import ProgressPrinter
from vreid_common.engine.results import drop_metrics_from
from vreid_common.engine.resume_rules import RESUME_RULES, ResumeRules
from vreid_common.engine.resuming import FINAL, agree_to_resume
from vreid_common.engine.seeding import seed_everything, seed_of_run
from vreid_common.engine.solver import build_lr_scheduler, build_optimizer
from vreid_common.engine.solver_state import follow_schedule
from vreid_common.engine.step import REPORT_PERIOD, TrainStep
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator
from vreid_common.weights import training_on

__all__ = ["Evaluations", "Trainer"]

logger = logging.getLogger(__name__)


class Trainer(DefaultTrainer):
    """FastReID's ``DefaultTrainer``, right on today's PyTorch: CPU and CUDA, one process and several, exact to resume.

    A project subclasses it and overrides what it needs, as with ``DefaultTrainer``: ``build_model``, ``build_optimizer``, which
    returns the optimizer alone, ``build_evaluator``, ``stages``, ``check_config``; or ``build_step`` to train in another way.

    Args:
        cfg: a frozen or open configuration with vreid_common's keys.
    """

    def __init__(self, cfg: CfgNode) -> None:
        TrainerBase.__init__(self)
        cfg = cfg.clone()
        cfg.defrost()
        self._seed_is_drawn = cfg.SEED < 0
        cfg.SEED = self.seed = seed_of_run(cfg)
        # The same initial weights in every process; DistributedDataParallel would otherwise copy the first one's.
        seed_everything(self.seed)
        # Built before anything is trained: what cannot be evaluated is refused now, and not after the first epochs.
        self._evaluations = self.build_evaluations(cfg)
        self.loader = self.build_train_loader(cfg)
        self.cfg = cfg = self.auto_scale_hyperparams(cfg, self.loader.num_classes)
        tests = {name: loader.dataset for name, (loader, _) in self._evaluations.items() if isinstance(loader, TestLoader)}
        self.manifest = make_manifest(cfg, self.loader.dataset, tests)
        with training_on(self.manifest["classes"]):
            model = to_memory_format(cfg, self.build_model(cfg))
        self.device = torch.device(cfg.MODEL.DEVICE)
        optimizer = self.build_optimizer(cfg, model)
        self.iters_per_epoch = len(self.loader)
        self.max_epoch = cfg.SOLVER.MAX_EPOCH
        self.max_iter = self.max_epoch * self.iters_per_epoch
        self.scheduler = self.build_lr_scheduler(cfg, optimizer, self.iters_per_epoch)
        self._trainer = self.build_step(cfg, model, optimizer, self.device)
        self.checkpointer = Checkpointer(
            model,
            cfg.OUTPUT_DIR,
            save_to_disk=comm.is_main_process(),
            classes=self.manifest["classes"],
            optimizer=optimizer,
            scheduler=self.scheduler,
            **({"grad_scaler": self.grad_scaler} if self.grad_scaler else {}),
        )
        self.start_iter = self.iter = 0
        self.best_metric = -1.0
        self._results: dict[str, Any] = {}
        self._evaluated_at = -1
        self._unfinished: dict[str, tuple[float, bool]] | None = None
        self._batches: Iterator[dict] = iter(())
        self.register_hooks(self.build_hooks())

    # -- what a project overrides ------------------------------------------------------------------------------

    @classmethod
    def stages(cls, cfg: CfgNode) -> list[CfgNode]:
        """The runs, each with its own OUTPUT_DIR, that one command consists of; one by default."""
        return [cfg]

    @classmethod
    def check_config(cls, cfg: CfgNode, *, training: bool) -> None:
        """Refuses a stage's configuration that cannot work; called for every stage before the first one runs.

        Raises:
            InputError: naming the key.
        """
        check_config(cfg, training=training)

    @classmethod
    def resume_rules(cls, cfg: CfgNode) -> ResumeRules:
        """What a resumed run of ``cfg`` may change; every key that is not in it has to stay as it was."""
        return RESUME_RULES

    @staticmethod
    def auto_scale_hyperparams(cfg: CfgNode, num_classes: int) -> CfgNode:
        """``cfg`` with the number of training identities as that of classes, whatever stands there (docs/training.md)."""
        if cfg.MODEL.HEADS.NUM_CLASSES not in (0, num_classes):
            logger.warning(
                "MODEL.HEADS.NUM_CLASSES is %d, but the training images have %d vehicles: the classifier gets a row for each.",
                cfg.MODEL.HEADS.NUM_CLASSES, num_classes,
            )  # fmt: skip
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.HEADS.NUM_CLASSES = num_classes
        return cfg

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> TrainLoader:
        return build_train_loader(cfg)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> tuple[DataLoader, int]:
        return build_test_loader(cfg, dataset_name)

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> Optimizer:
        return build_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: Optimizer, iters_per_epoch: int) -> LRScheduler:
        return build_lr_scheduler(cfg, optimizer, iters_per_epoch)

    @classmethod
    def build_step(cls, cfg: CfgNode, model: nn.Module, optimizer: Optimizer, device: torch.device) -> TrainStep:
        """What updates the model from a batch."""
        return TrainStep(wrap_distributed(model), optimizer, cfg, device)

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_dir: str | None = None
    ) -> tuple[DataLoader, DatasetEvaluator]:
        loader, num_query = cls.build_test_loader(cfg, dataset_name)
        return loader, VehicleEvaluator(cfg, num_query, output_dir, getattr(loader, "subsets", None))

    @classmethod
    def build_evaluations(cls, cfg: CfgNode) -> Evaluations:
        """Loader and evaluator of every test set, by its name."""
        return {name: cls.build_evaluator(cfg, name) for name in cfg.DATASETS.TESTS}

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        """The model that MODEL.META_ARCHITECTURE names, on its device.

        Raises:
            InputError: its ImageNet weights cannot be fetched or are not at MODEL.BACKBONE.PRETRAIN_PATH, or the backbone has
                no such MODEL.BACKBONE.DEPTH.
        """
        return build_or_explain(cfg)

    @classmethod
    def build_trained_model(cls, cfg: CfgNode) -> nn.Module:
        """The model with all weights from MODEL.WEIGHTS, in its memory format, to evaluate it or extract features.

        Raises:
            InputError: the checkpoint lacks weights of the model that the configuration builds.
        """
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.BACKBONE.PRETRAIN = False
        model = to_memory_format(cfg, cls.build_model(cfg))
        Checkpointer(model).load(cfg.MODEL.WEIGHTS, checkpointables=[], strict=True)
        return model

    @classmethod
    def checkpoint_to_evaluate(cls, cfg: CfgNode) -> str:
        """What ``--eval-only`` evaluates: MODEL.WEIGHTS, else the last checkpoint in OUTPUT_DIR.

        Raises:
            InputError: there is neither.
        """
        checkpointer = Checkpointer(nn.Identity(), cfg.OUTPUT_DIR)
        if cfg.MODEL.WEIGHTS or checkpointer.has_checkpoint():
            return cfg.MODEL.WEIGHTS or checkpointer.get_checkpoint_file()
        raise InputError(f"--eval-only needs MODEL.WEIGHTS: {cfg.OUTPUT_DIR} holds no checkpoint either.")

    @classmethod
    def evaluate(cls, cfg: CfgNode) -> dict[str, Any]:
        """What ``--eval-only`` does: {set: {metric: percent}} of MODEL.WEIGHTS on all test sets, empty off the main process."""
        return cls.test_all(cfg, cls.build_trained_model(cfg))

    @classmethod
    def evaluation_record(cls, cfg: CfgNode) -> dict[str, Any]:
        """What ``evaluate``'s results have to be read with beside the shared keys, for the protocol in results.json."""
        return {}

    def build_hooks(self) -> list[HookBase]:
        cfg, model = self.cfg, self.checkpointer.model
        checkpoints = hooks.CheckpointHook(cfg.SOLVER.CHECKPOINT_PERIOD)
        evaluation = hooks.EvalHook(cfg.TEST.EVAL_PERIOD, self._evaluate, checkpoints.before_evaluation)
        # An epoch's last line of progress comes before its evaluation, whose results the other writers wait for.
        built: list[HookBase] = [
            hooks.LRScheduler(),
            hooks.WriterHook(self._build_progress, REPORT_PERIOD),
        ]
        if cfg.MODEL.FREEZE_LAYERS:
            # FREEZE_ITERS 0 is no number of iterations: they are frozen for good.
            built.append(hooks.FreezeHook(model, cfg.MODEL.FREEZE_LAYERS, cfg.SOLVER.FREEZE_ITERS or None))
        if cfg.TEST.PRECISE_BN.ENABLED:
            built.append(hooks.PreciseBN(model, self._all_batches, cfg.TEST.PRECISE_BN.NUM_ITER, evaluation.due))
        # After PreciseBN, which gives each process the statistics of its own images.
        built.append(hooks.BatchNormSync(model))
        # A checkpoint is whole only when metrics.json has all lines up to it: who resumes from it writes none of them again.
        self._ends_of_epoch = [evaluation, hooks.WriterHook(self.build_writers, REPORT_PERIOD), checkpoints]
        return [*built, *self._ends_of_epoch]

    def build_writers(self) -> list[EventWriter]:
        return [
            JSONWriter(str(Path(self.cfg.OUTPUT_DIR) / "metrics.json")),
            TensorboardXWriter(self.cfg.OUTPUT_DIR),
        ]

    def _build_progress(self) -> list[EventWriter]:
        return [ProgressPrinter(self.start_iter, self.max_iter, self.iters_per_epoch)]

    # -- the loop ----------------------------------------------------------------------------------------------

    def resume_or_load(self, resume: bool = True) -> None:
        """Continues from the last checkpoint of OUTPUT_DIR where there is one and ``resume``; else loads MODEL.WEIGHTS.

        Raises:
            InputError: the checkpoint was made with another configuration or other data (docs/training.md), or is damaged.
        """
        if not (resume and self.checkpointer.has_checkpoint()):
            self.checkpointer.load(self.cfg.MODEL.WEIGHTS, checkpointables=[])
            self._begin_anew()
            return
        path = self.checkpointer.get_checkpoint_file()
        checkpoint = self.checkpointer.read(path)
        if self._seed_is_drawn and "seed" in checkpoint:
            self._take_seed(checkpoint["seed"])
        rules = self.resume_rules(self.cfg)
        point = agree_to_resume(checkpoint, self.manifest, rules, path, iters_per_epoch=self.iters_per_epoch)
        self.checkpointer.restore(checkpoint, path, strict=True)
        if not point.same_length:
            follow_schedule(self.scheduler)
        self.start_iter, self.best_metric, self._unfinished = point.iteration, point.best_metric, point.unfinished
        # The last line of an epoch whose evaluation did not end is written again, with its results.
        self._forget_metrics_from(self.start_iter - (self._unfinished is not None))
        logger.info("Resuming at epoch %d, iteration %d.", self.start_iter // self.iters_per_epoch + 1, self.start_iter + 1)

    def _take_seed(self, seed: int) -> None:
        """Goes on with the seed that a run has drawn when it began."""
        logger.info("SEED -1: the run goes on with the seed %d, which it had drawn.", seed)
        self.cfg.defrost()
        self.cfg.SEED = self.seed = self.manifest["config"]["SEED"] = seed
        self.loader = self.build_train_loader(self.cfg)  # whose sampler depends on the seed

    def _begin_anew(self) -> None:
        comm.synchronize()  # the weights may lie in OUTPUT_DIR: all processes have read them now
        earlier = set_aside(self.cfg.OUTPUT_DIR) if comm.is_main_process() else None
        if earlier is not None:
            logger.warning(
                "%s held a run, whose files are in %s now; --resume would have gone on with it.", self.cfg.OUTPUT_DIR, earlier
            )
        self._forget_metrics_from(0)

    def _forget_metrics_from(self, iteration: int) -> None:
        if comm.is_main_process():
            drop_metrics_from(self.cfg.OUTPUT_DIR, iteration)

    def train(self) -> dict[str, Any]:
        """Trains to ``SOLVER.MAX_EPOCH`` and returns the last evaluation's results, by test set (main process).

        Whatever ends it early has a note of the last checkpoint.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once the state is saved.
        """
        try:
            return self._train()
        except Exception as error:
            error.add_note(self._what_is_saved())
            raise

    def _train(self) -> dict[str, Any]:
        if comm.is_main_process():  # not before: what a resumed run refuses is not in force
            write_records(self.cfg, self.manifest)
        if self.start_iter >= self.max_iter and self._unfinished is None:
            logger.info("The run in %s is finished: %d epochs.", self.cfg.OUTPUT_DIR, self.max_epoch)
            self.iter = self.start_iter
            if Path(self.checkpointer.get_checkpoint_file()).name != FINAL:  # MAX_EPOCH has become what is done
                self.save_checkpoint(Path(FINAL).stem, self.start_iter)
            self._evaluate()
            return self._results
        logger.info(
            "Training %s from epoch %d to %d: %d iterations an epoch, batches of %d, on %s.",
            self.cfg.MODEL.META_ARCHITECTURE, self.start_iter // self.iters_per_epoch + 1, self.max_epoch,
            self.iters_per_epoch, self.cfg.SOLVER.IMS_PER_BATCH, describe_device(self.device),
        )  # fmt: skip
        say_what_decides(self.cfg)
        self.checkpointer.model.train()
        self.iter = self.start_iter
        with EventStorage(self.start_iter) as self.storage, listen_for_interrupts() as stop:
            self.before_train()
            try:
                if self._unfinished is not None:
                    self._finish_epoch(self._unfinished)
                for epoch in range(self.start_iter // self.iters_per_epoch, self.max_epoch):
                    self.epoch = epoch
                    self._run_epoch(stop)
            finally:
                self.after_train()
        return self._results

    def _run_epoch(self, stop: StopRequest) -> None:
        self.before_epoch()
        self._trainer.start_clock()
        first = self.iter - self.epoch * self.iters_per_epoch
        batches = self.loader.epoch(self.epoch, start_batch=first)
        self._batches = iter(DevicePrefetcher(batches, self.device, memory_format=memory_format(self.cfg)))
        for _ in range(first, self.iters_per_epoch):
            seed_everything(self.seed, self.iter, comm.get_rank())
            self.before_step()
            self.run_step()
            self.after_step()
            self.iter += 1
            alone_or_together = comm.get_world_size() == 1 or self.iter % REPORT_PERIOD == 0
            if alone_or_together and stop.agreed(self.device):
                self._stop()
        self.storage.iter = self.iter - 1
        self._trainer.report()
        self.after_epoch()
        if stop.agreed(self.device):
            self._stop()

    def _finish_epoch(self, scalars: dict[str, tuple[float, bool]]) -> None:
        """Does what the run before was at when it ended: evaluates the weights that it had saved, and logs the epoch."""
        self.epoch = self.start_iter // self.iters_per_epoch - 1
        self.storage.iter = self.start_iter - 1
        logger.info("Epoch %d was saved but not evaluated: that comes first.", self.epoch + 1)
        for name, (value, smoothing_hint) in scalars.items():
            self.storage.put_scalar(name, value, smoothing_hint=smoothing_hint)
        for hook in self._ends_of_epoch:
            hook.after_epoch()

    def run_step(self) -> None:
        """The training of one iteration, from the next batch."""
        self._trainer.run(*self.next_batch())

    def next_batch(self) -> tuple[dict, float]:
        """The next batch, on the device, and the seconds that it was waited for."""
        started = time.perf_counter()
        batch = next(self._batches)
        return batch, time.perf_counter() - started

    @property
    def after_backward(self) -> list:
        """Functions called between backward and update, for hooks that change gradients."""
        return self._trainer.after_backward

    def _all_batches(self) -> Iterator[dict]:
        for epoch in range(self.max_epoch):
            yield from self.loader.epoch(epoch)

    # -- state and results -------------------------------------------------------------------------------------

    def save_checkpoint(self, name: str, iterations_done: int, *, finished: bool = True) -> None:
        """Writes OUTPUT_DIR/<name>.pth.

        Args:
            name: of the file.
            iterations_done: where a run that goes on from it starts.
            finished: False where the epoch's evaluation and its last line in metrics.json are still to come; the checkpoint
                then has that line's scalars.
        """
        self.checkpointer.save(
            name,
            epoch=iterations_done // self.iters_per_epoch - 1,
            iteration=iterations_done,
            iters_per_epoch=self.iters_per_epoch,
            metric=self.latest_metric(),
            best_metric=self.best_metric,
            seed=self.seed,
            manifest=self.manifest,
            **({} if finished else {"unfinished": self._scalars_of_epoch_end()}),
        )

    def _scalars_of_epoch_end(self) -> dict[str, tuple[float, bool]]:
        """Value and smoothing hint of the scalars that were put in the last iteration."""
        hints = self.storage.smoothing_hints()
        latest = self.storage.latest_with_smoothing_hint(REPORT_PERIOD)
        return {name: (float(value), hints[name]) for name, (value, at) in latest.items() if at == self.storage.iter}

    def _what_is_saved(self) -> str:
        if not self.checkpointer.has_checkpoint():
            return "No checkpoint had been written."
        return (
            f"The last checkpoint is {self.checkpointer.get_checkpoint_file()}: the same command with --resume goes on from it."
        )

    def _stop(self) -> None:
        self.save_checkpoint("model_interrupted", self.iter)
        comm.synchronize()
        raise Interrupted(
            f"Stopped after {self.iter} of {self.max_iter} iterations; saved in {self.cfg.OUTPUT_DIR}. "
            "The same command with --resume goes on from here."
        )

    def latest_metric(self) -> float | None:
        """What TEST.BEST names, where it was evaluated with the present weights."""
        return deciding_metric(self.cfg, self._results) if self._evaluated_at == self.iter else None

    def _evaluate(self) -> dict[str, Any]:
        self._results = self.test_all(self.cfg, self.checkpointer.model, self._evaluations)
        self._evaluated_at = getattr(self, "iter", self.start_iter)
        return next(iter(self._results.values())) if len(self._results) == 1 else self._results

    @classmethod
    def test(cls, cfg: CfgNode, model: nn.Module) -> dict[str, Any]:
        """FastReID's ``test``: results of the one test set, or a dict of them by name."""
        results = cls.test_all(cfg, model)
        return next(iter(results.values())) if len(results) == 1 else results

    @classmethod
    def test_all(cls, cfg: CfgNode, model: nn.Module, evaluations: Evaluations | None = None) -> dict[str, Any]:
        """Evaluates ``model`` on every set of DATASETS.TESTS: {set: {metric: percent}}, empty dicts off the main process."""
        return evaluate_sets(cfg, model, evaluations or cls.build_evaluations(cfg))
