"""Re-ranking. See docs/reranking.md."""
