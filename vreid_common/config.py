"""Configuration keys shared by every project, on top of FastReID's own defaults."""

from fastreid.config import CfgNode, get_cfg

__all__ = ["CfgNode", "add_vreid_config", "get_vreid_cfg"]


def add_vreid_config(cfg: CfgNode) -> CfgNode:
    """Adds the keys that vreid_common reads to FastReID's ``cfg``, in place, and returns it."""
    # Name (never a path) of the project whose keys these are. A project's train_net.py writes it into config.yaml, so that
    # commands know whose configuration that is.
    cfg.PROJECT = ""
    # One seed fixes weights, data order and augmentation. -1 draws one and writes it into the log and config.yaml.
    cfg.SEED = 0
    # True asks torch for repeatable kernels (bit-equal runs on one device); False lets cuDNN pick the fastest ones.
    cfg.DETERMINISTIC = True

    # Type that AMP computes in: "bfloat16" (CPU and CUDA, needs no loss scaling) or "float16" (CUDA only).
    cfg.SOLVER.AMP.DTYPE = "bfloat16"
    # Channels-last convolutions: "auto" is on for CUDA, off for CPU; or "on" / "off".
    cfg.MODEL.CHANNELS_LAST = "auto"

    # Name of build_timm_backbone's network, e.g. "efficientnet_b1"; MODEL.BACKBONE.FEAT_DIM has to be its number of channels.
    cfg.MODEL.BACKBONE.TIMM_MODEL = ""

    # BNDropoutHead: probability with which an entry of the feature is set to 0 before the classifier.
    cfg.MODEL.HEADS.DROPOUT = 0.5
    # BNDropoutHead with CLS_LAYER CombinedMargin: the target's logit is s (cos(m1 theta + m2) + m3), s being MODEL.HEADS.SCALE.
    # 1, 0, 0 is the normalised softmax, M1 4 SphereFace, M2 0.5 ArcFace, M3 -0.35 CosFace.
    cfg.MODEL.HEADS.COMBINED_MARGIN = CfgNode()
    cfg.MODEL.HEADS.COMBINED_MARGIN.M1 = 1.0
    cfg.MODEL.HEADS.COMBINED_MARGIN.M2 = 0.0
    cfg.MODEL.HEADS.COMBINED_MARGIN.M3 = 0.0

    # DSAMLoss (Kong et al. 2021): m_neg of Eq. 12, gamma of Eq. 13, and the weight lambda of Eq. 14.
    cfg.MODEL.LOSSES.DSAM = CfgNode()
    cfg.MODEL.LOSSES.DSAM.MARGIN = 0.9
    cfg.MODEL.LOSSES.DSAM.GAMMA = 0.8
    cfg.MODEL.LOSSES.DSAM.SCALE = 0.1

    # Synthetic images among real ones: "real" leaves them out, "full" takes all, "balanced" takes whole synthetic identities,
    # drawn at random, until there are as many synthetic images as real ones.
    cfg.DATASETS.MIX = "full"
    # Seed of the identities that "balanced" draws, apart from SEED: runs with other seeds train on the same images.
    cfg.DATASETS.MIX_SEED = 0
    # Sets of DATASETS.NAMES that are synthetic although their reader does not know it, e.g. a CSV file of rendered images.
    cfg.DATASETS.SYNTHETIC = ()
    # Synthetic sets of DATASETS.NAMES that are read as translated copies (`vreid translate apply`), and the data root in which
    # these lie, as a folder or under FASTREID_DATASETS.
    cfg.DATASETS.TRANSLATED = CfgNode()
    cfg.DATASETS.TRANSLATED.NAMES = ()
    cfg.DATASETS.TRANSLATED.ROOT = "translated"
    # Validation split: identities of each set in DATASETS.TESTS are held out of its training images and evaluated in place of
    # its test images. The set has to be in DATASETS.NAMES too.
    cfg.DATASETS.VALIDATION = CfgNode()
    # How many identities of each set (DEx: 100, Cybercore: 80); 0 holds none out.
    cfg.DATASETS.VALIDATION.NUM_IDS = 0
    # Seed of which identities, and which of their images are queries.
    cfg.DATASETS.VALIDATION.SEED = 0
    # Share of synthetic identities in every batch of DomainIdentitySampler.
    cfg.DATALOADER.SYNTHETIC_SHARE = 0.5

    # CSV data set ("CSVVehicles"): a file with path, vehicle_id, camera_id, split (train / query / gallery)
    # and optionally track_id and view; paths are relative to the file.
    cfg.DATASETS.CSV = CfgNode()
    cfg.DATASETS.CSV.FILE = ""

    # The rendered data sets ("StreetVehicles", "StudioVehicles"), written under FASTREID_DATASETS on first use.
    cfg.DATASETS.RENDER = CfgNode()
    # Name of a size in vreid_common.synthetic.SIZES: tiny (tests), demo (the projects' studies), ...
    cfg.DATASETS.RENDER.SIZE = "demo"
    # Seed of the rendered scenes; one seed gives bit-identical images.
    cfg.DATASETS.RENDER.SEED = 0

    # Which gallery images count for a query: a name in PROTOCOL_REGISTRY.
    cfg.TEST.PROTOCOL = "SameCameraExcluded"
    # CMC is computed to this rank.
    cfg.TEST.MAX_RANK = 50
    # mAP of the first so many ranks only, named mAP@<TOP_K> (AI City: 100); 0 takes the whole ranking.
    cfg.TEST.TOP_K = 0
    # What the average precision of TOP_K ranks is divided by: "all" matches, "min" of the matches and TOP_K, or the "hits".
    cfg.TEST.NORMALIZER = "all"
    # Draws of a protocol that draws query or gallery at random (OneGalleryImage, OneQueryImage); metrics are their means.
    cfg.TEST.NUM_DRAWS = 10
    # Seed of those draws, apart from SEED: runs with other seeds are evaluated on the same draws.
    cfg.TEST.DRAW_SEED = 0
    # Also report mAP over gallery images seen from the query's own view / from another view (needs view labels).
    cfg.TEST.VIEWS = True
    # Also write OUTPUT_DIR/report_<test set>.html after an evaluation (docs/report.md).
    cfg.TEST.REPORT = False
    # Worker processes of the test loader; 0 decodes in the main process.
    cfg.TEST.NUM_WORKERS = 2

    _add_rerank_config(cfg)
    return cfg


def _add_rerank_config(cfg: CfgNode) -> None:
    """A node for each step of ``vreid_common.reranking.steps``, with the step's parameters and their defaults."""
    cfg.RERANK = CfgNode()
    # Steps of re-ranking, applied in this order: names in RERANK_REGISTRY. [] is none, unless FastReID's TEST.AQE.ENABLED (as
    # alpha_query_expansion with K = QE_K, ROUNDS = QE_TIME) or TEST.RERANK.ENABLED (as k_reciprocal) is set.
    cfg.RERANK.PIPELINE = []
    # Further re-rankings that an evaluation shows beside that one, each a list of its name and its steps: [[both, k_reciprocal,
    # fuse_distances]] gives the metrics both/mAP, both/Rank-1, ...
    cfg.RERANK.COMPARE = []
    # Features of the same test images that other models' evaluations saved, for steps that take them: name and path, to which
    # "_query" and "_gallery" are added: [[camera, logs/camera/features/main]].
    cfg.RERANK.FURTHER = []

    # Average query expansion (Chum et al. 2007): the mean of a query and its K nearest gallery images.
    cfg.RERANK.AVERAGE_QUERY_EXPANSION = CfgNode()
    cfg.RERANK.AVERAGE_QUERY_EXPANSION.K = 20

    # Weighted query expansion (Radenovic et al. 2018): gallery images weigh cos(q, g)^alpha.
    cfg.RERANK.ALPHA_QUERY_EXPANSION = CfgNode()
    # Nearest gallery images, the query itself not among them.
    cfg.RERANK.ALPHA_QUERY_EXPANSION.K = 20
    # alpha; 0 weighs all alike.
    cfg.RERANK.ALPHA_QUERY_EXPANSION.ALPHA = 2.0
    # How often the expanded queries are expanded again.
    cfg.RERANK.ALPHA_QUERY_EXPANSION.ROUNDS = 1

    # Database-side augmentation (DBA): each gallery image from its K nearest, itself included, with weights cos^alpha.
    cfg.RERANK.DATABASE_AUGMENTATION = CfgNode()
    cfg.RERANK.DATABASE_AUGMENTATION.K = 10
    cfg.RERANK.DATABASE_AUGMENTATION.ALPHA = 0.0

    # Dual embedding expansion (DEx, Eq. 5-6): query expansion over images in the order of their tracks; needs gallery tracks.
    cfg.RERANK.DUAL_EMBEDDING_EXPANSION = CfgNode()
    cfg.RERANK.DUAL_EMBEDDING_EXPANSION.K = 20
    cfg.RERANK.DUAL_EMBEDDING_EXPANSION.ALPHA = 2.0

    # k-reciprocal encoding (Zhong et al. 2017); DEx takes 60 / 30 / 0.5.
    cfg.RERANK.K_RECIPROCAL = CfgNode()
    # k1: neighbours that make the reciprocal sets.
    cfg.RERANK.K_RECIPROCAL.K1 = 20
    # k2: neighbours whose sets are averaged; 1 averages none.
    cfg.RERANK.K_RECIPROCAL.K2 = 6
    # lambda: share of the original distance.
    cfg.RERANK.K_RECIPROCAL.LAMBDA_VALUE = 0.3

    # Diffusion on the neighbour graph of the gallery (Iscen et al. 2017; DEx Eq. 9-10).
    cfg.RERANK.DIFFUSION = CfgNode()
    # k: mutual neighbours that make the graph.
    cfg.RERANK.DIFFUSION.K = 50
    # k_q: gallery images from which a query's diffusion starts.
    cfg.RERANK.DIFFUSION.KQ = 25
    # alpha: share of what comes from neighbours.
    cfg.RERANK.DIFFUSION.ALPHA = 0.95
    # gamma: exponent of the similarities.
    cfg.RERANK.DIFFUSION.GAMMA = 3.0
    # Upper limit of the iterations.
    cfg.RERANK.DIFFUSION.ITERATIONS = 25
    # "iteration" (Eq. 10) or "conjugate_gradient".
    cfg.RERANK.DIFFUSION.SOLVER = "iteration"

    # Propagation of features over the neighbour graph (Zhang et al. 2020).
    cfg.RERANK.GRAPH_PROPAGATION = CfgNode()
    # k1: neighbours that make an image's first feature.
    cfg.RERANK.GRAPH_PROPAGATION.K1 = 26
    # k2: neighbours that features come from.
    cfg.RERANK.GRAPH_PROPAGATION.K2 = 7
    # alpha: exponent of the cosines that neighbours weigh.
    cfg.RERANK.GRAPH_PROPAGATION.ALPHA = 2.0
    # How often features are propagated.
    cfg.RERANK.GRAPH_PROPAGATION.ROUNDS = 2

    # Gallery features mixed with the mean of their track; needs gallery tracks.
    cfg.RERANK.AVERAGE_TRACKLETS = CfgNode()
    # Share of the track's mean; with 1 all images of a track get one feature.
    cfg.RERANK.AVERAGE_TRACKLETS.WEIGHT = 1.0

    # Distance to the image's track: the "mean" or "min" over the track's images; needs gallery tracks.
    cfg.RERANK.TRACKLET_DISTANCE = CfgNode()
    cfg.RERANK.TRACKLET_DISTANCE.REDUCE = "mean"

    # D - lambda_o D_orientation - lambda_c D_camera, with the model's further features of these names.
    cfg.RERANK.FUSE_DISTANCES = CfgNode()
    # lambda_o.
    cfg.RERANK.FUSE_DISTANCES.LAMBDA_ORIENTATION = 0.1
    # lambda_c.
    cfg.RERANK.FUSE_DISTANCES.LAMBDA_CAMERA = 0.1


def get_vreid_cfg() -> CfgNode:
    """FastReID's default configuration with vreid_common's keys added."""
    return add_vreid_config(get_cfg())
