import pytest
from wcvl import WCVLTrainer, add_wcvl_config
from wcvl.trainer import compare

from vreid_common.engine import main
from vreid_common.engine.rehearsal import rehearse
from vreid_common.errors import InputError


@pytest.fixture
def cfg(make_cfg):
    return make_cfg(
        *("OUTPUT_DIR", "out", "TEST.METRIC", "euclidean", "SOLVER.MAX_EPOCH", 120, "SOLVER.SCHED", "CosineAnnealingLR"),
        *("SOLVER.DELAY_EPOCHS", 30, "MODEL.FREEZE_LAYERS", ["backbone"], "SOLVER.FREEZE_ITERS", 10),
    )


class TestStages:
    def test_feature_main_then_module(self, cfg):
        main, module = WCVLTrainer.stages(cfg)
        assert (main.OUTPUT_DIR, module.OUTPUT_DIR) == ("out/main", "out/wcvl")
        assert main.MODEL.META_ARCHITECTURE == "VehicleBaseline"
        assert (main.SOLVER.MAX_EPOCH, main.SOLVER.SCHED, main.MODEL.FREEZE_LAYERS) == (120, "CosineAnnealingLR", ["backbone"])
        assert main.TEST.METRIC == "cosine"
        assert module.MODEL.META_ARCHITECTURE == "WCVL"
        assert module.WCVL.MAIN.WEIGHTS == "out/main/model_final.pth"
        solver = module.SOLVER
        assert (solver.MAX_EPOCH, solver.SCHED, solver.STEPS, solver.BASE_LR) == (60, "MultiStepLR", [20, 35], 3.5e-4)
        assert (solver.DELAY_EPOCHS, solver.WARMUP_ITERS, solver.FREEZE_ITERS, module.MODEL.FREEZE_LAYERS) == (0, 0, 0, [])
        assert (module.TEST.METRIC, solver.IMS_PER_BATCH) == ("euclidean", cfg.SOLVER.IMS_PER_BATCH)

    def test_feature_leaves_the_given_config_alone(self, cfg):
        before = cfg.dump()
        cfg.freeze()
        WCVLTrainer.stages(cfg)
        assert cfg.dump() == before

    @pytest.mark.parametrize("key", ["WCVL.MAIN.WEIGHTS", "MODEL.WEIGHTS"])
    def test_feature_a_checkpoint_leaves_the_module_alone_to_train(self, cfg, key):
        cfg.merge_from_list([key, "model.pth"])
        (module,) = WCVLTrainer.stages(cfg)
        assert (module.OUTPUT_DIR, module.SOLVER.MAX_EPOCH) == ("out", 60)
        assert (cfg.WCVL.MAIN.WEIGHTS, cfg.MODEL.WEIGHTS) == (module.WCVL.MAIN.WEIGHTS, module.MODEL.WEIGHTS)

    @pytest.mark.parametrize("overrides", [("WCVL.END_TO_END", True), ("MODEL.META_ARCHITECTURE", "VehicleBaseline")])
    def test_feature_one_run_with_the_main_schedule(self, cfg, overrides):
        cfg.merge_from_list(list(overrides))
        assert WCVLTrainer.stages(cfg) == [cfg]


def test_feature_comparison_has_the_main_module_on_top(cfg):
    cfg.WCVL.FEATURES = ["na", "cv", "main"]
    figures = {"mAP": 60.0, "Rank-1": 70.0, "Rank-5": 80.0, "CSC": 2.0, "mINP": 1.0}
    metrics = {**figures, **{f"cv/{k}": v + 1 for k, v in figures.items()}, **{f"main/{k}": v + 2 for k, v in figures.items()}}
    lines = compare(cfg, metrics).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "-|" not in line]
    assert cells == [
        ["", "mAP", "Rank-1", "Rank-5", "CSC"],
        ["main module alone", "62.00", "72.00", "82.00", "4.00"],
        ["main + WCVL (na)", "60.00", "70.00", "80.00", "2.00"],
        ["x_cv", "61.00", "71.00", "81.00", "3.00"],
    ]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("WCVL.SHARED_LAYERS", "conv9", "WCVL.SHARED_LAYERS is 'conv9'"),
        ("WCVL.FEATURES", ["nax"], "WCVL.FEATURES is ['nax']"),
        ("WCVL.POOL_LAYER", "Pool", "WCVL.POOL_LAYER"),
        ("WCVL.MAIN.STAGES", ["backbone.layer9"], "WCVL.MAIN.STAGES names 'backbone.layer9'"),
        ("WCVL.SOLVER.MAX_EPOCH", 0, "WCVL.SOLVER.MAX_EPOCH is 0"),
        ("WCVL.SOLVER.STEPS", [20, 10], "WCVL.SOLVER.STEPS is [20, 10]: the entries have to rise"),
        ("WCVL.SOLVER.SCHED", "StepLR", "WCVL.SOLVER.SCHED is 'StepLR'"),
    ],
)
def test_what_is_wrong_with_the_module_is_said_before_the_main_module_is_trained(
    make_cfg, tmp_path, monkeypatch, capsys, key, value, said
):
    config = tmp_path / "c.yml"
    config.write_text(make_cfg("OUTPUT_DIR", str(tmp_path / "out"), key, value).dump())
    monkeypatch.setattr(WCVLTrainer, "__init__", lambda *_: pytest.fail("a stage has begun"))
    with pytest.raises(SystemExit) as stopped:
        main(add_wcvl_config, WCVLTrainer, ["--config-file", str(config)])
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert said in error
    assert not (tmp_path / "out").exists()


def test_the_main_modules_schedule_keeps_its_name(make_cfg):
    main_stage, _ = WCVLTrainer.stages(make_cfg("SOLVER.MAX_EPOCH", 0))
    with pytest.raises(ValueError, match=r"^SOLVER.MAX_EPOCH is 0"):
        WCVLTrainer.check_config(main_stage, training=True)


def test_both_stages_are_rehearsed_before_the_first_is_trained(make_cfg, vehicles, tmp_path):
    keys = ("OUTPUT_DIR", str(tmp_path), "DATASETS.CSV.FILE", str(vehicles))
    names = (
        "DATASETS.NAMES",
        ["CSVVehicles"],
        "DATASETS.TESTS",
        ["CSVVehicles"],
        "SOLVER.IMS_PER_BATCH",
        8,
        "MODEL.HEADS.NUM_CLASSES",
        0,
    )
    names += ("DATALOADER.SAMPLER_TRAIN", "NaiveIdentitySampler", "DATALOADER.NUM_INSTANCE", 2, "SOLVER.WARMUP_ITERS", 0)
    for stage in WCVLTrainer.stages(make_cfg(*keys, *names)):
        rehearse(WCVLTrainer, stage)
    *_, module = WCVLTrainer.stages(make_cfg(*keys, *names, "RERANK.PIPELINE", ["fuse_distances"]))
    with pytest.raises(InputError, match="fuse_distances needs the features orientation or camera"):
        rehearse(WCVLTrainer, module)
