"""The losses of the three phases against loops over images, written from Eq. 4-14; the networks are torch's."""

import copy
import math

import pytest
import torch
from ealn.adversary import Adversary, Weights
from ealn.partners import draw_partners

from vreid_common.synthetic.translation.step import as_network_input

WEIGHTS = {"alpha": 0.6, "beta1": 0.6, "beta2": 0.3, "lambda_ed": 0.7, "lambda_cyc": 10.0}
BATCHES = {
    "both views": ((0, 0, 3, 3, 1, 1), ("front", "rear", "front", "side", "rear", "front")),
    "no front": ((0, 0, 3, 3), ("rear", "rear", "side", None)),
    "neither view": ((0, 0, 3, 3), ("side", None, "side", None)),
    "one image a vehicle": ((0, 1, 2), ("front", "rear", "front")),
    "one vehicle": ((2, 2, 2), ("front", "rear", "front")),
    "one image": ((4,), ("front",)),
}


def sigmoid(score):
    return 1 / (1 + math.exp(-score))


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


class Plain:
    """Everything image by image, but for batch normalisation, which is a copy's in training mode."""

    def __init__(self, model, batch, partners, form):
        self.model, self.partners, self.form = model, partners, form
        self.x = list(as_network_input(batch["images"]).split(1))
        self.views = batch["view_ids"].tolist()
        self.front = [i for i, view in enumerate(self.views) if view == 0]
        self.rear = [i for i, view in enumerate(self.views) if view == 1]
        self.of_real = self.embedded(self.x)
        self.of_hard = self.embedded([self.generated("hard", i) for i in self.all()])
        # Where no image shows a view, the first one stands in, as another process may have one.
        directions = [(i, "rear") for i in self.front or [0]] + [(i, "front") for i in self.rear or [0]]
        self.of_other = dict(zip(directions, self.embedded([self.generated(to, i) for i, to in directions]), strict=True))

    def embedded(self, images):
        """Features of images that are normalised together."""
        network = copy.deepcopy(self.model).train()
        pixels = (torch.cat(images) + 1) * 127.5
        maps = network.backbone((pixels - network.pixel_mean) / network.pixel_std).mean(dim=(2, 3))
        return [(row / row.norm()).tolist() for row in maps]

    @staticmethod
    def d(a, b):
        return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))

    def to_positive(self, i):
        return self.d(self.of_real[i], self.of_real[self.partners.positive[i]])

    def to_negative(self, i):
        return self.d(self.of_real[i], self.of_real[self.partners.negative[i]])

    def to_hard(self, i):
        return self.d(self.of_real[i], self.of_hard[i])

    def to_other_view(self, i):
        return self.d(self.of_real[i], self.of_other[i, "rear" if i in self.front else "front"])

    def generated(self, name, i):
        return self.model.generators[name](self.x[i])

    def scores(self, name, image):
        return self.model.discriminators[name](image).flatten().tolist()

    def called_real(self, name, image):
        """What a generator minimises: the least-squares loss, or -log D(G(x))."""
        return mean((s - 1) ** 2 if self.form == "least_squares" else -math.log(sigmoid(s)) for s in self.scores(name, image))

    def called_fake(self, name, image):
        return mean(s**2 if self.form == "least_squares" else -math.log(1 - sigmoid(s)) for s in self.scores(name, image))

    def with_negative(self, places):
        return [i for i in places if self.partners.has_negative[i]]

    def with_positive(self, places):
        return [i for i in places if self.partners.has_positive[i]]

    def all(self):
        return range(len(self.x))

    def generator_losses(self):
        belt = []
        for i in self.with_negative(self.all()):
            d = self.to_hard(i)
            belt.append(max(0.6 - d, 0) + max(d + 0.3 - self.to_negative(i), 0))  # Eq. 4
        view = []
        for i in self.with_negative([*self.front, *self.rear]):
            view.append(max(self.to_other_view(i) + 0.6 - self.to_negative(i), 0))  # Eq. 9
        cycle = {}
        for places, there, back in ((self.front, "rear", "front"), (self.rear, "front", "rear")):
            returned = [self.model.generators[back](self.generated(there, i)) for i in places]
            cycle[there] = mean((r - self.x[i]).abs().mean().item() for r, i in zip(returned, places, strict=True))
        return {
            "g_hard_gan": mean(self.called_real("hard", self.generated("hard", i)) for i in self.all()),  # Eq. 7
            "g_hard_embedding": 0.7 * mean(belt),
            "g_view_gan": mean(self.called_real("rear", self.generated("rear", i)) for i in self.front)
            + mean(self.called_real("front", self.generated("front", i)) for i in self.rear),  # Eq. 11-13
            "g_view_cycle": 10 * sum(cycle.values()),
            "g_view_embedding": 0.7 * mean(view),
        }

    def discriminator_losses(self):
        return {
            "d_real_fake": mean(self.called_real("hard", x) for x in self.x)
            + mean(self.called_fake("hard", self.generated("hard", i)) for i in self.all()),  # Eq. 6 and 8
            "d_front": mean(self.called_real("front", self.x[i]) for i in self.front)
            + mean(self.called_fake("front", self.generated("front", i)) for i in self.rear),  # Eq. 11, 12 and 14
            "d_rear": mean(self.called_real("rear", self.x[i]) for i in self.rear)
            + mean(self.called_fake("rear", self.generated("rear", i)) for i in self.front),
        }

    def embedding_losses(self, view_weight):
        hard, view = [], []
        for i in self.with_positive(self.all()):
            hard.append(max(self.to_positive(i) + 0.6 - self.to_hard(i), 0))  # Eq. 5
        for i in self.with_positive([*self.front, *self.rear]):
            view.append(max(self.to_positive(i) + 0.6 - self.to_other_view(i), 0))  # Eq. 10
        return {"loss_hard": 0.7 * mean(hard), "loss_view": view_weight * mean(view)}


def both(model, batch, form):
    partners = draw_partners(batch["targets"])
    images = as_network_input(batch["images"])
    adversary = Adversary(model, Weights(**WEIGHTS, gan_loss=form), images, batch["view_ids"], partners)
    return adversary, Plain(model, batch, partners, form)


def assert_same(found, expected):
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("form", ["least_squares", "log"])
@pytest.mark.parametrize("name", BATCHES)
@torch.no_grad()
def test_feature_equals_the_papers_equations(make_model, make_viewed_batch, name, form):
    model = make_model()
    for network in model.generators.values():  # so that generated images lie on both sides of the bounds
        for parameter in network.parameters():
            parameter.mul_(5)
    adversary, plain = both(model, make_viewed_batch(*BATCHES[name]), form)
    assert_same(adversary.generator_losses(), plain.generator_losses())
    assert_same(adversary.discriminator_losses(), plain.discriminator_losses())
    assert_same(adversary.embedding_losses(0.4), plain.embedding_losses(0.4))
    if name == "both views":
        values = [*plain.generator_losses().values(), *plain.embedding_losses(0.4).values()]
        assert min(values) > 0


def test_feature_without_lambda_ed_the_embedding_space_plays_no_part(make_model, make_viewed_batch):
    """CycleGAN (Table III)."""
    model, batch = make_model("EALN.HARD.ENABLED", False), make_viewed_batch()
    weights = Weights(**{**WEIGHTS, "lambda_ed": 0.0}, gan_loss="least_squares")
    adversary = Adversary(model, weights, as_network_input(batch["images"]), batch["view_ids"], draw_partners(batch["targets"]))
    assert set(adversary.generator_losses()) == {"g_view_gan", "g_view_cycle"}
    assert set(adversary.discriminator_losses()) == {"d_front", "d_rear"}
    assert adversary.embedding_losses(0.0) == {}


def test_feature_released_views_leave_the_hard_negatives(make_model, make_viewed_batch):
    adversary, _ = both(make_model(), make_viewed_batch(), "log")
    adversary.generator_losses()
    assert set(adversary.embedding_losses(0.0)) == {"loss_hard"}


def test_a_buffer_is_left_alone_by_stand_ins(make_model, make_viewed_batch):
    model = make_model("EALN.BUFFER_SIZE", 3)
    adversary, _ = both(model, make_viewed_batch(*BATCHES["no front"]), "log")
    adversary.generator_losses()
    adversary.discriminator_losses()
    filled = {name: int(buffer.get_extra_state()) for name, buffer in model.image_buffers.items()}
    assert filled == {"hard": 3, "front": 2, "rear": 0}


def test_generated_images_do_not_enter_batch_statistics(make_model, make_viewed_batch):
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name or "tracked" in name}
    adversary, _ = both(model, make_viewed_batch(), "least_squares")
    adversary.generator_losses()
    adversary.discriminator_losses()
    adversary.embedding_losses(1.0)
    after = model.state_dict()
    assert before
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(module.training for module in model.modules())
