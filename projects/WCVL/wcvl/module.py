"""The cross-view module: what WCVL adds to a main module (Fig. 3).

Shape shorthand: B images; C, H, W a feature map; D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastreid.layers import pooling
from torch import Tensor, nn

from vreid_common.errors import InputError
from wcvl.stages import stage_blocks

__all__ = ["CrossViewModule", "build_pool", "copy_stages"]


class CrossViewModule(nn.Module):
    """Own last stages, pooling, and two fully connected layers with a ReLU between them, from an image to x_cv.

    With all layers shared (``layers`` is None) it is the two fully connected layers on the global feature.

    Args:
        layers: the own stages; None where all are shared.
        pool: pooling after ``layers``, to (B, C, 1, 1).
        in_dim: channels that enter the first fully connected layer.
        hidden_dim: width between the two.
        out_dim: D, the dimensions of the global feature, which x_cv is compared with.
    """

    def __init__(self, layers: nn.Module | None, pool: nn.Module, in_dim: int, hidden_dim: int, out_dim: int) -> None:
        super().__init__()
        self.layers = None if layers is None else nn.Sequential(layers, pool, nn.Flatten())
        self.mlp = nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(inplace=True), nn.Linear(hidden_dim, out_dim))

    def forward(self, stage_input: Tensor | None, global_feature: Tensor) -> Tensor:
        """
        Args:
            stage_input: (B, C, H, W) what the shared layers give; unused where all are shared.
            global_feature: (B, D) x_g, used where all layers are shared.

        Returns:
            (B, D) x_cv.
        """
        return self.mlp(global_feature if self.layers is None else self.layers(stage_input))


def copy_stages(main: nn.Module, twin: nn.Module, stages: Sequence[str]) -> nn.Sequential:
    """Takes ``stages`` out of ``twin`` and gives them the weights and statistics that they have in ``main``.

    The twin is the same model with another last stride, which has no weights, so its parameters fit. Taking stages from a twin
    works for every backbone that reads MODEL.BACKBONE.LAST_STRIDE; to change the strides of a copy one must know each backbone.

    Args:
        main: the main module.
        twin: another one built by the same config but for LAST_STRIDE; its stages are used up.
        stages: names, as in WCVL.MAIN.STAGES.
    """
    own = [block for stage in stages for block in stage_blocks(twin, stage)]
    source = [block for stage in stages for block in stage_blocks(main, stage)]
    for block, original in zip(own, source, strict=True):
        block.load_state_dict(original.state_dict())
    return nn.Sequential(*own)


def build_pool(name: str) -> nn.Module:
    """FastReID's pooling layer of that name.

    Raises:
        InputError: there is none.
    """
    if name not in pooling.__all__:
        raise InputError(f"WCVL.POOL_LAYER is {name!r}; it has to be one of {', '.join(pooling.__all__)}.")
    return getattr(pooling, name)()
