"""Configuration keys of DEx, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode

__all__ = ["add_dex_config"]


def add_dex_config(cfg: CfgNode) -> CfgNode:
    """Adds DEx's keys to ``cfg``, in place, and returns it. The equations, figures and tables named are the paper's."""
    cfg.DEX = CfgNode()
    _add_network(cfg.DEX)
    _add_expansion(cfg.DEX)
    _add_study(cfg.DEX)
    return cfg


def _add_network(dex: CfgNode) -> None:
    # The last part of the backbone that the branches share; each has its own copy of what follows. "layer3.0" is conv4_1 of a
    # ResNet; "blocks.3.0" of an EfficientNet is as deep: the first block at 1/16 of the input's resolution.
    dex.LAST_SHARED_BLOCK = "layer3.0"
    # Numbers of parts that each branch cuts its feature map into: 1 is the whole map, 3 are three strips. An empty list leaves
    # the branch out. 1+2+3, 1+2+3 and 1+4 make the paper's 17 features.
    dex.PARTS = CfgNode()
    dex.PARTS.HEIGHT = [1, 2, 3]
    dex.PARTS.WIDTH = [1, 2, 3]
    dex.PARTS.CHANNEL = [1, 4]
    # What evaluation returns of each part: the feature "after_bn" or "before_bn" of its BNNeck.
    dex.TEST_FEATURE = "after_bn"


def _add_expansion(dex: CfgNode) -> None:
    # Models of Eq. 4 for --eval-only: their configurations and their checkpoints, one for one, as files seen from where the
    # command runs. [] is the run's own model.
    dex.MODELS = CfgNode()
    dex.MODELS.CONFIGS = []
    dex.MODELS.WEIGHTS = []
    # Scales of the input at which --eval-only shows each model each image (the paper: 0.9, 1, 1.1, 1.2).
    dex.SCALES = [1.0]
    # Folder where the features of each model and scale are kept, so that another pipeline extracts nothing again; a key of
    # what they depend on keeps different ones apart. "" is OUTPUT_DIR/features.
    dex.STORE = ""


def _add_study(dex: CfgNode) -> None:
    dex.STUDY = CfgNode()
    # True makes --eval-only print Tables 2 to 6 instead of evaluating RERANK.PIPELINE once. All parameters that a table does
    # not list are those of RERANK: nothing is chosen by the labels that are reported on.
    dex.STUDY.ENABLED = False
    # Table 6: [name, "single" or "multi" scale features, steps of re-ranking].
    dex.STUDY.SCHEMES = [
        ["Baseline", "single", []],
        ["DEx", "multi", ["dual_embedding_expansion"]],
        ["DBA", "single", ["database_augmentation"]],
        ["k-reciprocal", "single", ["k_reciprocal"]],
        ["Diffusion", "single", ["diffusion"]],
        ["Tracklet", "single", ["pull_tracklets"]],
        ["DEx+DBA", "multi", ["dual_embedding_expansion", "database_augmentation"]],
        ["DEx+k-reciprocal", "multi", ["dual_embedding_expansion", "k_reciprocal"]],
        ["DEx+Diffusion", "multi", ["dual_embedding_expansion", "diffusion"]],
        ["DEx+DBA+k-reciprocal", "multi", ["dual_embedding_expansion", "database_augmentation", "k_reciprocal"]],
        ["DEx+DBA+Diffusion", "multi", ["dual_embedding_expansion", "database_augmentation", "diffusion"]],
    ]
    # Table 3: k of AQE, αQE and DEx.
    dex.STUDY.EXPANSION_K = [5, 10, 20, 40]
    # Table 4: k of diffusion.
    dex.STUDY.DIFFUSION_K = [25, 50, 100]
    # Table 4: k_q of diffusion, each with each k.
    dex.STUDY.DIFFUSION_KQ = [25, 50]
    # Table 5: k of database augmentation.
    dex.STUDY.DBA_K = [5, 10, 20, 40]
    # Fig. 1 and 4: the scheme whose first gallery images are drawn below the Baseline's, in OUTPUT_DIR/rank_lists_<set>.png;
    # "" draws none.
    dex.STUDY.RANK_LISTS = "DEx+DBA+k-reciprocal"
