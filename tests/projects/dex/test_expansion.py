"""--eval-only with several models and scales: trained for an epoch, evaluated, studied and handed in."""

import csv
import json
import logging
from multiprocessing import get_context

import pytest
import torch
import torch.distributed as dist
from dex import DExTrainer, add_dex_config
from PIL import Image

from vreid_common.data import dataset as dataset_module
from vreid_common.engine import load_config, main
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator, inference_on_dataset
from vreid_common.evaluation.submission_check import check_aicity_submission
from vreid_common.features import Ensemble


@pytest.fixture(scope="module")
def vehicles_with_tracks(vehicles, tmp_path_factory):
    """The test vehicles' list with a track for each identity in each camera."""
    path = tmp_path_factory.mktemp("tracks") / "vehicles.csv"
    with vehicles.open() as source, path.open("w", newline="") as target:
        rows = list(csv.DictReader(source))
        writer = csv.DictWriter(target, [*rows[0], "track_id"])
        writer.writeheader()
        for row in rows:
            row["path"] = str(vehicles.parent / row["path"])
            writer.writerow({**row, "track_id": 10 * int(row["vehicle_id"]) + int(row["camera_id"])})
    return path


@pytest.fixture(scope="module")
def trained(small_config, vehicles_with_tracks, tmp_path_factory):
    """(configuration, checkpoint) of a trained model, of one with other random weights, and of one with fewer parts."""
    models = []
    for number, more in enumerate(("", "SEED: 1", "DEX: {PARTS: {CHANNEL: [1, 2]}}")):
        config, out = small_config(vehicles_with_tracks, f"PROJECT: dex\n{more}"), tmp_path_factory.mktemp(f"run{number}")
        if number == 0:
            assert main(add_dex_config, DExTrainer, ["--config-file", str(config), "OUTPUT_DIR", str(out)])
        else:
            cfg = load_config(add_dex_config, str(config), ["MODEL.DEVICE", "cpu"])
            torch.manual_seed(number)
            torch.save({"model": DExTrainer.build_model(cfg).state_dict()}, out / "model_final.pth")
        models.append((config, out / "model_final.pth"))
    return models


def evaluate(config, out, *overrides):
    main(
        add_dex_config, DExTrainer, ["--config-file", str(config), "--eval-only", "OUTPUT_DIR", str(out), *map(str, overrides)]
    )
    return json.loads((out / "results.json").read_text())


def models(*pairs):
    return (
        "DEX.MODELS.CONFIGS", str([str(config) for config, _ in pairs]),
        "DEX.MODELS.WEIGHTS", str([str(weights) for _, weights in pairs]),
    )  # fmt: skip


def test_two_models_at_three_scales_are_the_ensemble_by_hand(trained, tmp_path):
    first, second = trained[:2]
    scales = ("DEX.SCALES", "[0.8, 1.0, 1.25]", "TEST.REPORT", True)
    results = evaluate(first[0], tmp_path, *models(first, second), *scales)
    networks = []
    for config, weights in (first, second):
        cfg = load_config(add_dex_config, str(config), ["MODEL.WEIGHTS", str(weights), "MODEL.DEVICE", "cpu"])
        networks.append(DExTrainer.build_trained_model(cfg))
    loader, num_query = DExTrainer.build_test_loader(cfg, "CSVVehicles")
    expected = inference_on_dataset(Ensemble(networks, (0.8, 1.0, 1.25)), loader, VehicleEvaluator(cfg, num_query))
    assert results["dataset"]["CSVVehicles"] == pytest.approx(expected, abs=1e-4)
    assert results["protocol"]["scales"] == "0.8, 1.0, 1.25"
    assert results["protocol"]["models"] == f"{first[1]}, {second[1]}"
    assert results["checkpoint"] == str(first[1])
    page = (tmp_path / "report_CSVVehicles.html").read_text(encoding="utf-8")
    assert f"<dd>{results['dataset']['CSVVehicles']['mAP']:.2f} <small>" in page


def test_another_pipeline_extracts_nothing(trained, tmp_path, monkeypatch, caplog):
    config, weights = trained[0]
    scales = ("DEX.SCALES", "[1.0, 1.25]", "MODEL.WEIGHTS", weights, "DEX.STORE", tmp_path / "store")
    plain = evaluate(config, tmp_path / "plain", *scales)
    monkeypatch.setattr(dataset_module, "read_image", lambda *_: pytest.fail("an image was read"))
    monkeypatch.setattr(DExTrainer, "build_model", lambda *_: pytest.fail("a model was built"))
    caplog.set_level(logging.INFO)
    reranked = evaluate(config, tmp_path / "reranked", *scales, "RERANK.PIPELINE", "['k_reciprocal']")
    assert "0 of 12 images extracted" in caplog.text
    assert "k_reciprocal" in reranked["protocol"]["re-ranking"]
    assert plain["protocol"]["re-ranking"] is False


def test_the_study_prints_every_table_and_draws_rank_lists(trained, tmp_path):
    config, weights = trained[0]
    results = evaluate(
        config, tmp_path, "MODEL.WEIGHTS", weights, "DEX.SCALES", "[1.0, 1.25]", "DEX.STUDY.ENABLED", "True",
        "RERANK.K_RECIPROCAL.K1", 3, "RERANK.K_RECIPROCAL.K2", 2,
    )  # fmt: skip
    found = results["dataset"]["CSVVehicles"]
    assert found["Table 6/Baseline/mAP"] == found["Table 2/1/mAP"] == found["mAP"]
    assert {key.split("/")[0] for key in found if "/" in key} == {"Cost", *(f"Table {number}" for number in range(2, 7))}
    assert 10 < found["Cost/peak memory, MB"] < 100_000
    assert found["Cost/seconds"] > sum(found[f"Table 6/{name}/seconds"] for name in ("Baseline", "DEx"))
    assert results["protocol"]["re-ranking"] == "as each row says"
    tables = (tmp_path / "tables_CSVVehicles.md").read_text()
    for row in ("| DEx+DBA+Diffusion", "| k=100, kq=50", "DEx-ms", "| All"):
        assert row in tables
    with Image.open(tmp_path / "rank_lists_CSVVehicles.png") as picture:
        assert picture.height > 4 * 2 * 96


def test_a_submission_is_written_and_can_be_handed_in(trained, tmp_path):
    config, weights = trained[0]
    steps = "['dual_embedding_expansion', 'database_augmentation', 'k_reciprocal', 'pull_tracklets']"
    overrides = ("MODEL.WEIGHTS", weights, "DEX.SCALES", "[1.0, 1.25]", "RERANK.PIPELINE", steps)
    evaluate(config, tmp_path, *overrides, "TEST.PROTOCOL", "AICitySubmission")
    assert check_aicity_submission(tmp_path / "track2.txt", 4, 8) == []
    labelled = evaluate(config, tmp_path / "labelled", *overrides, "TEST.TOP_K", 100)
    assert labelled["dataset"]["CSVVehicles"]["mAP@100"] > 0


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (lambda trained: models(trained[0], trained[2]), ["model_final.pth have 136 dimensions", "120"]),
        (lambda trained: models(trained[0])[:2], ["1 CONFIGS and 0 WEIGHTS"]),
        (lambda trained: ("MODEL.WEIGHTS", trained[0][1], "DEX.SCALES", "[]"), ["DEX.SCALES is []"]),
        (lambda trained: ("MODEL.WEIGHTS", trained[0][1], "DEX.SCALES", "[-1.0]"), ["DEX.SCALES is [-1.0]"]),
        (lambda trained: (*models(trained[0]), "INPUT.SIZE_TEST", "[40, 40]"), ["[32, 32] and [40, 40]"]),
        (lambda trained: ("DEX.SCALES", "[1.0, 2.0]"), ["--eval-only needs MODEL.WEIGHTS"]),
    ],
    ids=["sizes", "weights", "no scales", "negative scale", "input", "no checkpoint"],
)
def test_exception_is_one_sentence(trained, tmp_path, capsys, overrides, said):
    with pytest.raises(SystemExit) as ended:
        evaluate(trained[0][0], tmp_path, *overrides(trained))
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert all(part in error for part in said), error


def work(config, weights, out, rank, world, overrides):
    """One of the processes that evaluate; what it is told is written down."""
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{out}/meeting", rank=rank, world_size=world)
    options = ("MODEL.WEIGHTS", weights, "MODEL.DEVICE", "cpu", "OUTPUT_DIR", out, "DEX.SCALES", "[1.0, 1.25]", *overrides)
    cfg = load_config(add_dex_config, str(config), [str(option) for option in options])
    try:
        said = json.dumps(DExTrainer.evaluate(cfg)["CSVVehicles"])
    except InputError as error:
        said = str(error)
    (out / f"rank{rank}").write_text(said)
    if world > 1:
        dist.destroy_process_group()


def together(folder, *arguments, world):
    """What each of ``world`` processes says."""
    folder.mkdir()
    config, weights, *overrides = arguments
    context = get_context("fork")
    processes = [context.Process(target=work, args=(config, weights, folder, rank, world, overrides)) for rank in range(world)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    return [(folder / f"rank{rank}").read_text() for rank in range(world)]


def test_two_processes_give_what_one_gives(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("vreid_common.features.grid._SHARD", 4)
    (alone,) = together(tmp_path / "one", *trained[0], world=1)
    first, other = together(tmp_path / "two", *trained[0], world=2)
    assert other == "{}"
    alone, first = json.loads(alone), json.loads(first)
    assert first == pytest.approx(alone, abs=1e-4)


def test_exception_reaches_every_process(trained, tmp_path):
    said = together(tmp_path / "two", *trained[0], *models(trained[0], trained[2]), world=2)
    assert all("136 dimensions" in text and "120" in text for text in said)
