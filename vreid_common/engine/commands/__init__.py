"""Commands that stand above evaluation and models, one a file."""
