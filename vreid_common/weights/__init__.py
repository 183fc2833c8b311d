"""Weights in files: read without running code, by today's names, and given to a backbone.

Below every layer, ``compat`` included, so that FastReID's own checkpointer and builders can be given the same.
"""

from vreid_common.weights.classifiers import classifier_parameters, move_rows, training_classes, training_on
from vreid_common.weights.file import load_checkpoint_file, read_checkpoint_header
from vreid_common.weights.old_names import current_names
from vreid_common.weights.pretrained import load_pretrained, without_file

__all__ = [
    "classifier_parameters",
    "current_names",
    "load_checkpoint_file",
    "load_pretrained",
    "move_rows",
    "read_checkpoint_header",
    "training_classes",
    "training_on",
    "without_file",
]
