"""Reading files and options: what is wrong is said with file and line, what users know of yacs still works."""

from pathlib import Path

import pytest
from fastreid.config import get_cfg

from vreid_common.config import get_vreid_cfg, invalid, merge_file, merge_pairs, stated, take_group, written_values
from vreid_common.engine import load_config
from vreid_common.errors import InputError


def refused(tmp_path: Path, text: str, *opts: object, **others: str) -> str:
    """What is said to a.yml with this text, beside other files by their names; without the folder."""
    (tmp_path / "a.yml").write_text(text)
    for name, content in others.items():
        (tmp_path / f"{name}.yml").write_text(content)
    with pytest.raises(InputError) as error:
        load_config(None, str(tmp_path / "a.yml"), [str(opt) for opt in opts])
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("_BASE_: a.yml", "a.yml: _BASE_ goes in a circle: a.yml -> a.yml."),
        ("_BASE_: gone.yml", "a.yml: _BASE_ names gone.yml, which does not exist."),
        ("_BASE_: .", "which does not exist as a file"),
        ("_BASE_: /dev/zero", "a.yml: _BASE_ names /dev/zero, which does not exist as a file"),
        ("_BASE_: http://example.org/b.yml", "_BASE_ names http://example.org/b.yml, but nothing is fetched: save that file"),
        ("_BASE_: [b.yml]", "a.yml:1: _BASE_ is ['b.yml']: name one file."),
        ("_BASE_:", "a.yml:1: _BASE_ is None: name one file."),
        ("SEED: &x [*x]", "a.yml:1: the value that an anchor names holds itself."),
        ("SOLVER: &s\n  AMP: *s\n", "a.yml:1: the value that an anchor names holds itself."),
        ("SOLVER: {BASE_LR: 1.0}\nSEED: 1\nSOLVER: {MAX_EPOCH: 2}", "a.yml:3: SOLVER is written twice, in line 1 too"),
        ("SOLVER:\n  BASE_LR: 1.0\n  BASE_LR: 2.0", "a.yml:3: SOLVER.BASE_LR is written twice, in line 2 too"),
        ("OUTPUT_DIR: null", "a.yml:1: OUTPUT_DIR is null: write a text, or leave it out for 'logs/'."),
        ("OUTPUT_DIR: None", "a.yml:1: OUTPUT_DIR is null"),
        ("OUTPUT_DIR: ''", "a.yml:1: OUTPUT_DIR is '': name a folder."),
        ("SOLVER:\n", "a.yml:1: SOLVER is a group of keys without any here"),
        ("SOLVER: 3", "a.yml:1: SOLVER is a group of keys and takes no value; got 3. Its keys are SOLVER.AMP, "),
        ("SOLVER:\n  MAX_EPOCH: 2\n  BASE_LR: -1.0", "a.yml:3: SOLVER.BASE_LR is -1.0: use a number above 0."),
        ("SOLVER: {BASE_LR: .nan}", "a.yml:1: SOLVER.BASE_LR is nan: use a number above 0."),
        ("SOLVER: {STEPS: ['40', '90']}", "a.yml:1: SOLVER.STEPS is ['40', '90']: use a list of epochs"),
        ("SOLVER: {STEPS: 40}", 'a.yml:1: SOLVER.STEPS has to be a list, e.g. "[40]"; got 40.'),
        ("MODEL: {CHANNELS_LAST: on}", "a.yml:1: MODEL.CHANNELS_LAST has to be a text, in quotes; got True."),
        ("SOLVR: {}", "a.yml:1: unknown key SOLVR; did you mean SOLVER?"),
        ("SOLVER: {BASE_LRR: 1.0}", "a.yml:1: unknown key SOLVER.BASE_LRR; did you mean SOLVER.BASE_LR?"),
        ("1: 2", "a.yml:1: unknown key 1."),
        ("? [a, b]\n: 1", "a.yml:1: a key is a name, not a list or a group."),
        ("SEED: 1\na: b: c", "a.yml:2: this is not YAML: mapping values are not allowed here."),
        ("SEED: 1\n\tTEST: 1", "a.yml:2: this is not YAML: "),
        ("SEED: !!python/name:os.system x", "a.yml:1: this value cannot be read: could not determine a constructor"),
        ("SEED: 2026-99-99", "a.yml:1: this value cannot be read: month must be in 1..12."),
        ("SEED: " + "[" * 5000, "a.yml is nested too deeply."),
        ("SEED: 1\n---\nSEED: 2", "a.yml:2: this is not YAML: but found another document."),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(text: str, said: str, tmp_path: Path):
    assert said in refused(tmp_path, text)


def test_the_chain_of_a_circle_is_named(tmp_path: Path):
    said = refused(tmp_path, "_BASE_: b.yml", b="_BASE_: c.yml", c="_BASE_: ./a.yml")
    assert said == "c.yml: _BASE_ goes in a circle: a.yml -> b.yml -> c.yml -> a.yml."


def test_a_value_of_a_base_file_is_named_by_that_file(tmp_path: Path):
    said = refused(tmp_path, "_BASE_: b.yml\nSEED: 1", b="SEED: 0\nTEST:\n  MAX_RANK: 0")
    assert said == "b.yml:3: TEST.MAX_RANK is 0: use 1 to 100000."


def test_aliases_of_aliases_do_not_take_for_ever(tmp_path: Path):
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    assert "has more than 100000 values" in refused(tmp_path, laughs)


def test_what_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "a.yml").write_bytes(b"SEED: \xff\xfe")
    with pytest.raises(InputError, match=r"a.yml is not text in UTF-8."):
        load_config(None, str(tmp_path / "a.yml"))


@pytest.mark.parametrize("name", ["gone.yml", ".", "a\0b"])
def test_a_file_that_is_not_there(name: str):
    with pytest.raises(InputError, match="--config-file"):
        load_config(None, name)


@pytest.mark.parametrize(
    ("opts", "said"),
    [
        (["DATASETS.NAMES", "[VeRi776]"], """DATASETS.NAMES has to be a list, e.g. "['VeRi776']"; got [VeRi776]."""),
        (["DATASETS.NAMES", "[VeRi776, VRIC]"], """e.g. "['VeRi776', 'VRIC']"; got"""),
        (["DATASETS.NAMES", "VeRi776"], """e.g. "['VeRi776']"; got VeRi776."""),
        (["SOLVER.STEPS", "40"], 'SOLVER.STEPS has to be a list, e.g. "[40]"; got 40.'),
        (["SOLVER.BASE_LR.X", "1"], "unknown key SOLVER.BASE_LR.X: SOLVER.BASE_LR holds a value, 0.0003, and no further keys."),
        (["SEED", "9" * 5000], "SEED has to be a whole number; got '9999"),
        (["SEED", "((((((1"], "SEED has to be a whole number"),
        (["SOLVER.BASE_LR", "1" + "0" * 400], "SOLVER.BASE_LR has to be a number"),
        (["SOLVER.MAX_EPOCH", "True"], "SOLVER.MAX_EPOCH has to be a whole number; got True."),
        (["SEED"], "'SEED' has no partner"),
    ],
)
def test_options(opts: list[str], said: str):
    with pytest.raises(InputError) as error:
        load_config(None, "", opts)
    assert str(error.value).startswith("Command line: ")
    assert said in str(error.value)
    assert len(str(error.value)) < 700


def test_what_users_know_of_yacs_still_works(tmp_path: Path):
    file = tmp_path / "a.yml"
    file.write_text(
        "SOLVER: {BASE_LR: 1e-4, WEIGHT_DECAY: 0, STEPS: [1]}\nDATASETS: {NAMES: \"('VeRi776',)\", TESTS: [VeRi776]}\n"
    )
    cfg = load_config(None, str(file), ["OUTPUT_DIR", "2026", "INPUT.SIZE_TEST", "(64, 64)", "MODEL.BACKBONE.DEPTH", "'18x'"])
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.WEIGHT_DECAY, cfg.SOLVER.STEPS) == (1e-4, 0.0, [1])
    assert isinstance(cfg.SOLVER.WEIGHT_DECAY, float)
    assert (cfg.DATASETS.NAMES, cfg.DATASETS.TESTS) == (("VeRi776",), ("VeRi776",))
    assert (cfg.OUTPUT_DIR, cfg.INPUT.SIZE_TEST, cfg.MODEL.BACKBONE.DEPTH) == ("2026", [64, 64], "18x")


def test_merge_keys_of_yaml_come_before_a_groups_own(tmp_path: Path):
    file = tmp_path / "a.yml"
    file.write_text("TEST:\n  AQE: &scale {QE_K: 7}\n  RERANK: {K1: 9}\n")
    assert written_values(str(file)) == {"TEST.AQE.QE_K": 7, "TEST.RERANK.K1": 9}
    file.write_text("SOLVER:\n  CLIP_GRADIENTS: &d {CLIP_VALUE: 1.0}\nDATASETS:\n  CSV:\n    <<: *d\n    FILE: x\n")
    assert written_values(str(file))["DATASETS.CSV.CLIP_VALUE"] == 1.0


def test_files_read_as_fastreid_reads_them(tmp_path: Path):
    (tmp_path / "base.yml").write_text("SOLVER: {MAX_EPOCH: 3, BASE_LR: 0.5}\nMODEL: {HEADS: {NORM: GN}}\n")
    (tmp_path / "a.yml").write_text("_BASE_: base.yml\nSOLVER: {MAX_EPOCH: 7}\nDATASETS: {NAMES: [VeRi776]}\n")
    ours, theirs = get_vreid_cfg(), get_cfg()
    merge_file(ours, str(tmp_path / "a.yml"))
    theirs.merge_from_file(str(tmp_path / "a.yml"))
    for node in ("SOLVER", "MODEL", "DATASETS"):
        assert {key: ours[node][key] for key in theirs[node] if key not in ("AMP", "BACKBONE", "HEADS", "LOSSES")} == {
            key: value for key, value in theirs[node].items() if key not in ("AMP", "BACKBONE", "HEADS", "LOSSES")
        }


def test_sentences_name_where_a_value_was_written_as_long_as_it_stands(tmp_path: Path):
    file = tmp_path / "a.yml"
    file.write_text("SOLVER:\n  MAX_EPOCH: 7\n")
    cfg = get_vreid_cfg()
    merge_file(cfg, str(file))
    copy = cfg.clone()
    assert str(invalid(copy, "SOLVER.MAX_EPOCH", "use more")) == f"{file}:2: SOLVER.MAX_EPOCH is 7: use more."
    assert stated(copy, "SOLVER.MAX_EPOCH") == f"SOLVER.MAX_EPOCH 7 ({file}:2)"
    copy.SOLVER.MAX_EPOCH = 9
    assert str(invalid(copy, "SOLVER.MAX_EPOCH", "use more")) == "SOLVER.MAX_EPOCH is 9: use more."
    merge_pairs(copy, ["SOLVER.MAX_EPOCH", "8"])
    assert str(invalid(copy, "SOLVER.MAX_EPOCH", "use more")) == "Command line: SOLVER.MAX_EPOCH is 8: use more."


def test_a_group_that_takes_another_ones_values_is_called_by_that_ones_name(tmp_path: Path):
    file = tmp_path / "a.yml"
    file.write_text("TEST:\n  RERANK: {K1: 9, K2: 8}\n")
    cfg = get_vreid_cfg()
    merge_file(cfg, str(file))
    cfg.RERANK.K_RECIPROCAL.ENABLED = cfg.RERANK.K_RECIPROCAL.LAMBDA = 0
    take_group(cfg, "TEST.RERANK", "RERANK.K_RECIPROCAL")
    assert cfg.RERANK.K_RECIPROCAL.K1 == 9
    assert str(invalid(cfg, "RERANK.K_RECIPROCAL.K2", "use more")) == f"{file}:2: TEST.RERANK.K2 is 8: use more."
