"""The paper's figures from finished trainings, and the share of generated negatives that lie where Eq. 3 wants them:

    python -m ealn.figures generated logs/demo/Hard-View-EALN --output generated.png                            Fig. 5, 6
    python -m ealn.figures responses EN=logs/demo/EN Hard-EALN=logs/demo/Hard-EALN --output responses.png       Fig. 8
    python -m ealn.figures distances logs/demo/Hard-View-EALN --output distances.png                            Fig. 9
    python -m ealn.figures sweep projects/EALN/studies/sweep.yml --output sweep.png                             Fig. 10
    python -m ealn.figures losses EN=logs/demo/EN Hard-EALN=logs/demo/Hard-EALN --output losses.png             Fig. 11

Fig. 7 is what a training leaves in OUTPUT_DIR/sheets.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from fastreid.config import CfgNode

from ealn.distances import belt_shares, real_distances
from ealn.networks import HARD
from ealn.pictures import draw_distances, draw_losses, draw_sweep
from ealn.responses import response_maps
from ealn.runs import TrainedRun, embed_test_images
from ealn.sheets import choose_items, draw_generated, read_images
from vreid_common.data import build_dataset
from vreid_common.errors import InputError
from vreid_common.guard import guard
from vreid_common.report import save_figure
from vreid_common.report.heat import heat_over
from vreid_common.structures import VehicleImage
from vreid_common.study.plan import plan_runs
from vreid_common.study.results import ResultStore
from vreid_common.study.spec import read_study
from vreid_common.synthetic.translation.apply import as_pixels
from vreid_common.synthetic.translation.sheet import draw_sheet, save_sheet
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["main"]

_REAL_LOSSES = ("loss_cls", "loss_triplet")
_BETAS = ("EALN.HARD.BETA1", "EALN.HARD.BETA2")


def generated(args: argparse.Namespace) -> None:
    """Fig. 5 and 6: what is generated from some test images."""
    run = _only(args.runs)
    cfg, model = run.config(args.device), run.model(args.device)
    if not model.generators:
        raise InputError(f"{run.folder} has no generator: name a run with EALN.HARD.ENABLED or EALN.VIEW.ENABLED.")
    save_sheet(draw_generated(model, *read_images(cfg, choose_items(_gallery(cfg)))), Path(args.output))


def responses(args: argparse.Namespace) -> None:
    """Fig. 8: response maps of every run on images (left) and on the hard negatives that the last run makes of them (right)."""
    runs = list(args.runs.items())
    models = {name: run.model(args.device) for name, run in runs}
    maker = models[runs[-1][0]]
    if HARD not in maker.generators:
        raise InputError(f"{runs[-1][1].folder}, the last run named, has no G_hard: name one with EALN.HARD.ENABLED last.")
    cfg = runs[-1][1].config(args.device)
    images, _ = read_images(cfg, choose_items(_gallery(cfg)))
    own = as_network_input(images.to(maker.device))
    with torch.no_grad():
        shown = torch.cat([own, maker.generate_hard(own)])
    rows = {"image": [*as_pixels(shown).permute(0, 2, 3, 1).cpu().numpy()]}
    for name, model in models.items():
        maps = response_maps(model, shown).cpu().numpy()
        rows[name] = [heat_over(*pair) for pair in zip(rows["image"], maps, strict=True)]
    save_sheet(draw_sheet(rows), Path(args.output))


def distances(args: argparse.Namespace) -> None:
    """Fig. 9 over the test images, and how many hard negatives lie in the belt."""
    run = _only(args.runs)
    keys = run.config(args.device).EALN.HARD
    found = embed_test_images(run, args.device)
    real = real_distances(found.features, found.pids)
    made = {"G_hard": found.hard, "G_view": found.view}
    kinds = {"positives": real.positive, "negatives": real.negative, **{k: v for k, v in made.items() if v is not None}}
    figure = draw_distances({name: values.cpu().numpy() for name, values in kinds.items()}, keys.BETA1)
    save_figure(figure, args.output)
    if found.hard is None:
        return
    for beta2, said in ((0.0, "the real negatives' mean distance"), (keys.BETA2, f"{keys.BETA2:g} below it (Eq. 3)")):
        shares = belt_shares(found.features, found.pids, found.hard, keys.BETA1, beta2)
        of_both = f"{shares.generated:.1%} of the hard negatives, {shares.real:.1%} of the real"
        print(f"Between {keys.BETA1:g} and {said}: {of_both}.")


def losses(args: argparse.Namespace) -> None:
    """Fig. 11: the losses on real images."""
    save_figure(draw_losses({name: run.losses(_REAL_LOSSES) for name, run in args.runs.items()}), args.output)


def sweep(args: argparse.Namespace) -> None:
    """Fig. 10 from the results of a study whose rows set β1 and β2."""
    study = read_study(args.study)
    plan, store = plan_runs(study), ResultStore()
    points: dict[tuple[float, float], list[float]] = {}
    for row in study.rows:
        if not set(_BETAS) <= set(row.overrides):
            continue
        betas = tuple(float(row.overrides[key]) for key in _BETAS)
        records = [store.load(plan[row.name, seed]) for seed in study.seeds]
        values = [record["dataset"][study.dataset]["mAP"] for record in records if record is not None]
        if values:
            points[betas] = values
    save_figure(draw_sweep(points), args.output)


def _only(runs: Mapping[str, TrainedRun]) -> TrainedRun:
    if len(runs) != 1:
        raise InputError(f"This figure is of one run, and {len(runs)} are named.")
    return next(iter(runs.values()))


def _gallery(cfg: CfgNode) -> Sequence[VehicleImage]:
    return build_dataset(cfg, cfg.DATASETS.TESTS[0]).gallery


def _named_runs(texts: Sequence[str]) -> dict[str, TrainedRun]:
    runs: dict[str, TrainedRun] = {}
    for text in texts:
        name, equals, folder = text.rpartition("=")
        name = name if equals else Path(folder).name
        if name in runs:
            raise InputError(f"Two runs are named {name!r}: give each as NAME=FOLDER, with a name of its own.")
        runs[name] = TrainedRun(Path(folder))
    return runs


_OF_RUNS = {"generated": generated, "responses": responses, "distances": distances, "losses": losses}


def main(argv: Sequence[str] | None = None) -> None:
    """Draws one figure; bad input ends with status 2 and one sentence."""
    parser = argparse.ArgumentParser(prog="python -m ealn.figures", description="The paper's figures from finished trainings.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, draw in _OF_RUNS.items():
        kind = kinds.add_parser(name, help=draw.__doc__)
        kind.add_argument("runs", nargs="+", metavar="[NAME=]FOLDER", help="OUTPUT_DIR of a training")
        kind.add_argument("--device", default="cpu", help="where to compute (default: cpu)")
        kind.set_defaults(draw=draw)
    kind = kinds.add_parser("sweep", help=sweep.__doc__)
    kind.add_argument("study", help="study file")
    kind.set_defaults(draw=sweep)
    for kind in kinds.choices.values():
        kind.add_argument("--output", required=True, metavar="FILE", help="the picture")
    args = parser.parse_args(argv)
    with guard():
        if "runs" in args:
            args.runs = _named_runs(args.runs)
        args.draw(args)


if __name__ == "__main__":
    main()
