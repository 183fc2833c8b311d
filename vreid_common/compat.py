"""The only place that patches FastReID 1.4.0; every function below names the fault of docs/fastreid.md that it cures.

``apply()`` runs when vreid_common is imported. It sets the few names without which FastReID cannot be imported, imports it, and
rebinds the few of its globals that make a plain FastReID script wrong. What needs more than a rebinding (the training loop,
evaluation, loaders, checkpoints) is an override in this package and leaves FastReID as it is.
"""

import collections
import collections.abc
import functools
import importlib
import importlib.util
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_INSTALL = "vreid_common needs FastReID 1.4.0 beside it: run `pip install --no-deps fastreid==1.4.0`."


def apply() -> None:
    """Makes FastReID importable and right; a second call does nothing.

    Raises:
        ImportError: FastReID is not installed; the message is the command that installs it.
    """
    if importlib.util.find_spec("fastreid") is None:
        raise ImportError(_INSTALL)
    if "torch._six" in sys.modules and getattr(sys.modules["torch._six"], "_vreid", False):
        return
    _let_it_import()
    for cure in _CURES:
        cure()


def _let_it_import() -> None:
    """A1, A2: `from collections import Mapping` and `torch._six`, both gone since FastReID's last release."""
    for name in ("Mapping", "MutableMapping", "Sequence", "Iterable"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    six = types.ModuleType("torch._six")
    six.string_classes = (str, bytes)
    six._vreid = True
    sys.modules["torch._six"] = six
    with warnings.catch_warnings():
        # "Cython rank evaluation is unavailable": evaluation is ours, nothing is lost.
        warnings.filterwarnings("ignore", message=".*[Cc]ython.*")
        import fastreid.engine
        import fastreid.evaluation.rank  # noqa: F401


def _load_data_without_cuda_stream() -> None:
    """A3, B14: DataLoaderX makes a CUDA stream at once and hangs for ever when its thread meets a corrupt image."""
    import torch
    from fastreid.data import build
    from torch.utils.data import DataLoader

    def data_loader(local_rank: int, *, pin_memory: bool = False, **kwargs: Any) -> DataLoader:
        return DataLoader(pin_memory=pin_memory and torch.cuda.is_available(), **kwargs)

    build.DataLoaderX = data_loader


def _read_images_as_rgb() -> None:
    """B15: palette, alpha and CMYK images reached the network as they were."""
    from fastreid.data import common

    common.read_image = functools.partial(common.read_image, format="RGB")


def _affine_of_todays_torchvision() -> None:
    """A7: `RandomAffine(resample=, fillcolor=)` are called `interpolation` and `fill` now."""
    import torchvision.transforms as T
    from fastreid.data.transforms import build

    transforms = types.ModuleType(T.__name__)
    transforms.__dict__.update(T.__dict__)

    def random_affine(*args: Any, resample: bool = False, fillcolor: float = 0, **kwargs: Any) -> T.RandomAffine:
        mode = T.InterpolationMode.BILINEAR if resample else T.InterpolationMode.NEAREST
        return T.RandomAffine(*args, interpolation=mode, fill=fillcolor, **kwargs)

    transforms.RandomAffine = random_affine
    build.T = transforms


def _normalise_out_of_place() -> None:
    """A4, B2, B3: images stayed on the CPU, and were normalised in place: flipped passes and callers' tensors twice."""
    from fastreid.modeling.meta_arch import META_ARCH_REGISTRY

    def preprocess_image(self: Any, batched_inputs: Any) -> Any:
        images = batched_inputs["images"] if isinstance(batched_inputs, Mapping) else batched_inputs
        images = images.to(self.device, non_blocking=True).to(self.pixel_mean.dtype)
        return images.sub(self.pixel_mean).div_(self.pixel_std)

    def on_device(forward: Callable) -> Callable:
        @functools.wraps(forward)
        def wrapped(self: Any, batched_inputs: Any) -> Any:
            if isinstance(batched_inputs, Mapping) and "targets" in batched_inputs:
                targets = batched_inputs["targets"].to(self.device, non_blocking=True)
                batched_inputs = {**batched_inputs, "targets": targets}
            return forward(self, batched_inputs)

        return wrapped

    for name in ("Baseline", "MGN"):  # MoCo and Distiller inherit both methods' effect from Baseline
        architecture = META_ARCH_REGISTRY.get(name)
        architecture.preprocess_image = preprocess_image
        architecture.forward = on_device(architecture.forward)


def _find_packaged_configs() -> None:
    """A12: RegNet and EfficientNet open their YAML files relative to the working directory."""
    import fastreid
    from fastreid.modeling.backbones.regnet import effnet, regnet

    site = Path(fastreid.__file__).parent.parent

    class PackagedConfig(type(regnet.regnet_cfg)):
        def merge_from_file(self, cfg_filename: str) -> None:
            super().merge_from_file(str(site / cfg_filename))

    regnet.regnet_cfg = PackagedConfig(regnet.regnet_cfg)
    effnet.effnet_cfg = PackagedConfig(effnet.effnet_cfg)


def _train_the_parameters() -> None:
    """B1, B18: the optimizer held flat copies whose gradients `zero_grad` drops, so nothing moved; and clipped whole groups."""
    from fastreid.engine import defaults

    defaults.build_optimizer = functools.partial(defaults.build_optimizer, contiguous=False)


def _weigh_hard_examples_stably() -> None:
    """B10: the soft triplet took its maximum over all pairs, so the negatives' weights underflowed to nothing."""
    # The package's attribute of this name is the function, not the module.
    triplet_loss = importlib.import_module("fastreid.modeling.losses.triplet_loss")

    def softmax_weights(dist: Any, mask: Any) -> Any:
        weights = dist.masked_fill(mask == 0, -float("inf")).softmax(dim=1)
        return weights.nan_to_num(0.0)  # a row without any pair

    triplet_loss.softmax_weights = softmax_weights


def _keep_teachers_in_eval_mode() -> None:
    """B16: distillation teachers ran in train mode. The EMA copy stays so: nothing updates its BN statistics."""
    from fastreid.modeling.meta_arch.distiller import Distiller

    def train(self: Distiller, mode: bool = True) -> Distiller:
        super(Distiller, self).train(mode)
        for teacher in self.model_ts[int(self.ema_enabled) :]:
            teacher.eval()
        return self

    Distiller.train = train


def _do_not_run_make() -> None:
    """A5: ReidEvaluator compiled Cython code into site-packages at the first evaluation, or ended the process."""
    from fastreid.evaluation import ReidEvaluator

    ReidEvaluator._compile_dependencies = lambda self: None


_CURES: tuple[Callable[[], None], ...] = (
    _load_data_without_cuda_stream,
    _read_images_as_rgb,
    _affine_of_todays_torchvision,
    _normalise_out_of_place,
    _find_packaged_configs,
    _train_the_parameters,
    _weigh_hard_examples_stably,
    _keep_teachers_in_eval_mode,
    _do_not_run_make,
)
