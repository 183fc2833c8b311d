"""The command of figures, on a training of seconds."""

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ealn import EALNTrainer
from ealn.figures import main
from ealn.pictures import draw_distances, draw_sweep
from ealn.responses import response_maps
from ealn.runs import TrainedRun, embed_test_images
from ealn.sheets import read_images
from PIL import Image

from vreid_common.data import build_dataset
from vreid_common.errors import InputError
from vreid_common.study.results import ResultStore
from vreid_common.synthetic.translation.step import as_network_input


@pytest.fixture
def runs(make_cfg, tmp_path):
    """Folders of a Hard-View-EALN and an EN that were trained for an epoch."""
    kinds = {
        "both": ("EALN.VIEW.RELEASE_EPOCHS", 0),
        "EN": ("EALN.HARD.ENABLED", False, "EALN.VIEW.ENABLED", False, "EALN.FEATURES", ["embedding"]),
    }
    folders = {}
    for name, options in kinds.items():
        schedule = ("SOLVER.MAX_EPOCH", 1, "SOLVER.DELAY_EPOCHS", 0, "EALN.GENERATOR.WIDTH", 2)
        cfg = make_cfg("OUTPUT_DIR", str(tmp_path / name), *schedule, *options)
        folders[name] = Path(cfg.OUTPUT_DIR)
        folders[name].mkdir()
        run = EALNTrainer(cfg)
        (folders[name] / "config.yaml").write_text(run.cfg.dump())
        run.train()
    return folders


def picture(path):
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert pixels.std() > 1
    return pixels


def test_every_figure_of_runs(runs, tmp_path, capsys):
    both, en = runs["both"], runs["EN"]
    main(["generated", str(both), "--output", str(tmp_path / "generated.png")])
    main(["responses", f"EN={en}", f"Hard={both}", "--output", str(tmp_path / "responses.png")])
    main(["losses", f"EN={en}", str(both), "--output", str(tmp_path / "losses.png")])
    for name in ("generated", "responses", "losses"):
        picture(tmp_path / f"{name}.png")
    capsys.readouterr()
    main(["distances", str(both), "--output", str(tmp_path / "distances.png")])
    said = capsys.readouterr().out.splitlines()
    picture(tmp_path / "distances.png")
    assert [bool(re.fullmatch(r"Between 0\.6 and .*: [\d.]+% of the hard negatives, [\d.]+% of the real\.", s)) for s in said]
    assert len(said) == 2
    main(["distances", str(en), "--output", str(tmp_path / "en.png")])  # nothing is generated, so nothing is said
    assert capsys.readouterr().out == ""


def test_distances_of_test_images_are_the_models(runs):
    run = TrainedRun(runs["both"])
    found = embed_test_images(run)
    cfg, model = run.config(), run.model().eval()
    of_hard = copy.deepcopy(model)  # with the means over batches of the statistics that hard negatives have
    layers = [of_hard.backbone[1], of_hard.backbone[4]]
    seen = {layer: [] for layer in layers}
    for layer in layers:
        layer.register_forward_pre_hook(lambda layer, args: seen[layer].append(args[0]))
        layer.train()
    with torch.no_grad():
        for batch in EALNTrainer.build_train_loader(cfg).epoch(0):
            of_hard.backbone(
                model.preprocess_image({"images": (model.generate_hard(as_network_input(batch["images"])) + 1) * 127.5})
            )
    for layer in layers:
        layer.eval()
        layer.running_mean = torch.stack([maps.mean((0, 2, 3)) for maps in seen[layer]]).mean(0)
        layer.running_var = torch.stack([maps.var((0, 2, 3)) for maps in seen[layer]]).mean(0)
    data = build_dataset(cfg, "CSVVehicles")
    images, view_ids = read_images(cfg, [*data.query, *data.gallery])
    with torch.no_grad():
        for i, x in enumerate(as_network_input(images).split(1)):
            own = model.embed(x)
            torch.testing.assert_close(found.features[i], own[0])
            hard, other = model.generators["hard"](x), model.generators["rear" if view_ids[i] == 0 else "front"](x)
            for distances, made, network in ((found.hard, hard, of_hard), (found.view, other, model)):
                assert distances[i].item() == pytest.approx((own - network.embed(made)).square().sum().item(), abs=1e-4)
    assert len(found.features) == len(images) == 12
    assert found.pids.tolist() == [item.pid for item in (*data.query, *data.gallery)]


def test_bad_input_is_one_sentence(runs, tmp_path, capsys):
    out = ["--output", str(tmp_path / "x.png")]
    for arguments, said in (
        (["generated", str(tmp_path / "nothing")], "has no config.yaml"),
        (["generated", str(runs["EN"])], "has no generator"),
        (["distances", str(runs["EN"]), str(runs["both"])], "This figure is of one run, and 2 are named"),
        (["losses", f"a={runs['EN']}", f"a={runs['both']}"], "Two runs are named 'a'"),
        (["responses", str(runs["both"]), str(runs["EN"])], "the last run named, has no G_hard"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *out])
        error = capsys.readouterr().err
        assert (ended.value.code, error.count("\n")) == (2, 1)
        assert said in error


def test_losses_are_those_that_were_logged(runs):
    run = TrainedRun(runs["EN"])
    lines = [json.loads(line) for line in (run.folder / "metrics.json").read_text().splitlines()]
    iterations, losses = run.losses(["loss_cls", "loss_triplet"])
    expected = {line["iteration"]: line["loss_cls"] + line["loss_triplet"] for line in lines if "loss_cls" in line}
    assert dict(zip(iterations, losses, strict=True)) == expected
    with pytest.raises(InputError, match="has no line with loss_hard"):
        run.losses(["loss_hard"])


def test_response_maps_show_where_the_last_convolution_responds(make_model):
    model = make_model()
    for layer in (model.backbone[1], model.backbone[4]):
        layer.reset_running_stats()
    images = torch.full((2, 3, 16, 16), -1.0)
    images[0, :, :4, :4] = 1.0  # a bright corner on black
    seen = response_maps(model, images)
    assert seen.shape == (2, 16, 16)
    assert seen.min() >= 0
    assert seen[0].max() == 1
    assert model.training
    model.backbone[3].weight.data.zero_()
    assert not response_maps(model, images)[1].any()  # what is the same everywhere says nothing, whatever it is


def test_response_maps_are_of_the_last_map_that_has_places(make_model):
    model = make_model("INPUT.SIZE_TRAIN", [16, 16])
    model.backbone.append(torch.nn.AdaptiveAvgPool2d(1))
    maps = model.backbone[:-1].eval()(model.preprocess_image({"images": torch.full((1, 3, 16, 16), 255.0)}))
    seen = response_maps(model, torch.ones(1, 3, 16, 16))
    response = maps.relu().mean(1)[0]
    corner = (response[0, 0] - response.min()) / (response.max() - response.min())
    assert seen[0, 0, 0].item() == pytest.approx(corner.item(), abs=1e-5)
    with pytest.raises(InputError, match="Images of 2x2 pixels have no response map"):
        response_maps(model, torch.ones(1, 3, 2, 2))


def test_histograms_sum_to_one_hundred():
    values = np.array([0.1, 0.2, np.nan, 3.0])
    figure = draw_distances({"positives": values, "negatives": values + 1}, beta1=0.6)
    outlines = [patch.get_xy()[:, 1] for patch in figure.axes[0].patches]
    assert [heights.sum() / 2 for heights in outlines] == pytest.approx([100, 100])  # each bin has two corners
    with pytest.raises(InputError, match="kind 'x'"):
        draw_distances({"x": np.array([np.nan])})


def test_the_sweep_has_a_line_for_every_value_that_two_points_share():
    points = {(0.4, 0.3): [10.0, 12.0], (0.6, 0.3): [20.0], (0.6, 0.1): [15.0], (0.9, 0.9): [1.0]}
    over_beta1, over_beta2 = draw_sweep(points).axes
    (line,) = over_beta1.containers
    assert line[0].get_xydata().tolist() == [[0.4, 11.0], [0.6, 20.0]]
    (line,) = over_beta2.containers
    assert line[0].get_xydata().tolist() == [[0.1, 15.0], [0.3, 20.0]]
    with pytest.raises(InputError, match="has no two values"):
        draw_sweep({(0.6, 0.3): [1.0]})


def test_the_sweep_reads_the_results_of_its_study(tmp_path, monkeypatch, capsys):
    sweep = Path(__file__).parents[3] / "projects" / "EALN" / "studies" / "sweep.yml"
    monkeypatch.setattr(ResultStore, "load", lambda self, run: {"dataset": {"StreetVehicles": {"mAP": 40.0 + run.seed}}})
    main(["sweep", str(sweep), "--output", str(tmp_path / "sweep.png")])
    picture(tmp_path / "sweep.png")
    monkeypatch.setattr(ResultStore, "load", lambda self, run: None)
    with pytest.raises(SystemExit):
        main(["sweep", str(sweep), "--output", str(tmp_path / "none.png")])
    assert "has no two values" in capsys.readouterr().err
