"""``vreid evaluate`` and ``vreid rerank``: evaluation and re-ranking of feature files. See docs/reranking.md."""
