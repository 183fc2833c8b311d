"""Configuration keys shared by every project, on top of FastReID's own."""

from __future__ import annotations

from vreid_common.config.constraints import (
    Anything,
    Constraint,
    Each,
    Named,
    OneOf,
    Range,
    Text,
    above,
    at_least,
    between,
    probability,
)
from vreid_common.config.schema import Group, Key
from vreid_common.registry import PROTOCOL_REGISTRY, RERANK_REGISTRY

__all__ = ["MIXES", "VREID_KEYS"]

MIXES = ("real", "full", "balanced")

_SEED = at_least(0)
_STEPS = Named(lambda: RERANK_REGISTRY.names, "`RERANK_REGISTRY`")


def _k(name: str, default: int, meaning: str) -> Key:
    return Key(name, default, meaning, at_least(1))


def _number(name: str, default: float, meaning: str, values: Constraint | None = None) -> Key:
    return Key(name, default, meaning, values or at_least(0))


_RUN = (
    Key("PROJECT", "",
        "Name (never a path) of the project whose keys these are. A project's train_net.py writes it into config.yaml, so that "
        "commands know whose configuration that is.",
        Text("the name of a project"),
    ),
    Key("SEED", 0,
        "One seed fixes weights, data order and augmentation; -1 draws one and writes it into the log and config.yaml.",
        at_least(-1),
    ),
    Key("DETERMINISTIC", True,
        "True asks torch for repeatable kernels (bit-identical runs on one device); False lets cuDNN pick the fastest ones.",
    ),
    Group("DISTRIBUTED", "Processes that work together: --num-gpus, --num-machines, torchrun (docs/processes.md).",
        Key("START_TIMEOUT", 300.0, "Seconds that a process, and a machine, waits for the others at the start.", above(0)),
        Key("STEP_TIMEOUT", 1800.0,
            "Seconds within which all processes have to come to the same step of a training. The main process may take longer "
            "over what it does alone (ranking, a report), and one that dies is noticed at once.",
            above(0),
        ),
    ),
    Group("SOLVER.AMP", "",
        Key("DTYPE", "bfloat16",
            "Type that AMP computes in: bfloat16 runs on CPU and CUDA and needs no loss scaling, float16 runs on CUDA only.",
            OneOf("bfloat16", "float16"),
        ),
    ),
)  # fmt: skip

_MODEL = (
    Group("MODEL", "",
        Key("CHANNELS_LAST", "auto", "Channels-last convolutions: auto is on for CUDA and off for CPU.",
            OneOf("auto", "on", "off"),
        ),
    ),
    Group("MODEL.BACKBONE", "",
        Key("TIMM_MODEL", "", "Name of build_timm_backbone's network, e.g. efficientnet_b1.",
            Text("the name of a network of timm"),
        ),
    ),
    Group("MODEL.HEADS", "",
        Key("DROPOUT", 0.5, "BNDropoutHead: probability with which an entry of the feature is set to 0 before the classifier.",
            probability(below_one=True),
        ),
        Group("COMBINED_MARGIN",
              "BNDropoutHead with CLS_LAYER CombinedMargin: the target's logit is s (cos(m1 theta + m2) + m3), s being "
              "MODEL.HEADS.SCALE. 1, 0, 0 is the normalised softmax, M1 4 SphereFace, M2 0.5 ArcFace, M3 -0.35 CosFace.",
            Key("M1", 1.0, "m1, the factor of the angle.", above(0)),
            Key("M2", 0.0, "m2, in radians.", Range()),
            Key("M3", 0.0, "m3.", Range()),
        ),
    ),
    Group("MODEL.LOSSES.DSAM", "DSAMLoss (Kong et al. 2021).",
        _number("MARGIN", 0.9, "m_neg of Eq. 12."),
        _number("GAMMA", 0.8, "gamma of Eq. 13."),
        _number("SCALE", 0.1, "lambda of Eq. 14, the weight of the loss."),
    ),
)  # fmt: skip

_DATA = (
    Group("DATASETS", "",
        Key("MIX", "full",
            "Synthetic images among real ones: real leaves them out, full takes all, balanced takes whole synthetic "
            "identities, drawn at random, until there are as many synthetic images as real ones.",
            OneOf(*MIXES),
        ),
        Key("MIX_SEED", 0,
            "Seed of the identities that balanced draws, apart from SEED: runs with other seeds train on the same images.",
            _SEED,
        ),
        Key("SYNTHETIC", (),
            "Sets of DATASETS.NAMES that are synthetic although their reader does not know it, e.g. a CSV file of rendered "
            "images.",
            Each(Text("the name of a data set", empty=False)),
        ),
        Group("TRANSLATED", "Synthetic sets of DATASETS.NAMES that are read as translated copies (`vreid translate apply`).",
            Key("NAMES", (), "The sets.", Each(Text("the name of a data set", empty=False))),
            Key("ROOT", "translated", "The data root in which the copies lie: a folder, itself or under FASTREID_DATASETS.",
                Text("a folder", empty=False),
            ),
        ),
        Group("VALIDATION",
              "Validation split: identities of each set in DATASETS.TESTS are held out of its training images and evaluated "
              "in place of its test images. The set has to be in DATASETS.NAMES too.",
            Key("NUM_IDS", 0, "Identities held out of each set (DEx: 100, Cybercore: 80); 0 holds none out.", at_least(0)),
            Key("SEED", 0, "Seed of which identities, and which of their images are queries.", _SEED),
        ),
        Group("CSV", "The data set CSVVehicles.",
            Key("FILE", "",
                "A file with path, vehicle_id, camera_id, split (train, query or gallery) and optionally track_id and view; "
                "paths are relative to the file.",
                Text("a file"),
            ),
        ),
        Group("RENDER",
              "The rendered data sets (StreetVehicles, StudioVehicles), written under FASTREID_DATASETS on first use.",
            Key("SIZE", "demo",
                "Name of a size in vreid_common.synthetic.SIZES: tiny (tests), demo (the projects' studies), ...",
                Text("the name of a size", empty=False),
            ),
            Key("SEED", 0, "Seed of the rendered scenes; one seed gives bit-identical images.", _SEED),
        ),
    ),
    Group("DATALOADER", "",
        Key("SYNTHETIC_SHARE", 0.5, "Share of synthetic identities in every batch of DomainIdentitySampler.", probability()),
        Key("TIMEOUT", 600,
            "Seconds without a batch from a loader's worker processes after which the run ends, as one was perhaps stopped, or "
            "the disk does not answer. 0 waits for ever.",
            at_least(0),
        ),
    ),
)  # fmt: skip

_TEST = Group("TEST", "",
    Key("PROTOCOL", "SameCameraExcluded", "Which gallery images count for a query.",
        Named(lambda: PROTOCOL_REGISTRY.names, "`PROTOCOL_REGISTRY`"),
    ),
    Key("MAX_RANK", 50, "CMC is computed to this rank.", between(1, 100000)),
    Key("TOP_K", 0, "mAP of the first so many ranks only, named mAP@<TOP_K> (AI City: 100); 0 takes the whole ranking.",
        at_least(0),
    ),
    Key("NORMALIZER", "all",
        "What the average precision of TOP_K ranks is divided by: all matches, the min of the matches and TOP_K, or the hits.",
        OneOf("all", "min", "hits"),
    ),
    Key("NUM_DRAWS", 10,
        "Draws of a protocol that draws query or gallery at random (OneGalleryImage, OneQueryImage); metrics are their means.",
        between(1, 100000),
    ),
    Key("DRAW_SEED", 0, "Seed of those draws, apart from SEED: runs with other seeds are evaluated on the same draws.", _SEED),
    Key("VIEWS", True,
        "Also report mAP over gallery images seen from the query's own view, and from another (needs view labels).",
    ),
    Key("AMP", False, "True evaluates in SOLVER.AMP.DTYPE; False in float32, as `vreid extract` does."),
    Group("BEST", "Which number decides that a model is the best so far, model_best.pth.",
        Key("DATASET", "", "The test set, one of DATASETS.TESTS; empty is the first.", Text("the name of a test set")),
        Key("METRIC", "metric",
            "Its metric, as results.json names it: mAP, Rank-1, main/mAP, ...; `metric` is FastReID's, (mAP + Rank-1) / 2.",
            Text("the name of a metric", empty=False),
        ),
    ),
    Key("REPORT", False, "Also write OUTPUT_DIR/report_<test set>.html after an evaluation (docs/report.md)."),
    Key("NUM_WORKERS", 2, "Worker processes of the test loader; 0 decodes in the main process.", between(0, 1024)),
)  # fmt: skip

# The steps' own dataclasses (vreid_common.reranking.steps) test the same ranges for the other ways to name a step.
_RERANK = Group("RERANK", "",
    Key("PIPELINE", [],
        "Steps of re-ranking, applied in this order. [] is none, unless FastReID's TEST.AQE.ENABLED (as "
        "alpha_query_expansion with K = QE_K, ROUNDS = QE_TIME) or TEST.RERANK.ENABLED (as k_reciprocal) is set.",
        Each(_STEPS),
    ),
    Key("COMPARE", [],
        "Further re-rankings that an evaluation shows beside that one, each a list of its name and its steps: [[both, "
        "k_reciprocal, fuse_distances]] gives the metrics both/mAP, both/Rank-1, ...",
        Anything("lists of a name and steps"),
    ),
    Key("FURTHER", [],
        "Features of the same test images that other models' evaluations saved, for steps that take them: name and path, to "
        'which "_query" and "_gallery" are added: [[camera, logs/camera/features/main]].',
        Anything("lists of a name and a path"),
    ),
    Group("AVERAGE_QUERY_EXPANSION",
          "Average query expansion (Chum et al. 2007): the mean of a query and its K nearest gallery images.",
        _k("K", 20, "Nearest gallery images."),
    ),
    Group("ALPHA_QUERY_EXPANSION", "Weighted query expansion (Radenovic et al. 2018): gallery images weigh cos(q, g)^alpha.",
        _k("K", 20, "Nearest gallery images, the query itself not among them."),
        _number("ALPHA", 2.0, "alpha; 0 weighs all alike."),
        _k("ROUNDS", 1, "How often the expanded queries are expanded again."),
    ),
    Group("DATABASE_AUGMENTATION",
          "Database-side augmentation (DBA): each gallery image from its K nearest, with weights cos^alpha.",
        _k("K", 10, "Nearest gallery images, the image itself included."),
        _number("ALPHA", 0.0, "alpha; 0 weighs all alike."),
    ),
    Group("DUAL_EMBEDDING_EXPANSION",
          "Dual embedding expansion (DEx, Eq. 5-6): query expansion over images in the order of their tracks; needs gallery "
          "tracks.",
        _k("K", 20, "Gallery images."),
        _number("ALPHA", 2.0, "alpha."),
    ),
    Group("K_RECIPROCAL", "k-reciprocal encoding (Zhong et al. 2017); DEx takes 60 / 30 / 0.5.",
        _k("K1", 20, "k1: neighbours that make the reciprocal sets."),
        _k("K2", 6, "k2: neighbours whose sets are averaged; 1 averages none."),
        _number("LAMBDA_VALUE", 0.3, "lambda: share of the original distance.", probability()),
    ),
    Group("DIFFUSION", "Diffusion on the neighbour graph of the gallery (Iscen et al. 2017; DEx Eq. 9-10).",
        _k("K", 50, "k: mutual neighbours that make the graph."),
        _k("KQ", 25, "k_q: gallery images from which a query's diffusion starts."),
        _number("ALPHA", 0.95, "alpha: share of what comes from neighbours.", probability(below_one=True)),
        _number("GAMMA", 3.0, "gamma: exponent of the similarities."),
        _k("ITERATIONS", 25, "Upper limit of the iterations."),
        Key("SOLVER", "iteration", "Eq. 10, or conjugate gradients.", OneOf("iteration", "conjugate_gradient")),
    ),
    Group("GRAPH_PROPAGATION", "Propagation of features over the neighbour graph (Zhang et al. 2020).",
        _k("K1", 26, "k1: neighbours that make an image's first feature."),
        _k("K2", 7, "k2: neighbours that features come from."),
        _number("ALPHA", 2.0, "alpha: exponent of the cosines that neighbours weigh."),
        _k("ROUNDS", 2, "How often features are propagated."),
    ),
    Group("AVERAGE_TRACKLETS", "Gallery features mixed with the mean of their track; needs gallery tracks.",
        _number("WEIGHT", 1.0, "Share of the track's mean; with 1 all images of a track get one feature.", probability()),
    ),
    Group("TRACKLET_DISTANCE", "Distance to the image's track; needs gallery tracks.",
        Key("REDUCE", "mean", "Over the track's images.", OneOf("mean", "min")),
    ),
    Group("FUSE_DISTANCES", "D - lambda_o D_orientation - lambda_c D_camera, with the model's further features of these names.",
        _number("LAMBDA_ORIENTATION", 0.1, "lambda_o.", Range()),
        _number("LAMBDA_CAMERA", 0.1, "lambda_c.", Range()),
    ),
)  # fmt: skip

VREID_KEYS = (*_RUN, *_MODEL, *_DATA, _TEST, _RERANK)
