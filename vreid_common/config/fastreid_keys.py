"""FastReID's own keys: what each does on this stack, and what it takes. Their defaults are those of FastReID's defaults.py."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.layers import any_softmax, pooling
from fastreid.modeling.backbones import BACKBONE_REGISTRY
from fastreid.modeling.heads import REID_HEADS_REGISTRY
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from fastreid.utils.registry import Registry

from vreid_common.config.constraints import (
    Constraint,
    Each,
    Either,
    Named,
    OneOf,
    Pattern,
    Range,
    Text,
    above,
    at_least,
    between,
    count,
    probability,
)
from vreid_common.config.schema import UPSTREAM, Group, Key
from vreid_common.registry import LOSS_REGISTRY, SAMPLER_REGISTRY
from vreid_common.structures import METRICS

__all__ = ["BASELINE_LOSSES", "FASTREID_KEYS", "NORMS"]

BASELINE_LOSSES = ("CrossEntropyLoss", "TripletLoss", "CircleLoss", "Cosface")
"""The losses that FastReID's ``Baseline`` knows. It ignores any other name without a word."""

NORMS = ("BN", "syncBN", "FrozenBN", "GN")
"""Of fastreid.layers.get_norm those that can be built: its GhostBN registers its statistics twice, which torch refuses."""

_SIDES = Each(count(8, 4096), (2,), words="[height, width] in pixels, each from 8 to 4096")
_SETS = Each(Text("the name of a data set", empty=False), distinct=True)
_GREYS = Each(between(0, 255), (3,), words="three numbers from 0 to 255: red, green, blue")


def _names(registry: Registry, name: str, refused: Mapping[str, str] | None = None) -> Named:
    # FastReID's registries have no other way to list their names.
    return Named(lambda: registry._obj_map, f"`{name}`", refused or {})


def _optimizers() -> list[str]:
    kinds = {name: kind for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
    return [name for name, kind in kinds.items() if issubclass(kind, torch.optim.Optimizer)]


_LOSS_NAMES = Named(
    lambda: [*BASELINE_LOSSES, *LOSS_REGISTRY.names],
    f"`LOSS_REGISTRY`, or {', '.join(BASELINE_LOSSES)}",
)
_ARCHITECTURES = _names(
    META_ARCH_REGISTRY,
    "META_ARCH_REGISTRY",
    {"MoCo": "MoCo mislabels its queue in FastReID 1.4.0 (docs/fastreid.md, B11): use Baseline"},
)
_SAMPLERS = _names(
    SAMPLER_REGISTRY,
    "SAMPLER_REGISTRY",
    {"SetReWeightSampler": "FastReID's own data sets crash it: use BalancedIdentitySampler"},
)
_OPTIMIZERS = Named(
    _optimizers,
    "`torch.optim`",
    {
        "Optimizer": "it is the base of all optimizers: use Adam, AdamW or SGD",
        "LBFGS": "it needs several passes an iteration: use Adam, AdamW or SGD",
        "SparseAdam": "it takes sparse gradients only: use Adam, AdamW or SGD",
        "Muon": "it takes matrices only: use Adam, AdamW or SGD",
    },
)


def _key(name: str, meaning: str, values: Constraint | None = None) -> Key:
    return Key(name, UPSTREAM, meaning) if values is None else Key(name, UPSTREAM, meaning, values)


_BACKBONE = Group("BACKBONE", "",
    _key("NAME", "The backbone.", _names(BACKBONE_REGISTRY, "BACKBONE_REGISTRY")),
    _key("DEPTH", "Its size, one of the backbone's own: 18x, 34x, 50x or 101x of a ResNet, base or small of a ViT.", Text()),
    _key("LAST_STRIDE", "Stride of the last stage: 1 doubles the height and width of the feature map.", OneOf(1, 2)),
    _key("FEAT_DIM", "Channels that the backbone gives; a wrong number is refused with the right one.", at_least(1)),
    _key("NORM", "Normalisation of the backbone; syncBN is BN on a CPU.", OneOf(*NORMS)),
    _key("WITH_IBN", "Half of each early block's channels are instance-normalised (IBN-Net)."),
    _key("WITH_SE", "Squeeze-and-excitation blocks (ResNet)."),
    _key("WITH_NL", "Non-local blocks (ResNet and ResNeXt of 50 layers or more)."),
    _key("SIE_COE", "ViT: weight of TransReID's camera embedding; FastReID builds none, so it has no effect.", at_least(0)),
    _key("STRIDE_SIZE", "ViT: stride of the patches of 16 pixels; less than 16 makes them overlap.",
        Each(count(1, 16), (2,), words="[rows, columns], each from 1 to 16"),
    ),
    _key("DROP_PATH_RATIO", "ViT: probability of stochastic depth in the last block.", probability(below_one=True)),
    _key("DROP_RATIO", "ViT: dropout of embeddings and MLPs.", probability(below_one=True)),
    _key("ATT_DROP_RATE", "ViT: dropout of attention weights.", probability(below_one=True)),
    _key("PRETRAIN", "Start from ImageNet weights: those of PRETRAIN_PATH, else FastReID's download."),
    _key("PRETRAIN_PATH", 'Weights file for PRETRAIN; "" downloads.', Text("a file")),
)  # fmt: skip

_HEADS = Group("HEADS", "",
    _key("NAME", "The head.", _names(REID_HEADS_REGISTRY, "REID_HEADS_REGISTRY")),
    _key("NORM", "Normalisation of the BNNeck; syncBN is BN on a CPU.", OneOf("BN", "syncBN", "GN")),
    _key("NUM_CLASSES", "Rows of the classifier: always the number of training identities.", at_least(0)),
    _key("EMBEDDING_DIM", "Width that a 1x1 convolution reduces the pooled feature to; 0 leaves it as it is.", at_least(0)),
    _key("WITH_BNNECK", "Batch normalisation between the pooled feature and the classifier (BNNeck)."),
    _key("NECK_FEAT", "Which feature the metric losses get: before or after the BNNeck, or after BNDropoutHead's dropout.",
        OneOf("before", "after", "dropout"),
    ),
    _key("POOL_LAYER", "Pooling of the feature map.", Named(lambda: pooling.__all__, "`fastreid.layers.pooling`")),
    _key("CLS_LAYER", "The classifier: Linear, a margin softmax, or CombinedMargin with BNDropoutHead.",
        Named(lambda: [*any_softmax.__all__, 'CombinedMargin'], "`fastreid.layers.any_softmax`, or CombinedMargin"),
    ),
    _key("MARGIN", "Margin of the margin softmaxes.", at_least(0)),
    _key("SCALE", "Factor of the logits.", at_least(1)),
)  # fmt: skip

_LOSSES = Group("LOSSES", "",
    _key("NAME", "Losses that are added up: FastReID's and registered ones.", Each(_LOSS_NAMES, empty=False)),
    Group("CE", "CrossEntropyLoss.",
        _key("EPSILON", "Label smoothing; -1 adapts it to how sure the model is.",
            Either(OneOf(-1.0), probability(below_one=True)),
        ),
        _key("ALPHA", "Factor of the adaptive smoothing.", probability()),
        _key("SCALE", "Weight of the loss.", at_least(0)),
    ),
    Group("FL", "Focal loss: FastReID 1.4.0 has the function but no model that calls it, so nothing reads these keys.",
        _key("ALPHA", "Not read.", at_least(0)),
        _key("GAMMA", "Not read.", at_least(0)),
        _key("SCALE", "Not read.", at_least(0)),
    ),
    Group("TRI", "TripletLoss.",
        _key("MARGIN", "Margin; 0 is the soft margin.", at_least(0)),
        _key("NORM_FEAT", "Compare normalised features by their cosine."),
        _key("HARD_MINING", "Take the hardest positive and negative of each image; False weighs all of them."),
        _key("SCALE", "Weight of the loss.", at_least(0)),
    ),
    Group("CIRCLE", "CircleLoss.",
        _key("MARGIN", "Margin m.", at_least(0)),
        _key("GAMMA", "Scale gamma.", at_least(1)),
        _key("SCALE", "Weight of the loss.", at_least(0)),
    ),
    Group("COSFACE", "Cosface, the pairwise form.",
        _key("MARGIN", "Margin m.", at_least(0)),
        _key("GAMMA", "Scale gamma.", at_least(1)),
        _key("SCALE", "Weight of the loss.", at_least(0)),
    ),
)  # fmt: skip

_MODEL = Group("MODEL", "",
    _key("DEVICE", "Where the model runs; cuda falls back to the CPU where there is none.",
        Pattern("cpu|cuda(:\\d{1,4})?", "cpu, cuda, or cuda:N for one GPU by its number"),
    ),
    _key("META_ARCHITECTURE", "The model; VehicleBaseline is FastReID's Baseline that takes registered losses too.",
        _ARCHITECTURES,
    ),
    _key("FREEZE_LAYERS", "Parts of the model (backbone, heads) that are not trained, at first or (FREEZE_ITERS 0) at all.",
        Each(Text("the name of a part", empty=False)),
    ),
    _key("QUEUE_SIZE", "MoCo's queue. MoCo is refused, so nothing reads this key.", at_least(1)),
    _BACKBONE,
    _HEADS,
    _LOSSES,
    _key("WEIGHTS", "Checkpoint that the model starts from or, with --eval-only, that is evaluated.", Text("a file")),
    _key("PIXEL_MEAN", "Subtracted from each channel.", _GREYS),
    _key("PIXEL_STD", "Each channel is divided by it.", Each(above(0), (3,), words="three numbers above 0: red, green, blue")),
)  # fmt: skip

_KD = Group("KD", "Knowledge distillation by the meta-architecture Distiller (FastReID's projects/FastDistill).",
    _key("MODEL_CONFIG", "Configurations of the teachers.", Each(Text("a file", empty=False))),
    _key("MODEL_WEIGHTS", "Checkpoints of the teachers, one for each configuration.", Each(Text("a file", empty=False))),
    Group("EMA", "",
        _key("ENABLED", "Keep an exponential moving average of the student."),
        _key("MOMENTUM", "Share of the old average.", probability()),
    ),
)  # fmt: skip

_INPUT = Group("INPUT", "Augmentation in FastReID's order: AUTOAUG, size, CROP, PADDING, FLIP, CJ, AFFINE, AUGMIX, REA, RPT.",
    _key("SIZE_TRAIN", "Size that training images are resized to.", _SIDES),
    _key("SIZE_TEST", "Size that test images are resized to.", _SIDES),
    Group("CROP", "A random part of the training image; the middle of the test image.",
        _key("ENABLED", "Crop."),
        _key("SIZE", "Size of the crop.", _SIDES),
        _key("SCALE", "Share of the area that the part covers: least and most.",
            Each(Range(0, 1, open_low=True), (2,), words="[least, most], both above 0, up to 1", rising=True),
        ),
        _key("RATIO", "Width to height of the part: least and most.",
            Each(above(0), (2,), words="[least, most], both above 0", rising=True),
        ),
    ),
    Group("FLIP", "Mirroring.",
        _key("ENABLED", "Mirror training images."),
        _key("PROB", "Share of the images.", probability()),
    ),
    Group("PADDING", "Padding on all sides, then a random crop back to the size.",
        _key("ENABLED", "Pad and crop."),
        _key("MODE", "What the padding shows.", OneOf("constant", "edge", "reflect", "symmetric")),
        _key("SIZE", "Pixels on each side.", between(0, 4096)),
    ),
    Group("CJ", "Colour jitter.",
        _key("ENABLED", "Jitter."),
        _key("PROB", "Share of the images.", probability()),
        _key("BRIGHTNESS", "Factor from 1 - x to 1 + x.", at_least(0)),
        _key("CONTRAST", "Factor from 1 - x to 1 + x.", at_least(0)),
        _key("SATURATION", "Factor from 1 - x to 1 + x.", at_least(0)),
        _key("HUE", "Shift from -x to x, of a full circle.", between(0, 0.5)),
    ),
    Group("AFFINE", "Rotation to 10 degrees, scale 0.9 to 1.1, a slight shear.", _key("ENABLED", "Transform.")),
    Group("AUTOAUG", "AutoAugment with the ImageNet policy.",
        _key("ENABLED", "Transform."),
        _key("PROB", "Share of the images.", probability()),
    ),
    Group("AUGMIX", "AugMix.",
        _key("ENABLED", "Transform."),
        _key("PROB", "Share of the images.", probability()),
    ),
    Group("REA", "Random erasing.",
        _key("ENABLED", "Erase."),
        _key("PROB", "Share of the images.", probability()),
        _key("VALUE", "Colour of the erased part.", Each(between(0, 255), (1, 3), words="one or three numbers from 0 to 255")),
    ),
    Group("RPT", "A patch of the image pasted elsewhere in it (docs/fastreid.md).",
        _key("ENABLED", "Paste."),
        _key("PROB", "Share of the images.", probability()),
    ),
)  # fmt: skip

_DATA = (
    Group("DATASETS", "",
        _key("NAMES", "Training sets.", _SETS),
        _key("TESTS", "Test sets.", _SETS),
        _key("COMBINEALL", "Train on query and gallery images too."),
    ),
    Group("DATALOADER", "",
        _key("SAMPLER_TRAIN", "What makes the training batches.", _SAMPLERS),
        _key("NUM_INSTANCE", "Images of each identity in a batch of an identity sampler.", at_least(1)),
        _key("NUM_WORKERS",
            "Worker processes of the training loader, for each process of the run; 0 decodes in the process itself.",
            between(0, 1024),
        ),
        _key("SET_WEIGHT", "Weights of the sets for SetReWeightSampler, which is refused, so nothing reads this key.",
            Each(at_least(0)),
        ),
    ),
)  # fmt: skip

_SOLVER = Group("SOLVER", "",
    Group("AMP", "Automatic mixed precision.", _key("ENABLED", "Compute in SOLVER.AMP.DTYPE where it is safe.")),
    _key("OPT", "Optimizer of torch.optim.", _OPTIMIZERS),
    _key("MAX_EPOCH", "Epochs of the run.", at_least(1)),
    _key("BASE_LR", "Learning rate.", above(0)),
    _key("HEADS_LR_FACTOR", "Factor of the learning rate of the head.", at_least(0)),
    _key("MOMENTUM", "Momentum of SGD.", probability(below_one=True)),
    _key("NESTEROV", "Nesterov's momentum, with SGD."),
    _key("WEIGHT_DECAY", "Weight decay.", at_least(0)),
    _key("WEIGHT_DECAY_NORM", "Weight decay of normalisation layers.", at_least(0)),
    _key("BIAS_LR_FACTOR", "Factor of the learning rate of biases.", at_least(0)),
    _key("WEIGHT_DECAY_BIAS", "Weight decay of biases.", at_least(0)),
    _key("SCHED", "Schedule of the learning rate.", OneOf("MultiStepLR", "CosineAnnealingLR", "ExponentialLR", "LinearLR")),
    _key("DELAY_EPOCHS", "Epochs before the schedule starts; not with MultiStepLR.", at_least(0)),
    _key("GAMMA", "Factor of MultiStepLR at each step, of ExponentialLR each epoch.", Range(0, 1, open_low=True)),
    _key("STEPS", "MultiStepLR: epochs after which the rate drops, rising.",
        Each(count(1), words="a list of epochs, 1 or more, each above the one before", rising=True, distinct=True),
    ),
    _key("ETA_MIN_LR", "CosineAnnealingLR: rate at the end.", at_least(0)),
    _key("WARMUP_FACTOR", "Share of the rate at the start of the warm-up.", probability()),
    _key("WARMUP_ITERS", "Iterations of the warm-up; 0 for none.", at_least(0)),
    _key("WARMUP_METHOD", "Shape of the warm-up.", OneOf("constant", "linear", "exp")),
    _key("FREEZE_ITERS", "Iterations in which MODEL.FREEZE_LAYERS are frozen; 0 for the whole run.", at_least(0)),
    _key("CHECKPOINT_PERIOD", "Epochs between two checkpoints.", at_least(1)),
    _key("IMS_PER_BATCH", "Images of a training batch, over all processes.", at_least(1)),
    Group("CLIP_GRADIENTS", "Gradient clipping, of each parameter by itself.",
        _key("ENABLED", "Clip."),
        _key("CLIP_TYPE", "Clip the norm of a parameter's gradient, or each value.", OneOf("norm", "value")),
        _key("CLIP_VALUE", "Largest norm or value.", above(0)),
        _key("NORM_TYPE", "p of the norm; .inf takes the largest value.", Range(0, open_low=True, infinite=True)),
    ),
)  # fmt: skip

_TEST = Group("TEST", "",
    _key("EVAL_PERIOD", "Epochs between two evaluations; 0 or -1 evaluates at the end only.", at_least(-1)),
    _key("IMS_PER_BATCH", "Images of a test batch, over all processes.", at_least(1)),
    _key("METRIC", "What compares features.", OneOf(*METRICS)),
    Group("ROC", "", _key("ENABLED", "Also report TPR at false positive rates of 0.01, 0.001 and 0.0001.")),
    Group("FLIP", "", _key("ENABLED", "Sum the features of the image and its mirror image.")),
    Group("AQE", "Query expansion: the step alpha_query_expansion.",
        _key("ENABLED", "Expand; not beside RERANK.PIPELINE."),
        _key("ALPHA", "Its alpha.", at_least(0)),
        _key("QE_TIME", "Its rounds.", at_least(1)),
        _key("QE_K", "Its k.", at_least(1)),
    ),
    Group("RERANK", "Re-ranking: the step k_reciprocal.",
        _key("ENABLED", "Re-rank; not beside RERANK.PIPELINE."),
        _key("K1", "Its k1.", at_least(1)),
        _key("K2", "Its k2.", at_least(1)),
        _key("LAMBDA", "Its lambda_value.", probability()),
    ),
    Group("PRECISE_BN", "Exact batch normalisation statistics, computed anew before each evaluation.",
        _key("ENABLED", "Compute them."),
        _key("DATASET", "Not read: the training images are taken.", _names(DATASET_REGISTRY, "DATASET_REGISTRY")),
        _key("NUM_ITER", "Batches.", at_least(1)),
    ),
)  # fmt: skip

FASTREID_KEYS = (
    _MODEL,
    _KD,
    _INPUT,
    *_DATA,
    _SOLVER,
    _TEST,
    _key("OUTPUT_DIR", "Folder of everything that a run writes.", Text("a folder", empty=False)),
    _key("CUDNN_BENCHMARK", "Let cuDNN time its kernels; only with DETERMINISTIC False."),
)  # fmt: skip
