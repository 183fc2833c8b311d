"""``vreid translate``: training a translator of images, applying it, and measuring what it changed. See docs/translation.md."""
