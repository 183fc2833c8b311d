"""Weights in files: read without running code, by today's names, and given to a backbone.

Below every layer, ``compat`` included, so that FastReID's own checkpointer and builders can be given the same.
"""

from vreid_common.weights.file import load_checkpoint_file
from vreid_common.weights.old_names import current_names
from vreid_common.weights.pretrained import load_pretrained, without_file

__all__ = ["current_names", "load_checkpoint_file", "load_pretrained", "without_file"]
