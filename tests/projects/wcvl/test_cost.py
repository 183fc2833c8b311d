import pytest
import torch
from wcvl import WCVL
from wcvl.complexity import main
from wcvl.cost import GIGA, MEGA, Cost, describe, measure

PAPER = ("MODEL.BACKBONE.DEPTH", "50x", "MODEL.BACKBONE.FEAT_DIM", 2048, "MODEL.HEADS.NUM_CLASSES", 13164)
SIZE = (224, 224)

TABLE_VI = {  # shared layers: parameters in M, FLOPs in G
    "conv1-2": (24.2, 3.1),
    "conv1-3": (23.0, 2.1),
    "conv1-4": (16.3, 0.7),
    "conv1-5": (2.0, 2.0 / 1024),
}
MAIN = (48.1, 5.8)


@pytest.mark.parametrize("shared", TABLE_VI)
def test_feature_table_vi_to_its_printed_digits(make_cfg, shared):
    cost = measure(WCVL(make_cfg(*PAPER, "WCVL.SHARED_LAYERS", shared)), SIZE)
    parameters, flops = TABLE_VI[shared]
    assert round(cost.main_parameters / MEGA, 1) == MAIN[0]
    assert round(cost.main_multiply_adds / GIGA, 1) == MAIN[1]
    assert round(cost.module_parameters / MEGA, 1) == parameters
    if shared == "conv1-5":
        assert round(cost.module_multiply_adds / MEGA, 1) == 2.0
        return
    # The paper's FLOPs of the module are differences of totals rounded to a tenth: 6.5 - 5.8 for conv1-4, whose own is 0.756.
    total = (cost.main_multiply_adds + cost.module_multiply_adds) / GIGA
    assert round(round(total, 1) - MAIN[1], 1) == flops
    assert cost.module_multiply_adds / GIGA == pytest.approx(flops, abs=0.06)


def test_feature_counts_by_hand(make_cfg):
    model = WCVL(make_cfg("WCVL.SHARED_LAYERS", "conv1-5", "WCVL.HIDDEN_DIM", 100)).train()
    cost = measure(model, (64, 64))
    assert cost.module_parameters == 512 * 100 + 100 + 100 * 512 + 512
    assert cost.module_multiply_adds == 2 * 512 * 100
    assert model.training
    assert not model.main.training


def test_feature_description():
    lines = describe(Cost(4 * MEGA, 2 * MEGA, 8 * GIGA, GIGA)).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells == [
        ["main module", "4.000", "8.000"],
        ["cross-view module", "2.000", "1.000"],
        ["added, %", "50.000", "12.500"],
    ]


def test_smoke_command(tmp_path, capsys):
    config = tmp_path / "c.yml"
    config.write_text("MODEL: {META_ARCHITECTURE: WCVL, BACKBONE: {DEPTH: 18x, FEAT_DIM: 512, PRETRAIN: True}}\n")
    main(["--config-file", str(config), "INPUT.SIZE_TEST", "[64, 64]", "WCVL.SHARED_LAYERS", "conv1-5"])
    assert "cross-view module" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["--config-file", str(config), "WCVL.SHARED_LAYERS", "conv1-6"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: Command line: WCVL.SHARED_LAYERS is 'conv1-6'")


def test_smoke_measuring_keeps_the_random_state(make_cfg):
    model = WCVL(make_cfg())
    before = torch.get_rng_state()
    measure(model, (64, 64))
    assert torch.equal(torch.get_rng_state(), before)
