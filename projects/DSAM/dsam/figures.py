"""The paper's figures from the runs of a study:

    python -m dsam.figures plane projects/DSAM/studies/toy.yml --output toy.png        Fig. 1
    python -m dsam.figures tsne projects/DSAM/studies/main.yml --output tsne.png       Fig. 4
    python -m dsam.figures cmc projects/DSAM/studies/main.yml --output cmc.png         Fig. 5

``vreid study`` has to have run it, and its --work-dir still to be there.
"""

import argparse
from collections.abc import Sequence

from matplotlib.figure import Figure

from dsam.pictures import draw_plane, draw_tsne
from dsam.runs import TrainedRun, trained_runs, training_features
from vreid_common.guard import guard
from vreid_common.report import draw_cmc, read_curve, save_figure

__all__ = ["main"]

_TSNE_IDENTITIES = (10, 16)
_TSNE_IMAGES = 20


def plane(runs: Sequence[TrainedRun], device: str) -> Figure:
    """Fig. 1, of all training images."""
    return draw_plane({run.name: training_features(run, device=device) for run in runs})


def tsne(runs: Sequence[TrainedRun], device: str) -> Figure:
    """Fig. 4: 20 images each of 10 and of 16 training identities drawn at random, the same for every model."""
    return draw_tsne(
        {
            run.name: {f"{count} ids": training_features(run, count, _TSNE_IMAGES, device) for count in _TSNE_IDENTITIES}
            for run in runs
        }
    )


def cmc(runs: Sequence[TrainedRun], device: str) -> Figure:
    """Fig. 5, of the first test set."""
    return draw_cmc({run.name: read_curve(run.folder, run.config(device).DATASETS.TESTS[0]) for run in runs})


_KINDS = {"plane": plane, "tsne": tsne, "cmc": cmc}


def main(argv: Sequence[str] | None = None) -> None:
    """Draws one figure; bad input ends with status 2 and one sentence."""
    parser = argparse.ArgumentParser(prog="python -m dsam.figures", description="The paper's figures from the runs of a study.")
    parser.add_argument("kind", choices=_KINDS, help="plane (Fig. 1), tsne (Fig. 4) or cmc (Fig. 5)")
    parser.add_argument("study", help="study file whose runs are drawn")
    parser.add_argument("--output", required=True, metavar="FILE", help="the picture, e.g. toy.png")
    parser.add_argument("--work-dir", default="runs", help="folder of the study's runs (default: runs)")
    parser.add_argument("--row", action="append", default=[], help="only this row (may be given again)")
    parser.add_argument("--seed", type=int, default=0, help="the runs' seed (default: 0)")
    parser.add_argument("--device", default="cpu", help="where to compute the features (default: cpu)")
    args = parser.parse_args(argv)
    with guard():
        runs = trained_runs(args.study, args.work_dir, args.seed, args.row)
        save_figure(_KINDS[args.kind](runs, args.device), args.output)


if __name__ == "__main__":
    main()
