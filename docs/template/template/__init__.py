"""Template as a FastReID project: what the paper adds. Importing it registers the loss."""

from template.config import add_template_config
from template.evaluator import TemplateEvaluator
from template.losses import RingLoss
from template.trainer import TemplateTrainer

__all__ = ["RingLoss", "TemplateEvaluator", "TemplateTrainer", "add_template_config"]
