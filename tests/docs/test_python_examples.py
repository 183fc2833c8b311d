"""The Python of every page is run by some test, beside what it is about; of the projects' READMEs it is run here."""

import re
from pathlib import Path

import torch
import torch.nn.functional as F

from vreid_common.structures import FeatureSet

ROOT = Path(__file__).parents[2]


def test_every_page_with_python_is_run():
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("projects/*/README.md")]
    written = {str(page.relative_to(ROOT)) for page in pages if "```python" in page.read_text(encoding="utf-8")}
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    assert written - set(re.findall(r"run_examples\(\"([^\"]+)\"", tests)) == set()


def test_browse(run_examples):
    gallery = FeatureSet.create(
        torch.randn(40, 8), torch.arange(40) % 5, torch.arange(40) % 3, timestamps=torch.arange(40) * 10
    )
    found = run_examples("docs/browse.md", gallery=gallery, query=gallery.select(slice(0, 4)))
    assert 0 < len(found["answer"].ranking.images) <= 10
    assert all(gallery.camids[image] > 0 and gallery.timestamps[image] >= 100 for image in found["answer"].ranking.images)


def test_dsam(run_examples):
    """In pairs of images, Eq. 7 is their distance; Eq. 13 of the two terms."""
    torch.manual_seed(0)
    features, targets = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    found = run_examples("projects/DSAM/README.md", features=features, targets=targets)
    torch.testing.assert_close(
        found["l_pos"], F.pairwise_distance(features[::2], features[1::2]).repeat_interleave(2), atol=1e-4, rtol=0
    )
    assert (found["l_neg"] > 0).any()
    torch.testing.assert_close(found["loss"], sum(found["l_pos"] + 0.8 * found["l_neg"]) / 6)
