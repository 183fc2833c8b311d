"""A cure holds under every name: no module, class, registry or partial keeps an object that compat replaced."""

import os
import subprocess
import sys

SCRIPT = r"""
import collections, collections.abc, functools, importlib, pkgutil, sys, types, warnings

warnings.simplefilter("ignore")
for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
six = sys.modules["torch._six"] = types.ModuleType("torch._six")
six.string_classes = (str, bytes)

import fastreid
from fastreid.utils.registry import Registry

for found in pkgutil.walk_packages(fastreid.__path__, "fastreid."):
    if "rank_cylib." not in found.name:  # scripts
        importlib.import_module(found.name)

# Names that a user's script has before vreid_common is imported.
from fastreid.data.data_utils import read_image
from fastreid.solver import build_optimizer

read_palette = functools.partial(read_image, "palette.png")


def holders():
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] != "fastreid":
            continue
        for name, value in list(vars(module).items()):
            yield f"{module_name}.{name}", value
            if isinstance(value, type) and value.__module__.startswith("fastreid."):
                yield from ((f"{module_name}.{name}.{key}", part) for key, part in list(vars(value).items()))
            elif isinstance(value, Registry):
                yield from ((f"{module_name}.{name}[{key}]", part) for key, part in value._obj_map.items())
            elif isinstance(value, functools.partial):
                yield f"{module_name}.{name}.func", value.func


COMPARED = (types.FunctionType, type, types.ModuleType, functools.partial)
before = {where: value for where, value in holders() if isinstance(value, COMPARED)}
codes = {where: value.__code__ for where, value in before.items() if isinstance(value, types.FunctionType)}

import vreid_common

after = dict(holders())
replaced = {id(value): where for where, value in before.items() if after.get(where) is not value}
in_place = {value.__qualname__ for where, value in before.items() if where in codes and value.__code__ is not codes[where]}
left = {where: replaced[id(value)] for where, value in after.items() if id(value) in replaced}
assert not left, f"still the old object: {left}"
assert {"read_image", "softmax_weights", "fast_batch_collator", "build_resnet_backbone", "build_vit_backbone"} <= in_place
old_codes = {code for where, code in codes.items() if before[where].__code__ is not code}
assert not [where for where, value in after.items() if getattr(value, "__code__", None) in old_codes]

import torch
from PIL import Image
from fastreid.config import get_cfg

Image.new("RGB", (4, 4), (200, 30, 60)).convert("P").save("palette.png")
assert read_palette().mode == "RGB"

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
optimizer, _ = build_optimizer(get_cfg(), model)
start = [value.clone() for value in model.parameters()]
optimizer.zero_grad()
(model(torch.randn(8, 4)) * torch.randn(3)).pow(2).sum().backward()
optimizer.step()
assert not [old for old, new in zip(start, model.parameters()) if torch.equal(old, new)]
print("every name is cured")
"""


def test_no_name_keeps_an_old_object_even_if_fastreid_was_imported_first(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.stdout == "every name is cured\n", result.stderr
