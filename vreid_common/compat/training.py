"""FastReID's optimizer and its evaluator's compiler."""

from __future__ import annotations

from typing import Any

__all__ = ["do_not_run_make", "train_the_parameters"]


def train_the_parameters() -> None:
    """B1, B18: the optimizer held flat copies whose gradients `zero_grad` drops, so nothing moved; and clipped whole groups.

    ContiguousParams makes those copies; it keeps the parameters as they are now, for whoever builds an optimizer with it.
    """
    from fastreid.utils.params import ContiguousParams

    def __init__(self: ContiguousParams, parameters: Any) -> None:
        self._parameters = list(parameters)

    def contiguous(self: ContiguousParams) -> list[Any]:
        return [dict(group) if isinstance(group, dict) else group for group in self._parameters]

    ContiguousParams.__init__, ContiguousParams.contiguous = __init__, contiguous
    ContiguousParams.make_params_contiguous = lambda self: None
    ContiguousParams.buffer_is_valid = lambda self: True  # there is none to be invalid


def do_not_run_make() -> None:
    """A5: ReidEvaluator compiled Cython code into site-packages at the first evaluation, or ended the process."""
    from fastreid.evaluation import ReidEvaluator

    ReidEvaluator._compile_dependencies = lambda self: None
