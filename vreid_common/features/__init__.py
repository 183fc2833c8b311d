"""Extraction of features and their store on disk. See docs/features.md."""
