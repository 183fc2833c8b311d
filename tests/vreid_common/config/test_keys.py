"""Every key there is: explained, with a default that it may have, and refused by name and line with a value that it may not."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastreid.config import get_cfg

from vreid_common.config import (
    Anything,
    Constraint,
    Each,
    Either,
    Named,
    OneOf,
    Pattern,
    Range,
    Text,
    check_values,
    get_vreid_cfg,
    key_of,
    leaves,
)
from vreid_common.engine import load_config
from vreid_common.errors import InputError
from vreid_common.registry import RERANK_REGISTRY

NONSENSE = "no such thing"


def outside(values: Constraint, default: Any) -> Any:
    """A value of the key's type, where there is one, that it may not have."""
    match values:
        case Range(low=low, high=high, whole=whole):
            number = low - 1 if low > -math.inf else high + 1 if high < math.inf else math.nan
            return int(number) if (whole or isinstance(default, int)) and math.isfinite(number) else number
        case OneOf(choices=(first, *_)) if isinstance(first, bool):
            return "perhaps"
        case OneOf(choices=(first, *_)):
            return NONSENSE if isinstance(first, str) else 987_654
        case Named() | Pattern():
            return NONSENSE
        case Text(empty=False):
            return ""
        case Text():
            return 7
        case Each(lengths=(length, *_)):
            return [1] * (length + 7)
        case Each(entry=entry):
            return [outside(entry, "")]
        case Either():
            return -12_345.0
        case Anything():
            return NONSENSE
    raise AssertionError(f"{values!r} needs a value here")


def write(path: Path, key: str, value: Any) -> str:
    """A file with one key, a name a line; returns where the value stands."""
    tree = value
    for name in reversed(key.split(".")):
        tree = {name: tree}
    path.write_text(yaml.safe_dump(tree, default_flow_style=None, width=10_000))
    lines = path.read_text().splitlines()
    return f"{path}:{max(number for number, line in enumerate(lines, 1) if f'{key.rpartition(chr(46))[2]}:' in line)}"


def test_fastreid_has_no_key_that_is_not_declared():
    names = [name for name, _ in leaves(get_cfg())]
    assert len(names) == 131
    assert [name for name in names if key_of(name) is None] == []


def test_every_key_is_explained(defaults):
    for name, _ in leaves(defaults):
        key = key_of(name)
        assert key is not None, f"{name} is not declared"
        assert key.meaning.rstrip("…").endswith((".", "...")), f"{name} needs a sentence that says what it does"
        assert isinstance(key.values, Constraint)
        assert str(key.values)


def test_every_default_is_a_value_that_the_key_may_have(defaults):
    check_values(defaults)


def test_a_value_outside_of_what_a_key_takes_is_refused_by_name_and_line(defaults, add_config, tmp_path):
    file = tmp_path / "c.yml"
    shared = set() if add_config is None else {name for name, _ in leaves(get_vreid_cfg())}
    for name, default in leaves(defaults):
        if name in shared:
            continue
        where = write(file, name, outside(key_of(name).values, default))
        with pytest.raises(InputError) as refused:
            load_config(add_config, str(file))
        message = str(refused.value)
        assert message.startswith(f"{where}: {name} "), message
        assert "\n" not in message


def test_null_is_refused_by_name_and_line(defaults, add_config, tmp_path):
    file = tmp_path / "c.yml"
    for name, _ in leaves(defaults):
        where = write(file, name, None)
        with pytest.raises(InputError) as refused:
            load_config(add_config, str(file))
        assert str(refused.value).startswith(f"{where}: {name} is null: write ")


@pytest.mark.parametrize("value", [{"DEEPER": 1}, {"DEEPER": {"STILL": 1}}])
def test_a_key_below_a_value_is_refused(value, tmp_path):
    file = tmp_path / "c.yml"
    for name, _ in leaves(get_vreid_cfg()):
        write(file, name, value)
        with pytest.raises(InputError, match=rf"c.yml:\d+: {name} holds a value, such as .*, and no further keys."):
            load_config(None, str(file))


def test_steps_of_reranking_and_their_keys_take_the_same():
    for name, value in leaves(get_vreid_cfg().RERANK):
        node, _, parameter = name.lower().partition(".")
        if not parameter:
            continue
        field = RERANK_REGISTRY.get(node).__dataclass_fields__[parameter]
        values, allowed = key_of(f"RERANK.{name}").values, field.metadata
        assert value == field.default
        if allowed["choices"]:
            assert values.choices == allowed["choices"]
        else:
            high = min(allowed["high"], allowed["below"])
            assert (values.low, values.high, values.open_high) == (allowed["low"], high, allowed["below"] < math.inf)
