"""Which parts a phase moves and which get gradients, in every kind of training; mixed precision; no NaN in many iterations."""

import math

import pytest
import torch
from ealn import step as step_module

EMBEDDING = ["EALN.FEATURES", ["embedding"]]
KINDS = {
    "EN": ["EALN.HARD.ENABLED", False, "EALN.VIEW.ENABLED", False, *EMBEDDING],
    "Hard-EALN": ["EALN.VIEW.ENABLED", False, *EMBEDDING],
    "View-EALN": ["EALN.HARD.ENABLED", False],
    "Hard-View-EALN": [],
    "EN-CycleGAN": ["EALN.HARD.ENABLED", False, "EALN.LAMBDA_ED", 0.0],
}


def parameters(model):
    return {f"{part} {name}": p for part, module in model.parts.items() for name, p in module.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_phase_moves_its_own_parts_and_gives_no_other_a_gradient(make_step, make_viewed_batch, events, monkeypatch, kind):
    step = make_step(*KINDS[kind])
    own_of = {"generator": ("generator",), "discriminator": ("discriminator",)}
    seen = []

    def watched(prefixes, compute):
        before = {name: p.detach().clone() for name, p in parameters(step.model).items()}
        for p in parameters(step.model).values():
            p.grad = None
        losses = phase(prefixes, compute)
        own = own_of.get(prefixes, prefixes)
        for name, p in parameters(step.model).items():
            assert (p.grad is not None) == name.startswith(own), (prefixes, name)
            assert torch.equal(p, before[name]) or name.startswith(own), (prefixes, name)
        moved = [not torch.equal(p, before[name]) for name, p in parameters(step.model).items() if name.startswith(own)]
        assert sum(moved) > 0.7 * len(moved), prefixes  # biases before an instance normalisation have no effect
        seen.append((prefixes, set(losses)))
        return losses

    phase = step._phase
    monkeypatch.setattr(step, "_phase", watched)
    step.run(make_viewed_batch(), 0.0)
    assert all(p.requires_grad for p in parameters(step.model).values())
    names = [prefixes for prefixes, _ in seen]
    embedding = ("embedding", "view_classifier")
    assert names == ([embedding] if kind == "EN" else ["generator", "discriminator", embedding])
    real = {"loss_cls", "loss_triplet"} | ({"loss_view_classifier"} if "View" in kind or "Cycle" in kind else set())
    adversarial = {"Hard-EALN": {"loss_hard"}, "View-EALN": {"loss_view"}, "Hard-View-EALN": {"loss_hard", "loss_view"}}
    assert seen[-1][1] == real | adversarial.get(kind, set())


def test_the_optimizers_are_the_configs(make_step):
    step = make_step("SOLVER.MOMENTUM", 0.8, "SOLVER.WEIGHT_DECAY", 0.0002, "EALN.SOLVER.BETA1", 0.4)
    by_part = step.optimizer.by_part
    assert set(by_part) == set(step.model.parts)
    assert isinstance(by_part["embedding"], torch.optim.SGD)
    for name, optimizer in by_part.items():
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        assert held == {id(p) for p in step.model.parts[name].parameters()}
        if name != "embedding":
            assert isinstance(optimizer, torch.optim.Adam)
            (group,) = optimizer.param_groups
            assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.4, 0.999), 0)
    settings = {(group["lr"], group["momentum"]) for group in by_part["embedding"].param_groups}
    assert settings == {(0.01, 0.8)}
    assert len(step.optimizer.param_groups) >= len(by_part)


def test_mixed_precision_trains_about_as_full_precision(make_step, make_viewed_batch, events):
    totals = {}
    for enabled in (False, True):
        torch.manual_seed(3)
        step = make_step("SOLVER.AMP.ENABLED", enabled)
        seen = []
        finish = step.finish
        step.finish = lambda losses, *rest, seen=seen, finish=finish: (seen.append(losses), finish(losses, *rest))
        for _ in range(3):
            step.run(make_viewed_batch(), 0.0)
        assert all(p.dtype == torch.float32 for p in step.model.parameters())
        assert all(value.dtype == torch.float32 for losses in seen for value in losses.values())
        totals[enabled] = {name: value.item() for name, value in seen[-1].items()}
    for name, value in totals[False].items():
        assert totals[True][name] == pytest.approx(value, rel=0.2, abs=0.1), name


SMALLEST = ["EALN.GENERATOR.HALVINGS", 0, "EALN.GENERATOR.BLOCKS", 0, "EALN.DISCRIMINATOR.LAYERS", 1]
ROUGH = ["EALN.BUFFER_SIZE", 4, "SOLVER.BASE_LR", 0.05]


@pytest.mark.parametrize(("kind", "form"), [("Hard-EALN", "log"), ("View-EALN", "least_squares")])
def test_no_loss_is_nan_in_a_thousand_small_batches(make_step, make_viewed_batch, events, kind, form):
    """500 iterations of each; batches of four, of which some lack a view or have the same image twice."""
    step = make_step("EALN.GAN_LOSS", form, *KINDS[kind], *SMALLEST, *ROUGH)
    batches = [
        make_viewed_batch((0, 0, 1, 1), ("front", "rear", "side", "front")),
        make_viewed_batch((2, 2, 3, 3), ("rear", "rear", "rear", None)),
        make_viewed_batch((0, 4, 0, 4), ("side", None, "side", "side")),
    ]
    batches[1]["images"] = batches[1]["images"][[0, 0, 0, 1]]  # distances of 0
    batches[2]["images"] = torch.zeros_like(batches[2]["images"])  # images without any contrast
    generator = torch.Generator().manual_seed(5)
    with torch.backends.mkldnn.flags(enabled=False):  # whose set-up takes longer than such convolutions
        for iteration in range(500):
            batch = batches[iteration % 3]
            if iteration % 3 == 0:
                batch["images"] = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=generator)
            step.run(batch, 0.0)  # raises FloatingPointError where a loss is no number
    step.report()
    assert math.isfinite(events.latest()["total_loss"][0])
    assert all(p.isfinite().all() for p in step.model.parameters())


def test_a_loss_that_is_nan_ends_the_training(make_step, make_viewed_batch, events):
    step = make_step()
    with torch.no_grad():
        step.model.generators["hard"].layers[0].weight.fill_(float("nan"))
    step.run(make_viewed_batch(), 0.0)
    with pytest.raises(FloatingPointError, match="g_hard_gan became nan"):
        step.report()


def test_en_is_trained_as_the_model_itself_says(make_step, make_viewed_batch, events):
    """EN needs no alternation: its step is that of the model's own losses."""
    torch.manual_seed(7)
    step = make_step(*KINDS["EN"])
    torch.manual_seed(7)
    plain = make_step(*KINDS["EN"])
    batch = make_viewed_batch()
    torch.manual_seed(1)
    step.run(batch, 0.0)
    torch.manual_seed(1)
    step_module.TrainStep.update(plain, plain.model(batch), [plain.optimizer.by_part["embedding"]])
    for (name, one), other in zip(step.model.state_dict().items(), plain.model.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
