import numpy as np
import pytest
import torch
from ealn import EALNTrainer
from ealn.partners import draw_partners
from torch.nn.functional import normalize

from vreid_common.errors import InputError
from vreid_common.structures import VIEWS
from vreid_common.synthetic.translation.step import as_network_input

FRONT, REAR, SIDE, UNKNOWN = 0, 1, 2, -1


@torch.no_grad()
def embedded(model, images):
    model.eval()
    return normalize(model.heads(model.backbone(((images + 1) * 127.5 - model.pixel_mean) / model.pixel_std)), dim=1)


@torch.no_grad()
def test_feature_the_two_views_side_by_side(make_model, make_viewed_batch):
    model = make_model().eval()
    batch = make_viewed_batch()
    found = model(batch)
    assert list(found) == ["fused", "embedding", "by_view"]
    images = as_network_input(batch["images"])
    for i, view in enumerate(batch["view_ids"].tolist()):
        x = images[i : i + 1]
        own = embedded(model, x)[0]
        other = {
            FRONT: lambda x=x: embedded(model, model.generators["rear"](x))[0],
            REAR: lambda x=x: embedded(model, model.generators["front"](x))[0],
            SIDE: lambda own=own: own,
        }[view]()
        torch.testing.assert_close(found["embedding"][i], own)
        torch.testing.assert_close(found["fused"][i], torch.cat([own, other]))
        first, second = (other, own) if view == REAR else (own, other)
        torch.testing.assert_close(found["by_view"][i], torch.cat([first, second]))


@torch.no_grad()
def test_feature_views_that_have_no_label_are_classified(make_model, make_viewed_batch):
    model = make_model("EALN.FEATURES", ["fused"]).eval()
    batch = make_viewed_batch()
    maps = model.backbone((batch["images"] - model.pixel_mean) / model.pixel_std)
    seen = model.view_classifier.linear(maps.mean(dim=(2, 3))).argmax(dim=1)
    labelled = {**batch, "view_ids": seen}
    unknown = {**batch, "view_ids": torch.full_like(seen, UNKNOWN)}
    without = {key: value for key, value in batch.items() if key != "view_ids"}
    assert torch.equal(model(labelled), model(unknown))
    assert torch.equal(model(labelled), model(without))
    some = batch["view_ids"].clone()
    some[2] = UNKNOWN
    torch.testing.assert_close(
        model({**batch, "view_ids": some})[2], model({**batch, "view_ids": torch.where(some == UNKNOWN, seen, some)})[2]
    )


def test_the_view_classifier_learns_from_labelled_images_and_does_not_train_the_embedding(
    make_model, make_viewed_batch, events
):
    model = make_model("EALN.HARD.ENABLED", False)
    batch = make_viewed_batch()
    batch["view_ids"][0] = UNKNOWN
    first = model.real_losses(batch, draw_partners(batch["targets"]))["loss_view_classifier"]
    first.backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    assert model.view_classifier.linear.weight.grad.any()
    batch["targets"][0], batch["images"][0] = 4, 0
    with torch.no_grad():
        maps = model.backbone((batch["images"] - model.pixel_mean) / model.pixel_std)  # in training mode, as there
        logits = model.view_classifier.linear(maps.mean(dim=(2, 3)))[1:].double().numpy()
        again = model.real_losses(batch, draw_partners(batch["targets"]))["loss_view_classifier"]
    terms = [np.log(np.exp(row).sum()) - row[view] for row, view in zip(logits, batch["view_ids"][1:], strict=True)]
    assert again.item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_feature_softmax_and_triplet_against_plain_loops(make_model, make_viewed_batch, events):
    model, batch = make_model(), make_viewed_batch()
    partners = draw_partners(batch["targets"])
    with torch.no_grad():
        losses = model.real_losses(batch, partners)
        maps = model.backbone((batch["images"] - model.pixel_mean) / model.pixel_std)  # in training mode, as there
        features = maps.mean(dim=(2, 3)).double().numpy()
    logits = features @ model.heads.weight.detach().double().numpy().T
    ce = [np.log(np.exp(row).sum()) - row[target] for row, target in zip(logits, batch["targets"], strict=True)]
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    triplets = [
        max(((unit[i] - unit[p]) ** 2).sum() + 0.6 - ((unit[i] - unit[n]) ** 2).sum(), 0)
        for i, (p, n) in enumerate(zip(partners.positive, partners.negative, strict=True))
    ]
    assert losses["loss_cls"].item() == pytest.approx(np.mean(ce), rel=1e-4)
    assert losses["loss_triplet"].item() == pytest.approx(np.mean(triplets), rel=1e-4)


def test_feature_d_emb_is_a_vehicle_baseline(make_cfg, make_viewed_batch, tmp_path):
    """EN, and any EALN's D_emb, under the names of FastReID's own model."""
    cfg = make_cfg("MODEL.HEADS.NUM_CLASSES", 5)
    model = EALNTrainer.build_model(cfg).eval()
    torch.save({"model": model.state_dict()}, tmp_path / "ealn.pth")
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.WEIGHTS = "VehicleBaseline", str(tmp_path / "ealn.pth")
    baseline = EALNTrainer.build_trained_model(cfg).eval()
    batch = make_viewed_batch()
    with torch.no_grad():
        torch.testing.assert_close(normalize(baseline(batch), dim=1), model(batch)["embedding"])


def test_only_what_is_enabled_is_built(make_model):
    def parts(hard, view):
        features = ("EALN.FEATURES", ["embedding"])
        return list(make_model("EALN.HARD.ENABLED", hard, "EALN.VIEW.ENABLED", view, *features).parts)

    assert parts(False, False) == ["embedding"]
    assert parts(True, False) == ["embedding", "generator_hard", "discriminator_hard"]
    views = [f"{kind}_{view}" for kind in ("generator", "discriminator") for view in VIEWS[:2]]
    assert parts(False, True) == ["embedding", *views, "view_classifier"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("EALN.FEATURES", ["fused", "x"]), r"EALN.FEATURES is \['fused', 'x'\]"),
        (("EALN.FEATURES", []), r"EALN.FEATURES is \[\]"),
        (("EALN.VIEW.ENABLED", False), "without EALN.VIEW.ENABLED there is only embedding"),
        (("EALN.GENERATOR.HALVINGS", 4), "HALVINGS 4 cannot be applied to images of 16x16"),
        (("EALN.DISCRIMINATOR.LAYERS", 3), "LAYERS 3 cannot be applied to images of 16x16"),
    ],
)
def test_exception_keys(make_model, overrides, said):
    with pytest.raises(InputError, match=said):
        make_model(*overrides)


class OfImages(torch.nn.Module):
    """A model whose batches are images alone, as an exported one's are."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model({"images": images})


@torch.no_grad()
def test_the_exported_graph_computes_the_same_for_batches_of_any_size(make_model):
    model = OfImages(make_model()).eval()
    few, more = (torch.randint(0, 256, (number, 3, 16, 16), dtype=torch.uint8) for number in (3, 7))
    program = torch.export.export(model, (few,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    found = program.module()(more)
    for name, value in model(more).items():
        torch.testing.assert_close(found[name], value)
