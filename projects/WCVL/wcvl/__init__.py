"""Weakly-supervised cross-view learning (Yang et al.) as a FastReID project."""
