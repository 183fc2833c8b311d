"""extract | rerank | evaluate give the numbers of --eval-only to the last digit, by every project's Demo configuration."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vreid_common import cli
from vreid_common.engine import main
from vreid_common.engine.config_file import load_config
from vreid_common.engine.project import find_project

PROJECTS = Path(__file__).parents[2] / "projects"
SMALL = ("DATASETS.RENDER.SIZE", "tiny", "INPUT.SIZE_TEST", "[32, 32]", "MODEL.HEADS.NUM_CLASSES", "5", "TEST.NUM_WORKERS", "0")
SMALL += ("MODEL.BACKBONE.PRETRAIN", "False", "MODEL.DEVICE", "cpu", "DATASETS.VALIDATION.NUM_IDS", "0")
DEX = ("INPUT.SIZE_TEST", "[48, 48]")  # that of the files in DEX.MODELS.CONFIGS, whose models see the same images
CYBERCORE = ("CYBERCORE.HEADS.DIM", "64", "RERANK.COMPARE", "[]")


@pytest.fixture(scope="module", autouse=True)
def _root(tmp_path_factory):
    """Where the rendered vehicles are kept: 18 queries and 73 gallery images with cameras, tracks and views."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTREID_DATASETS", str(tmp_path_factory.mktemp("datasets")))
        yield


@pytest.fixture
def make_weights(tmp_path) -> Callable[..., str]:
    """A function: (configuration, overrides) to a checkpoint of the model with random weights, another one at each call."""
    made = []

    def make(config: Path, *opts: str) -> str:
        project = find_project(str(config))
        cfg = load_config(project.add_config, str(config), [*SMALL, *opts])
        torch.manual_seed(len(made))
        made.append(tmp_path / f"{len(made)}.pth")
        torch.save({"model": project.trainer.build_model(cfg).state_dict()}, made[-1])
        return str(made[-1])

    return make


def eval_only(config: Path, output: Path, *opts: str) -> dict[str, float]:
    """All metrics of ``train_net.py --eval-only``, in percent."""
    project = find_project(str(config))
    arguments = ["--config-file", str(config), "--eval-only", *SMALL, *opts, "OUTPUT_DIR", str(output)]
    return main(project.add_config, project.trainer, arguments)["StreetVehicles"]


def vreid(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert ended.value.code == 0


def extract(output: Path, *arguments: object, opts: tuple[str, ...] = ()) -> None:
    vreid("extract", "--dataset", "StreetVehicles", "--output", output, *arguments, "--opts", *SMALL, *opts)


def metrics(command: str, features: Path, *arguments: object) -> dict[str, float]:
    """The metrics of ``vreid evaluate``, or those of ``vreid rerank`` after all steps, in percent."""
    file = features.with_name("metrics.json")
    vreid(command, "--query", f"{features}_query", "--gallery", f"{features}_gallery", "--json", file, *arguments)
    return {name: 100 * value for name, value in json.loads(file.read_text())["results"][-1]["metrics"].items()}


def steps(config: Path, *names: str) -> tuple[str, ...]:
    """The arguments of ``vreid rerank`` for steps with a configuration's parameters."""
    cfg = load_config(find_project(str(config)).add_config, str(config), [])
    nodes = {name: cfg.RERANK.get(name.upper(), {}) for name in names}  # a step without parameters has none
    settings = [f"{name}.{key.lower()}={value}" for name, node in nodes.items() for key, value in node.items()]
    return "--steps", ",".join(names), "--set", *settings


def assert_same(found: dict[str, float], whole: dict[str, float], prefix: str = "") -> None:
    assert {"mAP", "Rank-1", "mINP", "mAP (same view)", "mAP (cross view)"} <= set(found)
    assert found == {name: whole[prefix + name] for name in found}


@pytest.mark.parametrize(
    ("file", "key", "features", "metric"),
    [
        ("DSAM/configs/Demo/S-D.yml", None, [""], "cosine"),
        ("WCVL/configs/Demo/wcvl_r18.yml", "WCVL.FEATURES", ["na", "main", "cv"], "euclidean"),
        ("EALN/configs/Demo/Hard-View-EALN.yml", "EALN.FEATURES", ["fused", "embedding", "by_view"], "cosine"),
    ],
    ids=["DSAM", "WCVL", "EALN"],
)
def test_each_feature_of_a_model(file, key, features, metric, make_weights, tmp_path):
    config = PROJECTS / file
    weights = make_weights(config)
    several = (key, str(features)) if key else ()
    whole = eval_only(config, tmp_path / "whole", "MODEL.WEIGHTS", weights, *several)
    for place, feature in enumerate(features):
        model = ("--config-file", config, "--weights", weights, "--combine", "mean")
        extract(tmp_path / "f", *model, opts=(key, str([feature])) if key else ())
        assert_same(metrics("evaluate", tmp_path / "f", "--metric", metric), whole, f"{feature}/" if place else "")


def test_ensemble_of_models_and_scales(make_weights, tmp_path):
    """DEx: two models at several scales, re-ranked as for the challenge."""
    demo = PROJECTS / "DEx" / "configs" / "Demo"
    configs = [demo / name for name in ("r18-ibn.yml", "r18.yml")]
    weights = [make_weights(config, *DEX) for config in configs]
    models = ("DEX.MODELS.CONFIGS", str([str(config) for config in configs]), "DEX.MODELS.WEIGHTS", str(weights))
    whole = eval_only(demo / "expansion.yml", tmp_path / "whole", *DEX, "DEX.SCALES", "[1.0, 1.2]", *models)
    named = [
        argument for pair in zip(configs, weights, strict=True) for argument in ("--config-file", pair[0], "--weights", pair[1])
    ]
    extract(tmp_path / "f", *named, "--scales", "1,1.2", opts=DEX)
    names = ("dual_embedding_expansion", "database_augmentation", "k_reciprocal", "pull_tracklets")
    assert_same(metrics("rerank", tmp_path / "f", *steps(configs[0], *names)), whole)


def test_distance_of_several_models(make_weights, tmp_path):
    """Cybercore: the vehicles' distance less that of a camera model."""
    config = PROJECTS / "CybercoreBaseline" / "configs" / "Demo" / "r18.yml"
    camera = (*CYBERCORE, "CYBERCORE.LABEL", "camera", "CYBERCORE.MIXSTYLE.ENABLED", "False")
    weights = {}
    for name, opts in (("vehicle", CYBERCORE), ("camera", camera)):
        weights[name] = make_weights(config, *opts)
        extract(tmp_path / name, "--config-file", config, "--weights", weights[name], "--flip", "--combine", "mean", opts=opts)
    names = ("fuse_distances", "k_reciprocal")
    rerank = ("RERANK.PIPELINE", str(list(names)), "RERANK.FURTHER", str([["camera", str(tmp_path / "camera")]]))
    whole = eval_only(config, tmp_path / "whole", "MODEL.WEIGHTS", weights["vehicle"], *CYBERCORE, *rerank)
    further = ("--further", "camera", tmp_path / "camera_query", tmp_path / "camera_gallery")
    assert_same(metrics("rerank", tmp_path / "vehicle", *further, *steps(config, *names)), whole)
