"""The only place that patches FastReID 1.4.0; every cure names the fault of docs/fastreid.md that it is for.

``apply()`` runs when vreid_common is imported. It sets the few names without which FastReID cannot be imported, imports it, and
changes the few of its functions and classes that make a plain FastReID script wrong. They are changed in place, so that a cure
holds under every name that FastReID, a project or a script has for them, and whenever it was imported. What needs more (the
training loop, evaluation, loaders) is an override in this package and leaves FastReID as it is.
"""

from collections.abc import Callable

from vreid_common.compat import checkpoints, data, installation, models, stand_ins, training

__all__ = ["apply"]

_CURES: tuple[Callable[[], None], ...] = (
    data.load_without_cuda_streams,
    data.read_images_as_rgb,
    data.collate_numpy_labels,
    data.affine_of_todays_torchvision,
    models.normalise_out_of_place,
    models.find_packaged_configs,
    models.weigh_hard_examples_stably,
    models.keep_teachers_still,
    training.train_the_parameters,
    training.do_not_run_make,
    checkpoints.read_checkpoints_safely,
    checkpoints.read_files_of_backbones,
)

_applied = False


def apply() -> None:
    """Makes FastReID importable and right; a second call does nothing.

    Raises:
        ImportError: FastReID is not on Python's path, lacks a package, or is too old; the message says what to do.
    """
    global _applied
    if _applied:
        return
    installation.find()
    with installation.explained():
        stand_ins.let_it_import()
        for cure in _CURES:
            cure()
    _applied = True
