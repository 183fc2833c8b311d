"""``vreid render``: writes rendered vehicles as a data set."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, fields, replace
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.files import check_writable, write_json
from vreid_common.synthetic.layouts import LAYOUTS
from vreid_common.synthetic.scene import Domain, Scene
from vreid_common.synthetic.sizes import SIZES, RenderSize
from vreid_common.synthetic.writer import write_scene

__all__ = ["add_render_arguments", "run_render"]


def add_render_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that ``run_render`` takes."""
    parser.add_argument("output", type=Path, help="folder to write into; run again after an interruption, it goes on")
    parser.add_argument("--domain", choices=[d.name.lower() for d in Domain], default="street", help="(default: %(default)s)")
    parser.add_argument("--layout", choices=list(LAYOUTS), default="csv", help="folder layout (default: %(default)s)")
    parser.add_argument("--size", choices=list(SIZES), default="demo", help="numbers to start from (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="one seed gives bit-identical images (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=None, help="processes that render (default: one a core)")
    parser.add_argument("--json", metavar="FILE", help="write how many images were rendered, and of what scene")
    for field in fields(RenderSize):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=int, default=None, help="in place of the size's")


def run_render(args: argparse.Namespace) -> int:
    """Renders what is missing in the folder; returns 0.

    Raises:
        InputError: the numbers make no scene, or the folder holds something else.
    """
    check_writable(args.json)
    changed = {f.name: getattr(args, f.name) for f in fields(RenderSize) if getattr(args, f.name) is not None}
    if args.workers is not None and args.workers < 1:
        raise InputError(f"--workers is {args.workers}: set it to 1 or more.")
    try:
        scene = Scene(replace(SIZES[args.size], **changed), Domain[args.domain.upper()], args.seed)
    except ValueError as error:
        raise InputError(str(error)) from error
    start = time.perf_counter()
    rendered = write_scene(scene, args.output, args.layout, args.workers)
    seconds = time.perf_counter() - start
    rate = f", {rendered / seconds:.0f} images/s" if rendered else ""
    print(f"{args.output}: {rendered} images rendered in {seconds:.1f} s{rate}; labels in vehicles.csv.")
    if args.json:
        about = {"domain": args.domain, "layout": args.layout, "seed": args.seed, "size": asdict(scene.size)}
        write_json(args.json, {"output": str(args.output), "rendered": rendered, "seconds": seconds, **about})
    return 0
