"""Hooks of the training loop, where FastReID's own are wrong or tied to its loop."""

import itertools
import logging
from collections.abc import Callable, Iterator

import torch.distributed as dist
from fastreid.engine import hooks
from fastreid.engine.hooks import HookBase
from fastreid.modeling.heads import REID_HEADS_REGISTRY
from fastreid.utils import comm
from fastreid.utils.events import EventStorage, EventWriter
from fastreid.utils.precision_bn import get_bn_modules, update_bn_stats
from torch import nn

from vreid_common.errors import InputError

__all__ = ["BatchNormSync", "CheckpointHook", "EvalHook", "FreezeHook", "LRScheduler", "PreciseBN", "WriterHook"]

logger = logging.getLogger(__name__)


class LRScheduler(HookBase):
    """Steps the schedule once an iteration and records the rate of the largest parameter group."""

    def before_train(self) -> None:
        groups = self.trainer.optimizer.param_groups
        self._largest = max(range(len(groups)), key=lambda i: sum(p.numel() for p in groups[i]["params"]))

    def after_step(self) -> None:
        rate = self.trainer.optimizer.param_groups[self._largest]["lr"]
        self.trainer.storage.put_scalar("lr", rate, smoothing_hint=False)
        self.trainer.scheduler.step()


class FreezeHook(HookBase):
    """Keeps the parts of the model in ``MODEL.FREEZE_LAYERS`` as they are for the first ``iterations``, or, if None, for good.

    Their gradients are dropped before the update and their BN layers put to eval mode before every step, so neither an
    evaluation nor a resumed run lets them go early (B6).

    Raises:
        InputError: the model has no such child, or nothing else that could be trained.
    """

    def __init__(self, model: nn.Module, layers: list[str], iterations: int | None) -> None:
        children = dict(model.named_children())
        for name in layers:
            if name not in children:
                raise InputError(f"MODEL.FREEZE_LAYERS names {name!r}, but the model's parts are {', '.join(children)}.")
        self._modules = [children[name] for name in layers]
        frozen = {id(parameter) for module in self._modules for parameter in module.parameters()}
        if iterations is None and not any(p.requires_grad and id(p) not in frozen for p in model.parameters()):
            raise InputError(
                f"MODEL.FREEZE_LAYERS {list(layers)} leaves nothing to train: leave a part out, or set SOLVER.FREEZE_ITERS."
            )
        self._iterations = iterations
        self._frozen = False

    def before_train(self) -> None:
        self.trainer.after_backward.append(self._drop_gradients)

    def before_step(self) -> None:
        frozen = self._iterations is None or self.trainer.iter < self._iterations
        if frozen or self._frozen:
            for module in self._modules:
                module.train(not frozen)
                # A head by itself stays in training mode: in eval mode it gives features alone, and no loss can be computed.
                module.training = module.training or type(module) in REID_HEADS_REGISTRY._obj_map.values()
        if frozen != self._frozen:
            until = "for the whole run" if self._iterations is None else f"for the first {self._iterations} iterations"
            logger.info("%s: %d frozen parts.", f"Freezing {until}" if frozen else "Training again", len(self._modules))
        self._frozen = frozen

    def _drop_gradients(self) -> None:
        if self._frozen:
            for module in self._modules:
                for parameter in module.parameters():
                    parameter.grad = None


class BatchNormSync(HookBase):
    """Averages the running statistics of BN over the processes at the end of every epoch (B4).

    Each process has seen its own images only, also in PreciseBN, which comes before; without this, every process evaluates
    another model and only one is saved.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def after_epoch(self) -> None:
        if comm.get_world_size() == 1:
            return
        for module in self._model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training and module.running_mean is not None:
                for statistics in (module.running_mean, module.running_var):
                    dist.all_reduce(statistics)
                    statistics /= comm.get_world_size()


class PreciseBN(HookBase):
    """Recomputes BN statistics over ``TEST.PRECISE_BN.NUM_ITER`` training batches before every evaluation."""

    def __init__(
        self, model: nn.Module, batches: Callable[[], Iterator[dict]], num_iter: int, due: Callable[[int], bool]
    ) -> None:
        self._model = model
        self._batches = batches
        self._num_iter = num_iter
        self._due = due

    def after_epoch(self) -> None:
        if self._due(self.trainer.epoch) and get_bn_modules(self._model):
            with EventStorage():  # the model's own logging of this pass is dropped
                update_bn_stats(self._model, itertools.islice(self._batches(), self._num_iter), self._num_iter)


class EvalHook(hooks.EvalHook):
    """FastReID's hook, also right where the last epoch is no multiple of the period, or the period is no period (A13, B17).

    It evaluates every ``eval_period`` epochs and after the last one; a period of 0 or less evaluates after the last epoch only.

    Args:
        eval_period: epochs between two evaluations.
        evaluate: gives the results.
        save: saves the weights, before every evaluation: one that fails then costs nothing but itself.
    """

    def __init__(self, eval_period: int, evaluate: Callable[[], dict], save: Callable[[], None]) -> None:
        super().__init__(eval_period, evaluate)
        self._save = save

    def due(self, epoch: int) -> bool:
        last = epoch + 1 == self.trainer.max_epoch
        return last or (self._period > 0 and (epoch + 1) % self._period == 0)

    def after_epoch(self) -> None:
        if self.due(self.trainer.epoch):
            self._save()
            self._do_eval()

    def after_train(self) -> None:
        del self._func, self._save  # bound methods of the trainer and of another hook


class CheckpointHook(HookBase):
    """Writes model_0019.pth every ``period`` epochs, model_best.pth at a better evaluation and model_final.pth at the end.

    An epoch that is evaluated has its checkpoint before (model_evaluated.pth where none is due), marked as unfinished: a run
    that goes on from it evaluates first. Once the evaluation is done and metrics.json has its line, it is written again, whole.

    The best metric so far is part of the checkpoint, so a resumed run does not call a worse model the best (B17).
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._unfinished: str | None = None

    def before_evaluation(self) -> None:
        self._unfinished = self._name() or "model_evaluated"
        self.trainer.save_checkpoint(self._unfinished, self._done(), finished=False)

    def after_epoch(self) -> None:
        trainer = self.trainer
        metric = trainer.latest_metric()
        if metric is not None and metric > trainer.best_metric:
            trainer.best_metric = metric
            trainer.save_checkpoint("model_best", self._done())
        name, self._unfinished = self._unfinished or self._name(), None
        if name is not None:
            trainer.save_checkpoint(name, self._done())

    def _name(self) -> str | None:
        epoch = self.trainer.epoch
        if epoch + 1 == self.trainer.max_epoch:
            return "model_final"
        return f"model_{epoch:04d}" if (epoch + 1) % self._period == 0 else None

    def _done(self) -> int:
        return (self.trainer.epoch + 1) * self.trainer.iters_per_epoch


class WriterHook(HookBase):
    """Lets FastReID's event writers write every ``period`` iterations and after each epoch, and closes them at the end.

    Args:
        build: makes the writers, once it is known where a resumed run starts; called in the main process only.
        period: iterations between two readings of the losses.
    """

    def __init__(self, build: Callable[[], list[EventWriter]], period: int) -> None:
        self._build = build
        self._period = period
        self._writers: list[EventWriter] = []

    def before_train(self) -> None:
        if comm.is_main_process():
            self._writers = self._build()

    def after_step(self) -> None:
        # FastReID's writers take an iteration once: an epoch's last is written after its evaluation, with the results.
        done = self.trainer.iter + 1
        if done % self._period == 0 and done % self.trainer.iters_per_epoch != 0:
            self._write()

    def after_epoch(self) -> None:
        self._write()

    def after_train(self) -> None:
        for writer in self._writers:
            writer.close()

    def _write(self) -> None:
        for writer in self._writers:
            writer.write()
