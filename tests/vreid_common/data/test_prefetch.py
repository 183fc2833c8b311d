import pytest
import torch

from vreid_common.data import DevicePrefetcher

BATCHES = [{"images": torch.full((2, 3, 4, 4), value, dtype=torch.uint8), "img_paths": [f"{value}.jpg"]} for value in range(5)]


def test_cpu_passes_batches_through():
    for batch, original in zip(DevicePrefetcher(BATCHES, "cpu"), BATCHES, strict=True):
        assert batch["images"] is original["images"]
        assert batch["img_paths"] == original["img_paths"]


@pytest.mark.parametrize("batches", [[], BATCHES[:1]])
def test_few_batches(batches):
    assert len(list(DevicePrefetcher(batches, "cpu"))) == len(batches)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
class TestCuda:
    def test_batches_arrive_whole_and_in_order(self):
        large = ({"images": torch.full((64, 3, 256, 256), n, dtype=torch.uint8).pin_memory()} for n in range(50))
        means = []
        for batch in DevicePrefetcher(large, "cuda"):
            assert batch["images"].is_cuda
            # Long work on the batch, while the copies of the next ones look for memory.
            product = torch.ones(2048, 2048, device="cuda")
            for _ in range(5):
                product = product @ product / 2048
            means.append(batch["images"].float().mean() * product[0, 0])
            del batch
        assert torch.stack(means).tolist() == list(range(50))

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_few_batches(self, count):
        assert [batch["img_paths"] for batch in DevicePrefetcher(BATCHES[:count], "cuda")] == [
            batch["img_paths"] for batch in BATCHES[:count]
        ]
