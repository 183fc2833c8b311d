"""The registries that a project adds its parts to, beside FastReID's own (META_ARCH_REGISTRY, DATASET_REGISTRY, ...)."""

from fastreid.utils.registry import Registry as _Registry


class Registry(_Registry):
    """FastReID's registry that can also say what it holds."""

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names, in alphabetical order."""
        return tuple(sorted(self._obj_map))


class NameRegistry(Registry):
    """Registers classes under their ``name``, as users write it, instead of the class's own name."""

    def _do_register(self, name: str, obj: type) -> None:
        super()._do_register(obj.name, obj)


LOSS_REGISTRY = Registry("LOSS")
LOSS_REGISTRY.__doc__ = """Losses by the name that ``cfg.MODEL.LOSSES.NAME`` lists. Called as ``cls(cfg)``; the module's
``forward(outputs, targets)`` gets the head's output dict and (B,) int64 identities and returns a scalar Tensor."""

PROTOCOL_REGISTRY = Registry("PROTOCOL")
PROTOCOL_REGISTRY.__doc__ = """Evaluation protocols by the name in ``cfg.TEST.PROTOCOL``: which gallery images count."""

RERANK_REGISTRY = NameRegistry("RERANK")
RERANK_REGISTRY.__doc__ = """Re-ranking steps (``reranking.steps.Step``) by the name that ``cfg.RERANK.PIPELINE`` lists."""

SAMPLER_REGISTRY = Registry("SAMPLER")
SAMPLER_REGISTRY.__doc__ = """Training samplers by the name in ``cfg.DATALOADER.SAMPLER_TRAIN``."""

__all__ = ["LOSS_REGISTRY", "PROTOCOL_REGISTRY", "RERANK_REGISTRY", "SAMPLER_REGISTRY", "Registry"]
