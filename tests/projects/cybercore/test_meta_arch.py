import pytest
import torch
from cybercore import Cybercore
from cybercore.mixstyle import MixStyle


def test_feature_the_id_loss_is_weighted_and_the_others_are_not(make_cfg, make_batch, events):
    torch.manual_seed(0)
    model = Cybercore(make_cfg()).train()
    batch = make_batch()
    plain = model(batch)
    model.id_weight = 0.25
    weighted = model(batch)
    torch.testing.assert_close(weighted["loss_cls"], 0.25 * plain["loss_cls"])
    torch.testing.assert_close(weighted["loss_sup_con"], plain["loss_sup_con"])
    torch.testing.assert_close(model.weighted_losses, torch.stack(list(weighted.values())).detach())
    assert not model.weighted_losses.requires_grad


@pytest.mark.parametrize("name", [("CrossEntropyLoss",), ("SupConLoss",), ("CrossEntropyLoss", "TripletLoss")])
def test_feature_any_losses(make_cfg, make_batch, events, name):
    model = Cybercore(make_cfg("MODEL.LOSSES.NAME", name, "MODEL.LOSSES.TRI.HARD_MINING", True)).train()
    total = sum(model(make_batch()).values())
    total.backward()
    assert float(model.weighted_losses.sum()) == pytest.approx(float(total.detach()), rel=1e-5)
    assert bool(model.weighted_losses[0]) == ("CrossEntropyLoss" in name)


@pytest.mark.parametrize("domains", [None, (0, 0, 1, 1)])
def test_feature_mixstyle_learns_the_domains_of_the_batch(make_cfg, make_batch, events, domains):
    model = Cybercore(make_cfg("CYBERCORE.MIXSTYLE.ENABLED", True, "CYBERCORE.MIXSTYLE.PROB", 1.0)).train()
    layers = [module for module in model.backbone.modules() if isinstance(module, MixStyle)]
    assert len(layers) == 2
    batch = make_batch(domains=domains)
    sum(model(batch).values()).backward()
    for layer in layers:
        assert (layer.domains is None) == (domains is None)
        assert domains is None or layer.domains.tolist() == list(domains)
    model.eval()
    first, second = model(make_batch(domains=domains)), model(make_batch(domains=domains))
    assert torch.equal(first, second)


def test_feature_a_checkpoint_without_mixstyle_fits_one_with_it(make_cfg):
    plain, mixed = Cybercore(make_cfg()), Cybercore(make_cfg("CYBERCORE.MIXSTYLE.ENABLED", True))
    assert list(plain.state_dict()) == list(mixed.state_dict())


def test_smoke_bfloat16_autocast(make_cfg, make_batch, events):
    model = Cybercore(make_cfg("CYBERCORE.MIXSTYLE.ENABLED", True, "CYBERCORE.MIXSTYLE.PROB", 1.0)).train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(make_batch(domains=(0, 0, 1, 1)))
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
