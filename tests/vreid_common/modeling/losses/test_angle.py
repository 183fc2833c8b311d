import math

import pytest
import torch

from vreid_common.modeling import paired_angle, pairwise_cosine, unit_rows


def between(x, y):
    """The angle by the arc cosine, in float64."""
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    lengths = math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y))
    return math.acos(max(-1.0, min(1.0, dot / lengths)))


class TestUnitRows:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_feature_each_row_by_its_norm(self, dtype):
        x = torch.randn(5, 7).to(dtype)
        found = unit_rows(x)
        assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        expected = [[v / math.sqrt(sum(w * w for w in row)) for v in row] for row in x.double().tolist()]
        torch.testing.assert_close(found.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=1e-6)

    @pytest.mark.parametrize("size", [1e-11, 1e-5, 1e5, 1e30, 3e38])
    def test_feature_any_size_has_the_same_direction(self, size):
        x = torch.rand(3, 4)
        torch.testing.assert_close(unit_rows(x * size), unit_rows(x))

    def test_feature_zero_rows_stay_zero_with_finite_gradients(self):
        x = torch.zeros(2, 3, requires_grad=True)
        found = unit_rows(x)
        found.sum().backward()
        assert torch.equal(found, torch.zeros(2, 3))
        assert torch.isfinite(x.grad).all()

    def test_feature_input_is_unchanged_and_may_be_non_contiguous(self):
        x = torch.randn(4, 6).T
        before = x.clone()
        torch.testing.assert_close(unit_rows(x), unit_rows(x.contiguous()))
        assert torch.equal(x, before)

    def test_gradcheck(self):
        x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(unit_rows, (x,))


class TestPairedAngle:
    def test_feature_matches_the_arc_cosine(self):
        x, y = (unit_rows(torch.randn(50, 6, dtype=torch.float64)) for _ in range(2))
        expected = [between(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)]
        torch.testing.assert_close(paired_angle(x, y), torch.tensor(expected, dtype=torch.float64))

    @pytest.mark.parametrize("angle", [1e-7, 1e-5, 1e-3, math.pi - 1e-6])
    def test_feature_is_exact_near_0_and_pi_in_float32(self, angle):
        x = torch.tensor([[1.0, 0.0]])
        y = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64).float()
        found = paired_angle(x, y).item()
        assert found == pytest.approx(angle, rel=1e-5)
        if angle < 1e-4:  # the arc cosine in float32 sees nothing
            assert torch.acos((x * y).sum()).item() == 0

    @pytest.mark.parametrize("sign", [1, -1])
    def test_feature_gradient_is_0_at_0_and_pi(self, sign):
        x = unit_rows(torch.randn(3, 4)).requires_grad_()
        paired_angle(x, sign * x.detach()).sum().backward()
        assert torch.equal(x.grad, torch.zeros(3, 4))

    def test_feature_gradient_is_of_length_1(self):
        x = torch.randn(20, 5, dtype=torch.float64, requires_grad=True)
        y = unit_rows(torch.randn(20, 5, dtype=torch.float64))
        paired_angle(unit_rows(x), y).sum().backward()
        torch.testing.assert_close(x.grad.norm(dim=1), 1 / x.detach().norm(dim=1))

    def test_feature_two_zero_vectors_have_finite_gradients(self):
        x, y = (torch.zeros(1, 3, requires_grad=True) for _ in range(2))
        paired_angle(unit_rows(x), unit_rows(y)).sum().backward()
        assert torch.isfinite(x.grad).all()
        assert torch.isfinite(y.grad).all()

    def test_gradcheck(self):
        x, y = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
        assert torch.autograd.gradcheck(lambda x, y: paired_angle(unit_rows(x), unit_rows(y)), (x, y))


class TestPairwiseCosine:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_feature_matches_a_plain_loop(self, dtype):
        x = torch.randn(6, 5).to(dtype)
        rows = x.double().tolist()
        expected = [[math.cos(between(a, b)) for b in rows] for a in rows]
        torch.testing.assert_close(pairwise_cosine(x).double(), torch.tensor(expected).double(), atol=1e-6, rtol=1e-6)

    @pytest.mark.parametrize("size", [1e-11, 1e30])
    def test_feature_any_size_and_zero_rows(self, size):
        x = torch.randn(4, 3)
        x[1] = 0
        scaled = (x * torch.tensor([[size], [1.0], [1.0], [1.0]])).requires_grad_()
        found = pairwise_cosine(scaled)
        found.sum().backward()
        torch.testing.assert_close(found, pairwise_cosine(x))
        assert torch.equal(found[1], torch.zeros(4))
        assert torch.isfinite(scaled.grad).all()

    def test_feature_autocast_changes_nothing(self):
        x = torch.randn(4, 6)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = pairwise_cosine(x)
        assert torch.equal(found, pairwise_cosine(x))

    def test_gradcheck(self):
        x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(pairwise_cosine, (x,))
        assert torch.autograd.gradgradcheck(pairwise_cosine, (x,))
