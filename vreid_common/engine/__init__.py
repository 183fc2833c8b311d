"""Training and evaluation: ``main()`` is a project's whole ``train_net.py``, ``Trainer`` what it runs."""

from vreid_common import modeling, synthetic  # noqa: F401 - they register models and the rendered data sets with FastReID
from vreid_common.engine.checkpoint import Checkpointer
from vreid_common.engine.config_file import load_config
from vreid_common.engine.extraction import Extraction, load_extraction
from vreid_common.engine.launch import launch
from vreid_common.engine.main import main
from vreid_common.engine.trainer import Trainer

__all__ = ["Checkpointer", "Extraction", "Trainer", "launch", "load_config", "load_extraction", "main"]
