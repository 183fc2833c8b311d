import math

import pytest
import torch

from vreid_common.modeling.generative import GAN_LOSSES, fake_loss, real_loss


def sigmoid(score):
    return 1 / (1 + math.exp(-score))


PLAIN = {
    ("least_squares", real_loss): lambda s: (s - 1) ** 2,
    ("least_squares", fake_loss): lambda s: s**2,
    ("log", real_loss): lambda s: -math.log(sigmoid(s)),
    ("log", fake_loss): lambda s: -math.log(1 - sigmoid(s)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("form", "loss"), PLAIN, ids=lambda part: getattr(part, "__name__", part))
def test_equals_a_loop_over_patches(form, loss, dtype):
    scores = torch.randn(3, 1, 4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    scores[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    before = scores.clone()
    expected = [sum(map(PLAIN[form, loss], image.flatten().tolist())) / 20 for image in scores]
    assert loss(scores, form).tolist() == pytest.approx(expected, rel=1e-2 if dtype == torch.bfloat16 else 1e-5)
    assert torch.equal(scores, before)


@pytest.mark.parametrize("loss", [real_loss, fake_loss])
def test_the_log_loss_is_finite_with_a_finite_gradient_where_the_discriminator_is_sure(loss):
    scores = torch.tensor([-1e4, 1e4, 0.0]).view(3, 1, 1, 1).requires_grad_()
    found = loss(scores, "log")
    found.sum().backward()
    assert found.isfinite().all()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("loss", [real_loss, fake_loss])
def test_exception_no_such_form(loss):
    with pytest.raises(ValueError, match=f"'hinge': use one of {', '.join(GAN_LOSSES)}"):
        loss(torch.zeros(1, 1, 1, 1), "hinge")
