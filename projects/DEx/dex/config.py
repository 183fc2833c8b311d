"""Configuration keys of DEx, on top of FastReID's and vreid_common's."""

from vreid_common.config import Anything, CfgNode, Each, Group, Key, OneOf, Text, above, add_keys, count

__all__ = ["add_dex_config"]

_FILES = Each(Text("a file", empty=False))
_PARTS = Each(count(1), words="a list of numbers of parts, from 1")
_COUNTS = Each(count(1), empty=False)

_SCHEMES = [
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


def add_dex_config(cfg: CfgNode) -> CfgNode:
    """Adds DEx's keys to ``cfg``, in place, and returns it. The equations, figures and tables named are the paper's."""
    return add_keys(
        cfg,
        Group("DEX", "",
            Key("LAST_SHARED_BLOCK", "layer3.0",
                "The last part of the backbone that the branches share; each has its own copy of what follows. layer3.0 is "
                "conv4_1 of a ResNet; blocks.3.0 of an EfficientNet is as deep: the first block at 1/16 of the input's "
                "resolution.",
                Text("a part of the backbone", empty=False),
            ),
            Group("PARTS",
                  "Numbers of parts that each branch cuts its feature map into: 1 is the whole map, 3 are three strips. An "
                  "empty list leaves the branch out. 1+2+3, 1+2+3 and 1+4 make the paper's 17 features.",
                Key("HEIGHT", [1, 2, 3], "Strips, one above the other.", _PARTS),
                Key("WIDTH", [1, 2, 3], "Strips, side by side.", _PARTS),
                Key("CHANNEL", [1, 4], "Groups of channels.", _PARTS),
            ),
            Key("TEST_FEATURE", "after_bn", "Which feature evaluation returns of each part: after or before its BNNeck.",
                OneOf("after_bn", "before_bn"),
            ),
            Group("MODELS", "Models of Eq. 4 for --eval-only; [] is the run's own model.",
                Key("CONFIGS", [], "Their configurations, as files seen from where the command runs.", _FILES),
                Key("WEIGHTS", [], "Their checkpoints, one for each configuration.", _FILES),
            ),
            Key("SCALES", [1.0],
                "Scales of the input at which --eval-only shows each model each image (the paper: 0.9, 1, 1.1, 1.2).",
                Each(above(0), empty=False),
            ),
            Key("STORE", "",
                "Folder where the features of each model and scale are kept, so that another pipeline extracts nothing "
                'again; a key of what they depend on keeps different ones apart. "" is OUTPUT_DIR/features.',
                Text("a folder"),
            ),
            Group("STUDY",
                  "Tables 2 to 6. All parameters that a table does not list are those of RERANK: nothing is chosen by the "
                  "labels that are reported on.",
                Key("ENABLED", False, "True makes --eval-only print the tables instead of evaluating RERANK.PIPELINE once."),
                Key("SCHEMES", _SCHEMES, "Table 6: [name, single or multi scale features, steps of re-ranking].",
                    Anything("lists of a name, single or multi, and steps"),
                ),
                Key("EXPANSION_K", [5, 10, 20, 40], "Table 3: k of AQE, αQE and DEx.", _COUNTS),
                Key("DIFFUSION_K", [25, 50, 100], "Table 4: k of diffusion.", _COUNTS),
                Key("DIFFUSION_KQ", [25, 50], "Table 4: k_q of diffusion, each with each k.", _COUNTS),
                Key("DBA_K", [5, 10, 20, 40], "Table 5: k of database augmentation.", _COUNTS),
                Key("RANK_LISTS", "DEx+DBA+k-reciprocal",
                    "Fig. 1 and 4: the scheme whose first gallery images are drawn below the Baseline's, in "
                    'OUTPUT_DIR/rank_lists_<set>.png; "" draws none.',
                    Text("the name of a scheme"),
                ),
            ),
        ),
    )  # fmt: skip
