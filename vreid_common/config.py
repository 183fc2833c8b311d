"""Configuration keys shared by every project, on top of FastReID's own defaults."""

from fastreid.config import CfgNode, get_cfg

__all__ = ["CfgNode", "add_vreid_config", "get_vreid_cfg"]


def add_vreid_config(cfg: CfgNode) -> CfgNode:
    """Adds the keys that vreid_common reads to FastReID's ``cfg``, in place, and returns it."""
    # One seed fixes weights, data order and augmentation. -1 draws one and writes it into the log and config.yaml.
    cfg.SEED = 0
    # True asks torch for repeatable kernels (bit-equal runs on one device); False lets cuDNN pick the fastest ones.
    cfg.DETERMINISTIC = True

    # Type that AMP computes in: "bfloat16" (CPU and CUDA, needs no loss scaling) or "float16" (CUDA only).
    cfg.SOLVER.AMP.DTYPE = "bfloat16"
    # Channels-last convolutions: "auto" is on for CUDA, off for CPU; or "on" / "off".
    cfg.MODEL.CHANNELS_LAST = "auto"

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
    # Also report mAP over gallery images seen from the query's own view / from another view (needs view labels).
    cfg.TEST.VIEWS = True
    # Worker processes of the test loader; 0 decodes in the main process.
    cfg.TEST.NUM_WORKERS = 2
    return cfg


def get_vreid_cfg() -> CfgNode:
    """FastReID's default configuration with vreid_common's keys added."""
    return add_vreid_config(get_cfg())
