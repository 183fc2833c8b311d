"""The only place that patches FastReID 1.4.0. Each patch names the fault that it cures (docs/fastreid.md lists them)."""

import collections
import collections.abc
import importlib.util
import sys
import types


def apply() -> None:
    if importlib.util.find_spec("fastreid") is None:
        raise ImportError("vreid_common needs FastReID: run `pip install --no-deps fastreid==1.4.0`.")
    for name in ("Mapping", "OrderedDict"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    if "torch._six" not in sys.modules:
        six = types.ModuleType("torch._six")
        six.string_classes = (str, bytes)
        six.container_abcs = collections.abc
        six.int_classes = int
        sys.modules["torch._six"] = six
