"""The command that prints what WCVL costs, without training anything:

    python -m wcvl.complexity --config-file configs/VeRi/wcvl_r50.yml MODEL.HEADS.NUM_CLASSES 576

NUM_CLASSES, the number of training identities, is the size of the main module's classifier.
"""

import argparse
import logging
from collections.abc import Sequence

from vreid_common.engine import load_config
from vreid_common.guard import guard
from wcvl.config import add_wcvl_config
from wcvl.cost import describe, measure
from wcvl.meta_arch import WCVL

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table; bad input ends with status 2 and one sentence."""
    description = "Parameters and multiply-adds of the main module and of WCVL, in the units of Table VI."
    parser = argparse.ArgumentParser(prog="python -m wcvl.complexity", description=description)
    parser.add_argument("--config-file", required=True, metavar="FILE", help="configuration (YAML)")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that override the configuration")
    args = parser.parse_args(argv)
    with guard():
        cfg = load_config(add_wcvl_config, args.config_file, args.opts)
        cfg.MODEL.BACKBONE.PRETRAIN = False
        print(describe(measure(WCVL(cfg), tuple(cfg.INPUT.SIZE_TEST))))


if __name__ == "__main__":
    logging.getLogger("wcvl").setLevel(logging.ERROR)  # that the main module is not trained does not matter here
    main()
