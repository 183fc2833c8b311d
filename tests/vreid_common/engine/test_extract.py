"""``vreid extract``: what it writes, what it reuses, and its sentences."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch.nn.functional import interpolate, normalize

from vreid_common import cli
from vreid_common.data import ItemDataset, build_dataset, build_test_loader, build_transforms, read_folder
from vreid_common.engine import Trainer, load_extraction
from vreid_common.evaluation import VehicleEvaluator, inference_on_dataset
from vreid_common.features import Ensemble, Extractor, evaluation_mode, file_digest
from vreid_common.structures import FeatureSet


@pytest.fixture
def weights(tiny: Callable, tmp_path: Path) -> list[Path]:
    """Checkpoints of two untrained models of the tiny configuration."""
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = Trainer.build_model(tiny("MODEL.HEADS.NUM_CLASSES", 6, "MODEL.BACKBONE.PRETRAIN", False))
        paths.append(tmp_path / f"{seed}.pth")
        torch.save({"model": model.state_dict()}, paths[-1])
    return paths


@pytest.fixture
def extract(config_file: Path, weights: list[Path], tmp_path: Path) -> Callable[..., int]:
    """``extract("--flip", ...)``: the command's status, with the tiny configuration, the first checkpoint and an output."""

    def run(*arguments: object, models: int = 1, output: str = "features") -> int:
        given = [x for path in weights[:models] for x in ("--weights", path)]
        with pytest.raises(SystemExit) as ended:
            cli.main(
                [str(x) for x in ("extract", "--config-file", config_file, *given, "--output", tmp_path / output, *arguments)]
            )
        return ended.value.code

    return run


@pytest.fixture
def models(tiny: Callable, weights: list[Path]) -> list[torch.nn.Module]:
    return [Trainer.build_trained_model(tiny("MODEL.WEIGHTS", str(path))) for path in weights]


def images_of(cfg, dataset_name="CSVVehicles"):
    loader, _ = build_test_loader(cfg, dataset_name)
    return torch.cat([batch["images"] for batch in loader])


def test_a_folder(extract, models, tiny, vehicles, tmp_path):
    assert extract("--images", vehicles.parent, "--combine", "mean") == 0
    found = FeatureSet.load(tmp_path / "features")
    items = read_folder(vehicles.parent)
    assert found.paths == tuple(item.path for item in items)
    assert set(found.pids.tolist()) == {-1}
    place = {path: row for row, path in enumerate(found.paths)}
    data = build_dataset(tiny(), "CSVVehicles")
    rows = [place[item.path] for item in [*data.query, *data.gallery]]
    with torch.no_grad(), evaluation_mode(models[0]):
        expected = models[0]({"images": images_of(tiny())})
    torch.testing.assert_close(found.features[rows], expected, atol=1e-4, rtol=1e-4)


def test_own_code_gives_the_commands_features_bit_for_bit(extract, weights, config_file, tiny, tmp_path):
    """Large JPEGs, which are decoded at less than their size: with docs/features.md's code, both ways."""
    rng = np.random.default_rng(0)
    (tmp_path / "crops").mkdir()
    for number in range(6):
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((400, 300)).save(tmp_path / "crops" / f"{number}.jpg", quality=90)
    assert extract("--images", tmp_path / "crops", "--flip") == 0
    expected = FeatureSet.load(tmp_path / "features").features
    items = read_folder(tmp_path / "crops")
    assert torch.equal(load_extraction(config_file, weights[0], flip=True).extract(items).features, expected)

    cfg = tiny("MODEL.WEIGHTS", str(weights[0]))
    images = ItemDataset(items, build_transforms(cfg, is_train=False), relabel=False)
    ensemble = Ensemble([Trainer.build_trained_model(cfg)], flip=True)
    found = Extractor(ensemble, device=cfg.MODEL.DEVICE, batch_size=cfg.TEST.IMS_PER_BATCH).extract(images)
    assert torch.equal(found.features, expected)
    images.transform = torchvision.transforms.Compose(images.transform.transforms)
    assert not torch.equal(Extractor(ensemble, batch_size=64).extract(images).features, expected)


def test_a_csv_file_gives_query_and_gallery_with_their_labels(extract, tiny, vehicles, tmp_path, config_file):
    config_file.write_text(config_file.read_text().replace(str(vehicles), "none.csv"))
    assert extract("--csv", vehicles) == 0
    data = build_dataset(tiny("DATASETS.CSV.FILE", str(vehicles)), "CSVVehicles")
    for split, items in (("query", data.query), ("gallery", data.gallery)):
        found = FeatureSet.load(tmp_path / f"features_{split}")
        assert found.paths == tuple(item.path for item in items)
        assert found.pids.tolist() == [item.pid for item in items]
        assert found.camids.tolist() == [item.camid for item in items]
        torch.testing.assert_close(found.features.norm(dim=1), torch.ones(len(items)))
    assert not (tmp_path / "features.json").exists()


def test_json_says_what_was_written_by_what(extract, vehicles, weights, tmp_path):
    assert extract("--csv", vehicles, "--flip", "--json", tmp_path / "about.json") == 0
    about = json.loads((tmp_path / "about.json").read_text())
    assert about["features"] == [
        {"path": str(tmp_path / f"features_{split}"), "images": images, "dimensions": 512}
        for split, images in (("query", 4), ("gallery", 8))
    ]
    assert about["models"][0]["checkpoint"] == file_digest(weights[0])
    assert (about["scales"], about["flip"], about["combine"]) == ([1.0], True, "sum")


def test_a_csv_file_of_a_gallery_alone(extract, vehicles, tmp_path):
    rows = vehicles.read_text().splitlines()
    csv_file = vehicles.with_name("gallery.csv")
    csv_file.write_text("\n".join([rows[0], *(row for row in rows if row.endswith("gallery"))]))
    try:
        assert extract("--csv", csv_file) == 0
    finally:
        csv_file.unlink()
    assert len(FeatureSet.load(tmp_path / "features_gallery")) == 8
    assert not (tmp_path / "features_query.json").exists()


def test_flip_and_mean_are_what_the_evaluator_saves(extract, models, tiny, tmp_path):
    """Features of this command and of ``--eval-only`` can be ranked together."""
    assert extract("--dataset", "CSVVehicles", "--flip", "--combine", "mean", "--batch-size", 8) == 0
    loader, num_query = build_test_loader(tiny(), "CSVVehicles")
    evaluator = VehicleEvaluator(tiny(), num_query, tmp_path / "evaluated")
    inference_on_dataset(models[0], loader, evaluator, flip=True)
    for split in ("query", "gallery"):
        ours, theirs = FeatureSet.load(tmp_path / f"features_{split}"), FeatureSet.load(tmp_path / f"evaluated/main_{split}")
        torch.testing.assert_close(ours.features, theirs.features, atol=1e-5, rtol=1e-5)
        assert torch.equal(ours.pids, theirs.pids)
        assert ours.paths == theirs.paths


def test_models_scales_and_mirror_images(extract, models, tiny, tmp_path):
    assert extract("--dataset", "CSVVehicles", "--scales", "0.9,1,1.1,1.2", "--flip", models=2) == 0
    found = torch.cat([FeatureSet.load(tmp_path / f"features_{split}").features for split in ("query", "gallery")])
    images, expected = images_of(tiny()), 0
    ensemble = Ensemble(models)
    with torch.no_grad(), evaluation_mode(ensemble):
        for size in (29, 32, 35, 38):
            view = images
            if size != 32:
                view = interpolate(images.float(), (size, size), mode="bicubic", antialias=True).clamp(0, 255)
            for model in models:
                expected = expected + normalize(model({"images": view})) + normalize(model({"images": view.flip(3)}))
    torch.testing.assert_close(found, normalize(expected), atol=1e-5, rtol=0)


def test_concatenated_models(extract, tmp_path):
    assert extract("--dataset", "CSVVehicles", "--combine", "concat", models=2) == 0
    assert FeatureSet.load(tmp_path / "features_query.safetensors").features.shape == (4, 1024)


def test_a_finished_store_is_reused_without_the_model(extract, tmp_path, monkeypatch, capfd, weights):
    assert extract("--dataset", "CSVVehicles") == 0
    before = FeatureSet.load(tmp_path / "features_gallery")
    for path in tmp_path.glob("features_*.*"):
        path.unlink()

    def refuse(cls, cfg):
        raise RuntimeError("a model was built")

    monkeypatch.setattr(Trainer, "build_model", classmethod(refuse))
    assert extract("--dataset", "CSVVehicles") == 0
    assert "nothing to extract" in capfd.readouterr().out
    assert torch.equal(FeatureSet.load(tmp_path / "features_gallery").features, before.features)

    # Anything else than the same model, images and options is another store.
    def is_extracted_anew(*arguments, models=1) -> bool:
        status = extract("--dataset", "CSVVehicles", *arguments, models=models)
        return status == 1 and "a model was built" in capfd.readouterr().err

    for other in (["--flip"], ["--scales", "1.5"], ["--amp", "bf16"], ["--combine", "concat"]):
        assert is_extracted_anew(*other)
    assert is_extracted_anew("--opts", "INPUT.SIZE_TEST", "[40, 40]")
    assert is_extracted_anew(models=2)
    weights[0].write_bytes(weights[1].read_bytes())
    assert is_extracted_anew()


def test_work_goes_on_in_the_store_that_is_named(extract, tmp_path):
    common = ("--dataset", "CSVVehicles", "--batch-size", 2, "--store", tmp_path / "cache")
    assert extract(*common) == 0
    first = FeatureSet.load(tmp_path / "features_gallery")
    shards = sorted(tmp_path.glob("cache/*/shard-*.safetensors"))
    assert len(shards) == 6
    written = {path: path.stat().st_mtime_ns for path in shards}
    shards[2].unlink()
    assert extract(*common) == 0
    assert [path for path in shards if path.stat().st_mtime_ns != written[path]] == [shards[2]]
    assert torch.equal(FeatureSet.load(tmp_path / "features_gallery").features, first.features)
    assert not (tmp_path / "features_store").exists()


def test_interrupted(extract, capfd, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vreid_common.features.Extractor.fill", interrupt)
    assert extract("--dataset", "CSVVehicles") == 130
    assert capfd.readouterr().err == "vreid extract: interrupted; the same command goes on where it was.\n"
    monkeypatch.undo()
    assert extract("--dataset", "CSVVehicles") == 0


@pytest.mark.parametrize("name", ["out.safetensors", "out.json", "deep/er/out", "v1.2"])
def test_names_of_the_output(extract, tmp_path, name):
    assert extract("--dataset", "CSVVehicles", output=name) == 0
    stem = name.removesuffix(".safetensors").removesuffix(".json")
    assert (tmp_path / f"{stem}_query.safetensors").is_file()
    assert (tmp_path / f"{stem}_gallery.json").is_file()
    assert (tmp_path / f"{stem}_store").is_dir()


def test_corrected_labels_need_no_new_features(extract, tmp_path, vehicles, monkeypatch):
    corrected = vehicles.with_name("corrected.csv")
    assert extract("--csv", vehicles) == 0
    monkeypatch.setattr(Trainer, "build_model", None)
    corrected.write_text(vehicles.read_text().replace(",6,", ",66,"))
    try:
        assert extract("--csv", corrected) == 0
    finally:
        corrected.unlink()
    assert 66 in FeatureSet.load(tmp_path / "features_query").pids.tolist()


def refused(extract, capfd, *arguments, **options) -> str:
    """The sentence with which the command ends."""
    assert extract(*arguments, **options) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


class TestBadInput:
    def test_a_damaged_image(self, extract, capfd, vehicles, tmp_path):
        (tmp_path / "pictures").mkdir()
        (tmp_path / "pictures" / "good.png").write_bytes((vehicles.parent / "0_0_0.png").read_bytes())
        (tmp_path / "pictures" / "torn.png").write_bytes((vehicles.parent / "0_0_0.png").read_bytes()[:100])
        said = refused(extract, capfd, "--images", tmp_path / "pictures")
        assert said.startswith(f"error: Cannot read the image {tmp_path}/pictures/torn.png: ")
        assert not (tmp_path / "features.json").exists()

    def test_no_images(self, extract, capfd, tmp_path):
        (tmp_path / "empty").mkdir()
        assert "There are no images in" in refused(extract, capfd, "--images", tmp_path / "empty")
        assert "There is no folder" in refused(extract, capfd, "--images", tmp_path / "none")

    def test_only_training_images(self, extract, capfd, vehicles):
        rows = vehicles.read_text().splitlines()
        train = vehicles.with_name("train.csv")
        train.write_text("\n".join(row for row in rows if not row.endswith(("query", "gallery"))))
        try:
            assert "train.csv has no query or gallery images" in refused(extract, capfd, "--csv", train)
        finally:
            train.unlink()

    def test_an_unknown_data_set(self, extract, capfd):
        assert "There is no data set 'VeRi777'; did you mean" in refused(extract, capfd, "--dataset", "VeRi777")

    def test_a_checkpoint_that_is_not_there(self, extract, capfd, weights):
        weights[0].unlink()
        assert "does not exist" in refused(extract, capfd, "--dataset", "CSVVehicles")

    def test_a_checkpoint_of_another_model(self, extract, capfd):
        said = refused(extract, capfd, "--dataset", "CSVVehicles", "--opts", "MODEL.BACKBONE.DEPTH", "34x")
        assert "was made for another model" in said

    def test_a_folder_as_a_checkpoint(self, extract, capfd, tmp_path):
        assert "is a folder" in refused(extract, capfd, "--dataset", "CSVVehicles", "--config-file", "x", "--weights", tmp_path)

    def test_a_key_of_a_project_that_is_not_named(self, extract, capfd, config_file):
        config_file.write_text(f"{config_file.read_text()}\nWCVL: {{SCALE: 1.0}}\n")
        said = refused(extract, capfd, "--dataset", "CSVVehicles")
        assert "unknown key WCVL" in said
        assert said.endswith("It is a key of the project wcvl: give --project wcvl.")
        config_file.write_text(config_file.read_text().replace("WCVL", "NOBODYS"))
        said = refused(extract, capfd, "--dataset", "CSVVehicles")
        assert said.endswith("If it is a project's key, name the project's folder with --project.")

    def test_as_many_configurations_as_models(self, extract, capfd, config_file):
        given = ["--config-file", config_file] * 2
        assert "--config-file is given 3 times and --weights 2" in refused(
            extract, capfd, "--dataset", "CSVVehicles", *given, models=2
        )

    def test_models_for_images_of_different_sizes(self, extract, capfd, config_file, tmp_path):
        other = tmp_path / "other.yml"
        other.write_text(config_file.read_text().replace("SIZE_TEST: [32, 32]", "SIZE_TEST: [48, 48]"))
        said = refused(extract, capfd, "--dataset", "CSVVehicles", "--config-file", other, models=2)
        assert re.search(r"prepare images differently \(INPUT\.SIZE_TEST, INPUT\.CROP\)", said)

    def test_float16_on_a_cpu(self, extract, capfd):
        said = refused(extract, capfd, "--dataset", "CSVVehicles", "--amp", "fp16", "--device", "cpu")
        assert "--amp fp16 needs CUDA: use bf16 on a CPU." in said

    def test_batch_size(self, extract, capfd):
        assert "The batch size is 0" in refused(extract, capfd, "--dataset", "CSVVehicles", "--batch-size", 0)

    def test_a_damaged_store(self, extract, capfd, tmp_path):
        assert extract("--dataset", "CSVVehicles") == 0
        next(tmp_path.glob("features_store/*/shard-00000.safetensors")).write_bytes(b"")
        capfd.readouterr()
        assert "shard-00000.safetensors is damaged" in refused(extract, capfd, "--dataset", "CSVVehicles")

    @pytest.mark.parametrize("scales", ["", "1,", "0,1", "-1", "nan", "inf", "big"])
    def test_scales(self, extract, capfd, scales):
        assert extract("--dataset", "CSVVehicles", f"--scales={scales}") == 2
        assert "is not a list of numbers above 0, such as 0.9,1,1.1,1.2" in capfd.readouterr().err


def under_torchrun(processes: int, port: int, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", processes, "--master-port", port]
    command += ["-m", "vreid_common", "extract", *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240, check=False)


def test_torchrun_gives_what_one_process_gives(extract, config_file, weights, vehicles, tmp_path):
    common = ("--dataset", "CSVVehicles", "--flip", "--batch-size", 2)
    assert extract(*common, output="one") == 0
    arguments = ("--config-file", config_file, "--weights", weights[0], "--output", tmp_path / "two", *common)
    result = under_torchrun(2, 29741, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    for split in ("query", "gallery"):
        one, two = FeatureSet.load(tmp_path / f"one_{split}"), FeatureSet.load(tmp_path / f"two_{split}")
        assert torch.equal(one.features, two.features)
        assert one.paths == two.paths


def test_a_damaged_image_ends_all_of_torchrun_s_processes(config_file, weights, vehicles, tmp_path):
    (tmp_path / "pictures").mkdir()
    for number in range(8):
        content = (vehicles.parent / "0_0_0.png").read_bytes()
        (tmp_path / "pictures" / f"{number}.png").write_bytes(content[:100] if number == 5 else content)
    arguments = ("--config-file", config_file, "--weights", weights[0], "--output", tmp_path / "two")
    result = under_torchrun(2, 29742, *arguments, "--images", tmp_path / "pictures", "--batch-size", 1)
    assert result.returncode != 0
    assert result.stderr.count("error: Cannot read the image") == 1
    assert "ImageReadError" not in result.stderr
