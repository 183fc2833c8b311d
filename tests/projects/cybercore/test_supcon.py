import numpy as np
import pytest
import torch
from cybercore.supcon import SupConLoss, supervised_contrastive
from pytorch_metric_learning.losses import SupConLoss as PeerLoss
from torch.nn.parallel import DistributedDataParallel

from vreid_common.errors import InputError

BATCHES = {
    "P x K": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    "ragged": [4, 7, 4, 4, 1, 1, 9],
    "one image an identity": [0, 1, 2, 3],
    "one identity": [5, 5, 5],
    "a pair": [2, 2],
    "one image": [0],
}


def plain(features, targets, temperature):
    """Eq. 6 as a loop over anchors, positives and others; the mean over anchors that have a positive."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True).clip(1e-12)
    losses = []
    for i in range(len(targets)):
        others = [a for a in range(len(targets)) if a != i]
        positives = [p for p in others if targets[p] == targets[i]]
        if not positives:
            continue
        total = sum(np.exp(unit[i] @ unit[a] / temperature) for a in others)
        losses.append(-np.mean([np.log(np.exp(unit[i] @ unit[p] / temperature) / total) for p in positives]))
    return np.mean(losses) if losses else 0.0


def draw(targets, kind="random"):
    features = torch.randn(len(targets), 6, generator=torch.Generator().manual_seed(0))
    if kind == "duplicates":
        features = features[:1].repeat(len(targets), 1)
    elif kind == "zero":
        features[0] = 0
    elif kind == "huge":
        features *= 1e6
    return features


@pytest.mark.parametrize("kind", ["random", "duplicates", "zero", "huge"])
@pytest.mark.parametrize("targets", BATCHES.values(), ids=list(BATCHES))
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_feature_equals_the_loop(targets, kind, temperature):
    features = draw(targets, kind).requires_grad_()
    loss = supervised_contrastive(features, torch.tensor(targets), temperature)
    assert loss.item() == pytest.approx(plain(features.detach().double().numpy(), targets, temperature), abs=1e-5)
    loss.backward()
    assert features.grad.isfinite().all()
    if len(set(targets)) == len(targets):
        assert not features.grad.any()


@pytest.mark.parametrize("targets", [BATCHES["ragged"], BATCHES["P x K"], BATCHES["a pair"]])
def test_gradcheck(targets):
    features = draw(targets).double().requires_grad_()
    torch.autograd.gradcheck(lambda x: supervised_contrastive(x, torch.tensor(targets), 0.2), features)


@pytest.mark.parametrize("targets", [BATCHES["ragged"], BATCHES["P x K"]])
def test_feature_equals_pytorch_metric_learning(targets):
    features = draw(targets)
    expected = PeerLoss(temperature=0.07)(features, torch.tensor(targets))
    torch.testing.assert_close(supervised_contrastive(features, torch.tensor(targets)), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_feature_half_precision_is_computed_in_float32(dtype):
    targets = torch.tensor(BATCHES["P x K"])
    features = draw(BATCHES["P x K"]).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = supervised_contrastive(features, targets)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(found.float(), supervised_contrastive(features.float(), targets), atol=1e-6, rtol=1e-6)


def test_feature_non_contiguous_and_unchanged():
    targets = torch.tensor(BATCHES["ragged"])
    features = draw(BATCHES["ragged"])
    before = features.clone()
    found = supervised_contrastive(features.T.contiguous().T, targets)
    torch.testing.assert_close(found, supervised_contrastive(features, targets))
    assert torch.equal(features, before)


@pytest.mark.parametrize(
    ("features", "targets", "temperature"), [((3, 2, 1), 3, 0.1), ((3, 2), 4, 0.1), ((3, 2), 3, 0.0), ((3, 2), 3, -1.0)]
)
def test_exception_shapes_and_temperature(features, targets, temperature):
    with pytest.raises(ValueError, match=r"Features are|temperature is above 0"):
        supervised_contrastive(torch.ones(features), torch.zeros(targets), temperature)


def test_feature_scale_and_temperature_are_the_config_s(make_cfg):
    loss = SupConLoss(make_cfg("CYBERCORE.SUPCON.SCALE", 3.0, "CYBERCORE.SUPCON.TEMPERATURE", 0.2))
    targets, features = torch.tensor(BATCHES["P x K"]), draw(BATCHES["P x K"])
    torch.testing.assert_close(loss({"features": features}, targets), 3 * supervised_contrastive(features, targets, 0.2))
    with pytest.raises(InputError, match=r"CYBERCORE\.SUPCON\.TEMPERATURE is 0\.0"):
        SupConLoss(make_cfg("CYBERCORE.SUPCON.TEMPERATURE", 0.0))


def trained(rank: int, size: int, cfg) -> dict[str, torch.Tensor]:
    """Weights after one step of SGD on this process's share of a batch, and the loss."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(6, 4)
    images, targets = torch.randn(8, 6), torch.tensor([0, 0, 0, 1, 2, 2, 1, 3])  # an identity in both halves, and one alone
    model = DistributedDataParallel(layer) if size > 1 else layer
    mine = slice(rank * 8 // size, (rank + 1) * 8 // size)
    loss = SupConLoss(cfg)({"features": model(images[mine])}, targets[mine])
    loss.backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()
    return {**layer.state_dict(), "loss": loss.detach()}


def test_two_processes_equal_one(make_cfg, in_two_processes):
    """Weights after a step under DistributedDataParallel are those of one process with the whole batch."""
    both = in_two_processes(trained, make_cfg())
    alone = trained(0, 1, make_cfg())
    for shared in both:
        for name, value in alone.items():
            torch.testing.assert_close(shared[name], value, atol=1e-6, rtol=1e-5)
