import math

import pytest
import torch
from wcvl import CrossViewLoss, ReweightedTripletLoss

from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline

BATCHES = {
    "4 identities x 4": [i // 4 for i in range(16)],
    "unequal counts": [0, 0, 0, 1, 1, 2, 2, 2, 2],
    "an image alone": [0, 0, 1, 2, 2, 3],
    "shuffled": [2, 0, 1, 0, 2, 1, 1],
}


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def loop_cross_view(x_cv, x_g, targets, squared):
    """Eq. 3, image by image."""
    x_cv, x_g, targets = x_cv.double().tolist(), x_g.double().tolist(), targets.tolist()
    terms = []
    for i, label in enumerate(targets):
        positives = [j for j, other in enumerate(targets) if other == label and j != i]
        if positives:
            hardest = max(positives, key=lambda j: distance(x_g[i], x_g[j]))
            terms.append(distance(x_cv[i], x_g[hardest]) ** (2 if squared else 1))
    return sum(terms) / len(terms)


def loop_reweighted(x, targets, beta, alpha, form):
    """Eq. 4, image by image."""
    x, targets = x.double().tolist(), targets.tolist()
    terms = []
    for i, label in enumerate(targets):
        positive = [distance(x[i], x[j]) for j, other in enumerate(targets) if other == label and j != i]
        negative = [distance(x[i], x[j]) for j, other in enumerate(targets) if other != label]
        if positive and negative:
            d_p, d_n = max(positive), min(negative)
            first_line = (beta - 1) * d_p + max(d_p - d_n + alpha, 0)
            terms.append(first_line if form == "combined" else max(beta * d_p - d_n + alpha, 0))
    return sum(terms) / len(terms)


def reweighted(make_cfg, beta=2.0, form="combined", margin=0.3, scale=1.0):
    keys = ("WCVL.REWEIGHTED.BETA", beta, "WCVL.REWEIGHTED.FORM", form)
    return ReweightedTripletLoss(make_cfg(*keys, "MODEL.LOSSES.TRI.MARGIN", margin, "MODEL.LOSSES.TRI.SCALE", scale))


class TestCrossViewLoss:
    @pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
    @pytest.mark.parametrize("squared", [False, True])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_feature_matches_a_plain_loop(self, targets, squared, dtype):
        targets = torch.tensor(targets)
        x_cv, x_g = (torch.randn(len(targets), 12).to(dtype) for _ in range(2))
        loss = CrossViewLoss(squared)(x_cv, x_g, targets)
        assert loss.item() == pytest.approx(loop_cross_view(x_cv, x_g, targets, squared), rel=1e-5)

    def test_feature_non_contiguous_input(self):
        x_cv, x_g = torch.randn(8, 6).T, torch.randn(8, 6).T
        targets = torch.tensor([0, 0, 0, 1, 1, 1])
        assert torch.equal(CrossViewLoss()(x_cv, x_g, targets), CrossViewLoss()(x_cv.contiguous(), x_g.contiguous(), targets))

    def test_feature_the_target_gets_no_gradient(self):
        x_cv, x_g = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
        CrossViewLoss()(x_cv, x_g, torch.tensor([0, 0, 1, 1])).backward()
        assert x_g.grad is None
        assert (x_cv.grad != 0).any(dim=1).all()

    def test_feature_an_image_without_a_positive_gets_no_gradient(self):
        x_cv = torch.randn(3, 4, requires_grad=True)
        CrossViewLoss()(x_cv, torch.randn(3, 4), torch.tensor([0, 0, 1])).backward()
        assert torch.equal(x_cv.grad[2], torch.zeros(4))

    @pytest.mark.parametrize("targets", [[0, 1, 2], [0]])
    def test_feature_no_positive_at_all_is_zero_with_zero_gradients(self, targets):
        x_cv = torch.randn(len(targets), 4, requires_grad=True)
        loss = CrossViewLoss()(x_cv, torch.randn(len(targets), 4), torch.tensor(targets))
        loss.backward()
        assert loss.item() == 0
        assert torch.equal(x_cv.grad, torch.zeros_like(x_cv))

    def test_feature_reached_target_has_gradient_zero_not_nan(self):
        x_g = torch.randn(2, 4)
        x_cv = x_g.flip(0).clone().requires_grad_()  # each predicts its positive exactly
        loss = CrossViewLoss()(x_cv, x_g, torch.tensor([7, 7]))
        loss.backward()
        assert loss.item() == 0
        assert torch.equal(x_cv.grad, torch.zeros_like(x_cv))

    @pytest.mark.parametrize("squared", [False, True])
    def test_gradcheck(self, squared):
        x_cv = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
        x_g, targets = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 2])
        assert torch.autograd.gradcheck(lambda x: CrossViewLoss(squared)(x, x_g, targets), (x_cv,))


class TestReweightedTripletLoss:
    @pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
    @pytest.mark.parametrize("form", ["combined", "bound"])
    @pytest.mark.parametrize("beta", [1.0, 1.5, 6.0])
    def test_feature_matches_a_plain_loop(self, make_cfg, targets, form, beta):
        targets = torch.tensor(targets)
        features = torch.randn(len(targets), 12)
        loss = reweighted(make_cfg, beta, form, margin=0.5, scale=3.0)({"features": features}, targets)
        assert loss.item() == pytest.approx(3 * loop_reweighted(features, targets, beta, 0.5, form), rel=1e-5)

    @pytest.mark.parametrize("form", ["combined", "bound"])
    def test_feature_beta_1_is_fastreids_hard_triplet(self, make_cfg, form):
        from fastreid.modeling.losses import triplet_loss

        features, targets = torch.randn(16, 8), torch.arange(16) // 4
        plain = triplet_loss(features, targets, 0.3, norm_feat=False, hard_mining=True)
        torch.testing.assert_close(reweighted(make_cfg, 1.0, form)({"features": features}, targets), plain)

    @pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 6.0])
    def test_feature_the_first_line_bounds_the_second(self, make_cfg, beta):
        features, targets = torch.randn(64, 4), torch.arange(64) // 4
        combined, bound = (reweighted(make_cfg, beta, form)({"features": features}, targets) for form in ("combined", "bound"))
        assert combined >= bound - 1e-6

    def test_feature_duplicates_and_single_identity(self, make_cfg):
        features = torch.ones(4, 3, requires_grad=True)
        loss = reweighted(make_cfg)({"features": features}, torch.tensor([0, 0, 1, 1]))
        loss.backward()
        assert loss.item() == pytest.approx(0.3)
        assert torch.equal(features.grad, torch.zeros_like(features))
        assert reweighted(make_cfg)({"features": features}, torch.zeros(4)).item() == 0

    @pytest.mark.parametrize("form", ["combined", "bound"])
    def test_gradcheck(self, make_cfg, form):
        features = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
        loss, targets = reweighted(make_cfg, 2.0, form), torch.tensor([0, 0, 0, 1, 1, 2])
        assert torch.autograd.gradcheck(lambda x: loss({"features": x}, targets), (features,))

    def test_smoke_chosen_by_name(self, make_cfg, make_batch, events):
        model = VehicleBaseline(make_cfg("MODEL.LOSSES.NAME", ("CrossEntropyLoss", "ReweightedTripletLoss")))
        assert set(model(make_batch())) == {"loss_cls", "loss_reweighted_triplet"}

    def test_exception(self, make_cfg):
        with pytest.raises(InputError, match=r"FORM is 'both'"):
            reweighted(make_cfg, form="both")
        with pytest.raises(InputError, match=r"BETA is 0\.5"):
            reweighted(make_cfg, beta=0.5)
