"""Full precision leaves every setting of PyTorch's two interfaces as it found it, and raises with none of them."""

from collections.abc import Callable

import pytest
import torch

from vreid_common.structures.precision import full_precision

MATMUL = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]


def read() -> dict[str, str]:
    try:
        old = torch.get_float32_matmul_precision()
    except RuntimeError as error:
        old = type(error).__name__
    return {"old": old, "all": torch.backends.fp32_precision, "cuda": MATMUL[0].fp32_precision, "cpu": MATMUL[1].fp32_precision}


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.fp32_precision = "none"
    for backend in MATMUL:
        backend.fp32_precision = "none"


def set_all() -> None:
    torch.backends.fp32_precision = "tf32"


def set_cuda() -> None:
    MATMUL[0].fp32_precision = "tf32"


def set_cpu() -> None:
    MATMUL[1].fp32_precision = "bf16"


def set_old() -> None:
    torch.set_float32_matmul_precision("medium")


@pytest.mark.parametrize("choose", [lambda: None, set_all, set_cuda, set_cpu, set_old])
def test_products_are_full_and_the_choice_comes_back(choose: Callable[[], None]):
    a, b = torch.randn(64, 512), torch.randn(512, 64)
    expected = (a.double() @ b.double()).float()
    choose()
    before = read()
    with full_precision(torch.device("cpu")):
        with full_precision(torch.device("cpu")):
            assert all(backend.fp32_precision == "ieee" for backend in MATMUL)
        torch.testing.assert_close(a @ b, expected, rtol=1e-5, atol=1e-4)
        assert all(backend.fp32_precision == "ieee" for backend in MATMUL)
    assert read() == before


@pytest.mark.parametrize("first", ["none", "tf32"])
def test_what_follows_the_general_setting_follows_it_afterwards(first: str):
    torch.backends.fp32_precision = first
    with full_precision(torch.device("cpu")):
        pass
    torch.backends.fp32_precision = "ieee" if first == "tf32" else "tf32"
    assert [backend.fp32_precision for backend in MATMUL] == [torch.backends.fp32_precision] * 2
