"""The command line, mostly as somebody uses it wrongly: one sentence, status 2, and nothing left behind."""

from pathlib import Path

import pytest

from vreid_common.engine import load_config, main
from vreid_common.errors import InputError


def refused(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(argv=[str(argument) for argument in arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    return error


def test_missing_config_file(capsys: pytest.CaptureFixture):
    assert "nowhere.yml does not exist" in refused(capsys, "--config-file", "nowhere.yml")


def test_unknown_key_names_the_nearest(config_file: Path, capsys: pytest.CaptureFixture):
    said = refused(capsys, "--config-file", config_file, "SOLVER.BASE_LRR", 1)
    assert "unknown key SOLVER.BASE_LRR; did you mean SOLVER.BASE_LR?" in said


def test_unknown_key_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "c.yml"
    path.write_text("SOLVER: {BASE_LRR: 1.0}")
    assert "c.yml:1: unknown key SOLVER.BASE_LRR" in refused(capsys, "--config-file", path)


def test_malformed_yaml(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "c.yml"
    path.write_text("SOLVER: {BASE_LR: [")
    assert "c.yml" in refused(capsys, "--config-file", path)


def test_wrong_type(config_file: Path, capsys: pytest.CaptureFixture):
    assert "SOLVER.MAX_EPOCH" in refused(capsys, "--config-file", config_file, "SOLVER.MAX_EPOCH", "many")


def test_key_without_value(config_file: Path, capsys: pytest.CaptureFixture):
    assert "'SOLVER.MAX_EPOCH' has no partner" in refused(capsys, "--config-file", config_file, "SOLVER.MAX_EPOCH")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["MODEL.META_ARCHITECTURE", "MoCo"], "MoCo mislabels its queue"),
        (["MODEL.META_ARCHITECTURE", "Baselin"], "use one of"),
        (["SOLVER.AMP.ENABLED", "True", "SOLVER.AMP.DTYPE", "float16"], "float16 needs CUDA"),
        (["SOLVER.AMP.ENABLED", "True", "SOLVER.AMP.DTYPE", "half"], "SOLVER.AMP.DTYPE is 'half'"),
        (["SOLVER.MAX_EPOCH", "0"], "SOLVER.MAX_EPOCH is 0"),
        (["SOLVER.CHECKPOINT_PERIOD", "0"], "SOLVER.CHECKPOINT_PERIOD is 0"),
        (["DATASETS.NAMES", "()"], "DATASETS.NAMES is []: name a training set"),
        (["MODEL.CHANNELS_LAST", "yes"], "MODEL.CHANNELS_LAST is 'yes'"),
        (["MODEL.WEIGHTS", "gone.pth"], "gone.pth does not exist"),
        (["SOLVER.OPT", "Lamb"], "SOLVER.OPT is 'Lamb'"),
        (["SOLVER.WARMUP_ITERS", "1000"], "SOLVER.WARMUP_ITERS is 1000"),
        (["DATASETS.NAMES", "('VeRy776',)"], "VeRy776"),
        (["MODEL.BACKBONE.DEPTH", "19x"], "MODEL.BACKBONE.DEPTH is '19x': use one of build_resnet_backbone's: 18x, 34x"),
        (["MODEL.BACKBONE.NAME", "build_resnext"], "MODEL.BACKBONE.NAME is 'build_resnext': use one of build"),
        (["MODEL.HEADS.NAME", "Head"], "MODEL.HEADS.NAME is 'Head': use one of "),
        (["DATALOADER.NUM_WORKERS", "-1"], "DATALOADER.NUM_WORKERS is -1"),
        (["TEST.NUM_WORKERS", "-1"], "TEST.NUM_WORKERS is -1"),
        (["INPUT.SIZE_TRAIN", "[64]"], "INPUT.SIZE_TRAIN is [64]: use [height, width]"),
        (["INPUT.SIZE_TEST", "[64, 0]"], "INPUT.SIZE_TEST is [64, 0]"),
        (["SOLVER.STEPS", "[2, 1]"], "SOLVER.STEPS is [2, 1]: the entries have to rise"),
        (["MODEL.DEVICE", "gpu"], "MODEL.DEVICE is 'gpu': use cpu, cuda, or cuda:N"),
        (["DATASETS.NAMES", "CSVVehicles"], """DATASETS.NAMES has to be a list, e.g. "['CSVVehicles']"; got CSVVehicles."""),
        (["TEST.PRECISE_BN", "True"], "Its keys are TEST.PRECISE_BN.ENABLED, TEST.PRECISE_BN.DATASET"),
        (["SOLVER.MAX_EPOCH", "many"], "SOLVER.MAX_EPOCH has to be a whole number; got many."),
        (["SOLVER.BASE_LR", "fast"], "SOLVER.BASE_LR has to be a number; got fast."),
        (["SOLVER.MAX_EPOCH", "1", "--eval-only", "SEED", "1"], "--eval-only stands after a KEY VALUE pair"),
        (["TEST.PROTOCOL", "Guess"], "TEST.PROTOCOL"),
        (["RERANK.PIPELINE", "('k_reciprocal', 'database_augmentation')"], "put database_augmentation first"),
    ],
)
def test_configurations_that_cannot_work(options: list[str], said: str, config_file: Path, capsys: pytest.CaptureFixture):
    assert said in refused(capsys, "--config-file", config_file, *options)


def test_pretrained_weights_that_cannot_be_fetched(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def offline(*_args, **_kwargs):
        raise ConnectionError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("gdown.download", offline)
    said = refused(capsys, "--config-file", config_file, "MODEL.BACKBONE.PRETRAIN", "True")
    assert "The ImageNet weights of build_resnet_backbone 18x are not to be had (ConnectionError: no network)" in said
    assert "MODEL.BACKBONE.PRETRAIN_PATH" in said


def test_pretrained_weights_at_a_wrong_path(config_file: Path, capsys: pytest.CaptureFixture):
    weights = ["MODEL.BACKBONE.PRETRAIN", "True", "MODEL.BACKBONE.PRETRAIN_PATH", "gone.pth"]
    assert "gone.pth" in refused(capsys, "--config-file", config_file, *weights)


def test_the_closing_line_names_what_was_written(config_file: Path, tmp_path: Path):
    last = {}
    for name, options in {"trained": [], "evaluated": ["--eval-only"]}.items():
        weights = ["MODEL.WEIGHTS", str(tmp_path / "trained" / "model_final.pth")] if options else []
        main(argv=["--config-file", str(config_file), *options, "OUTPUT_DIR", str(tmp_path / name), *weights])
        last[name] = (tmp_path / name / "log.txt").read_text().splitlines()[-1].partition(": ")[2]
    assert last["trained"] == f"Checkpoints, metrics.json, results.json and log.txt are in {tmp_path}/trained."
    assert last["evaluated"] == f"results.json and log.txt are in {tmp_path}/evaluated."
    assert {path.name for path in (tmp_path / "evaluated").iterdir()} == {"results.json", "cmc.json", "log.txt"}


def test_eval_only_without_test_sets(config_file: Path, capsys: pytest.CaptureFixture):
    said = refused(capsys, "--config-file", config_file, "--eval-only", "DATASETS.TESTS", "()")
    assert "DATASETS.TESTS is []: --eval-only has nothing to evaluate: name a test set." in said


def test_eval_only_without_weights(config_file: Path, capsys: pytest.CaptureFixture):
    assert "--eval-only needs MODEL.WEIGHTS" in refused(capsys, "--config-file", config_file, "--eval-only")


def test_cuda_that_is_not_there_falls_back_and_says_so(config_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    main(argv=["--config-file", str(config_file), "MODEL.DEVICE", "cuda", "SOLVER.MAX_EPOCH", "1", "SOLVER.STEPS", "[]"])
    log = (config_file.parent / "out" / "log.txt").read_text()
    assert "MODEL.DEVICE cuda is not there: running on the CPU." in log


@pytest.mark.parametrize("content", ["", "just a text", "- a\n- b\n"])
def test_a_file_that_holds_no_keys(content: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "c.yml"
    path.write_text(content)
    assert "is empty or is not made of KEY: VALUE" in refused(capsys, "--config-file", path)


@pytest.mark.parametrize("folder", ["taken", "taken/below"])
def test_an_output_folder_that_cannot_be_made(folder: str, config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "taken").write_text("")
    said = refused(capsys, "--config-file", config_file, "OUTPUT_DIR", tmp_path / folder)
    assert f"OUTPUT_DIR {tmp_path / folder} cannot be written to" in said


def test_load_config_reads_base_files(tmp_path: Path, config_file: Path):
    child = tmp_path / "child.yml"
    child.write_text(f"_BASE_: {config_file.name}\nSOLVER: {{MAX_EPOCH: 7}}\n")
    cfg = load_config(None, str(child), ["SEED", "5"])
    assert (cfg.SOLVER.MAX_EPOCH, cfg.SOLVER.IMS_PER_BATCH, cfg.SEED) == (7, 8, 5)


def test_missing_base_file_is_named(tmp_path: Path):
    child = tmp_path / "child.yml"
    child.write_text("_BASE_: gone.yml\n")
    with pytest.raises(InputError, match=r"child.yml: _BASE_ names .*gone.yml, which does not exist"):
        load_config(None, str(child))
