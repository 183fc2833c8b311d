"""``vreid translate``: its three actions and their arguments."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict, fields
from pathlib import Path

import torch
from fastreid.config import CfgNode

from vreid_common.engine.config_file import load_config
from vreid_common.engine.console import set_up_logging
from vreid_common.engine.interrupt import Interrupted
from vreid_common.engine.placement import place_on_device, share_cores
from vreid_common.engine.seeding import use_repeatable_kernels
from vreid_common.engine.translation.compare import compare
from vreid_common.engine.translation.settings import AMP, Settings, file_list_digest, load_translator
from vreid_common.engine.translation.train import CHECKPOINT, train
from vreid_common.errors import InputError
from vreid_common.features import file_digest
from vreid_common.features.inference import inference
from vreid_common.files import check_writable, write_json
from vreid_common.synthetic.translation import (
    AdamSettings,
    DiscriminatorSize,
    LossWeights,
    TranslatorSize,
    read_domain,
    translate_folder,
)

__all__ = ["add_translate_arguments", "run_translate"]

logger = logging.getLogger(__name__)

_WEIGHT_HELP = {
    "lambda0": "of the adversarial loss",
    "lambda1": "of the divergence of the codes from N(0, I)",
    "lambda2": "of the reconstruction",
    "lambda3": "of the divergences in the cycle",
    "lambda4": "of the reconstruction through the other domain and back",
}

_AFTERWARDS = {
    "train": "; with --resume it goes on from the last checkpoint",
    "apply": "; the same command goes on where it was",
    "compare": "",
}


def add_translate_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid translate`` and of its actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_line, add_arguments, run in (
        ("train", "train a translator between the images of two folders or data sets", _add_train_arguments, _train),
        ("apply", "write a translated copy of a data set's folder, its labels untouched", _add_apply_arguments, _apply),
        ("compare", "measure how well real and translated images are told apart", _add_compare_arguments, _compare),
    ):
        action = actions.add_parser(name, help=help_line, description=help_line[0].upper() + help_line[1:] + ".")
        add_arguments(action)
        action.set_defaults(act=run)


def run_translate(args: argparse.Namespace) -> int:
    """Executes ``vreid translate``; returns 0, or 130 when interrupted.

    Raises:
        InputError: an argument, a folder, a data set, an image or a checkpoint is not as it must be.
    """
    share_cores(1)
    try:
        args.act(args)
    except Interrupted as stop:
        logger.info("%s", stop)
        return 130
    except KeyboardInterrupt:
        print(f"vreid translate {args.action}: interrupted{_AFTERWARDS[args.action]}.", file=sys.stderr)
        return 130
    return 0


def _add_train_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("images")
    data.add_argument("--source", required=True, metavar="NAME", help="folder or data set to translate from (synthetic)")
    data.add_argument("--target", required=True, metavar="NAME", help="folder or data set to translate to (real)")
    data.add_argument(
        "--size", type=_size, default=(128, 128), metavar="N", help="of the images in pixels, N or HEIGHT,WIDTH (default: 128)"
    )
    _add_opts(data)
    model = parser.add_argument_group("networks (defaults: the paper's)")
    size = TranslatorSize()
    _add_number(model, "--width", size.width, "channels after the first convolution")
    _add_number(model, "--halvings", size.halvings, "how often encoders halve the size; it has to be a multiple of 2^HALVINGS")
    _add_number(model, "--blocks", size.blocks, "residual blocks of each encoder and each decoder")
    _add_number(model, "--shared-blocks", size.shared_blocks, "how many of them both domains share")
    discriminator = DiscriminatorSize()
    _add_number(model, "--discriminator-width", discriminator.width, "channels of the discriminators' first layer")
    _add_number(model, "--discriminator-layers", discriminator.layers, "their layers that halve the size")
    _add_number(model, "--discriminator-scales", discriminator.scales, "scales that they look at")
    losses = parser.add_argument_group("losses (defaults: the paper's)")
    for field in fields(LossWeights):
        _add_number(losses, f"--{field.name}", field.default, f"weight {_WEIGHT_HELP[field.name]}")
    run = parser.add_argument_group("training")
    run.add_argument("--output", required=True, metavar="FOLDER", help=f"for {CHECKPOINT}, metrics.json, log.txt and samples")
    run.add_argument("--resume", action="store_true", help="go on from the output folder's checkpoint, if there is one")
    _add_number(run, "--iterations", 100_000, "of the whole training")
    _add_number(run, "--batch-size", 1, "images of each domain in a batch")
    _add_number(run, "--learning-rate", AdamSettings().learning_rate, "Adam's")
    _add_number(run, "--beta1", AdamSettings().beta1, "Adam's")
    _add_number(run, "--checkpoint-period", 1000, "iterations between two checkpoints and sheets of samples")
    _add_number(run, "--seed", 0, "one seed gives one result")
    run.add_argument("--json", metavar="FILE", help="write what was trained, on how many images, and the last losses")
    _add_place(run)


def _add_apply_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", required=True, type=Path, metavar="FILE", help=f"{CHECKPOINT} of `vreid translate train`")
    parser.add_argument("--input", required=True, type=Path, metavar="FOLDER", help="the data set's folder")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER", help="for the copy; run again after an interruption, it goes on"
    )
    _add_number(parser, "--batch-size", 16, "images of a batch")
    parser.add_argument("--json", metavar="FILE", help="write how many images were translated, by what")
    _add_place(parser)


def _add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--real", required=True, metavar="NAME", help="folder or data set of real images")
    parser.add_argument("--synthetic", required=True, type=Path, metavar="FOLDER", help="the data set's folder")
    parser.add_argument("--translated", required=True, type=Path, metavar="FOLDER", help="its translated copy")
    parser.add_argument("--size", type=_size, default=(64, 64), metavar="N", help="of the images, as for train (default: 64)")
    _add_number(parser, "--images", 2000, "images of each kind that are looked at, drawn by the seed")
    _add_number(parser, "--steps", 400, "of the classifier's training")
    _add_number(parser, "--seed", 0, "of the draw, of the halves and of the classifier")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also draws some of the images into this PNG file")
    parser.add_argument("--json", metavar="FILE", help="write the accuracies and areas under the curve, as fractions")
    _add_opts(parser)
    parser.add_argument("--device", metavar="NAME", help="e.g. cpu or cuda:1 (default: a GPU where there is one)")


def _add_number(parser: argparse._ActionsContainer, name: str, default: float, help_line: str) -> None:
    parser.add_argument(name, type=type(default), default=default, metavar="N", help=f"{help_line} (default: %(default)s)")


def _add_opts(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--opts", nargs="+", default=[], metavar="KEY VALUE", help="keys of data sets, e.g. DATASETS.RENDER.SIZE tiny"
    )


def _add_place(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--amp", choices=sorted(AMP), help="mixed precision (default: none)")
    parser.add_argument("--device", metavar="NAME", help="e.g. cpu or cuda:1 (default: a GPU where there is one)")
    _add_number(parser, "--workers", 2, "processes that read images")


def _size(text: str) -> tuple[int, int]:
    sides = text.split(",")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 128, or 128,192 for height and width")
    return int(sides[0]), int(sides[-1])


def _config(args: argparse.Namespace) -> CfgNode:
    """The configuration of data sets and device; sets up the kernels."""
    cfg = load_config(None, "", getattr(args, "opts", []))
    cfg.MODEL.DEVICE = args.device or cfg.MODEL.DEVICE
    moved = place_on_device(cfg)
    if moved and args.device:
        logger.info(moved)
    if getattr(args, "amp", None) == "fp16" and not cfg.MODEL.DEVICE.startswith("cuda"):
        raise InputError("--amp fp16 needs CUDA: use bf16 on a CPU.")
    use_repeatable_kernels(cfg)
    return cfg


def _train(args: argparse.Namespace) -> None:
    check_writable(args.json)
    set_up_logging(args.output)
    cfg = _config(args)
    source, target = (read_domain(cfg, name) for name in (args.source, args.target))
    settings = Settings(
        *args.size,
        args.batch_size,
        args.seed,
        args.amp,
        TranslatorSize(args.width, args.halvings, args.blocks, args.shared_blocks),
        DiscriminatorSize(args.discriminator_width, args.discriminator_layers, args.discriminator_scales),
        LossWeights(**{field.name: getattr(args, field.name) for field in fields(LossWeights)}),
        AdamSettings(args.learning_rate, args.beta1),
        (len(source), len(target)),
        (file_list_digest(source), file_list_digest(target)),
    )
    train(
        settings,
        source,
        target,
        Path(args.output),
        iterations=args.iterations,
        checkpoint_period=args.checkpoint_period,
        device=torch.device(cfg.MODEL.DEVICE),
        workers=args.workers,
        resume=args.resume,
    )
    if args.json:
        images = {"source": len(source), "target": len(target)}
        *_, last = Path(args.output, "metrics.json").read_text(encoding="utf-8").splitlines()
        write_json(args.json, {"output": args.output, "images": images, "last": json.loads(last)})


def _apply(args: argparse.Namespace) -> None:
    check_writable(args.json)
    set_up_logging("")
    device = torch.device(_config(args).MODEL.DEVICE)
    translator, size = load_translator(args.weights)
    translator.to(device)
    identity = {
        "checkpoint": file_digest(args.weights),
        "source": str(args.input.resolve()),
        "size": list(size),
        "amp": args.amp,
    }
    with inference(translator, AMP[args.amp] if args.amp else None):
        written, images = translate_folder(
            lambda batch: translator(batch.to(device)),
            args.input,
            args.output,
            size,
            identity,
            batch_size=args.batch_size,
            workers=args.workers,
        )
    logger.info("%s: %d of %d images translated by this call; all other files copied.", args.output, written, images)
    if args.json:
        write_json(args.json, {"output": str(args.output), "translated": written, "images": images, **identity})


def _compare(args: argparse.Namespace) -> None:
    check_writable(args.json)
    set_up_logging("")
    cfg = _config(args)
    gap = compare(
        read_domain(cfg, args.real),
        args.synthetic,
        args.translated,
        args.size,
        images=args.images,
        steps=args.steps,
        seed=args.seed,
        device=torch.device(cfg.MODEL.DEVICE),
        sheet=args.sheet,
    )
    print("| real images against | accuracy | AUC |\n|---|---:|---:|")
    print(f"| synthetic images | {100 * gap.accuracy:.1f} | {gap.auc:.3f} |")
    print(f"| their translations | {100 * gap.translated_accuracy:.1f} | {gap.translated_auc:.3f} |")
    print(f"| their translations, trained on translations | {100 * gap.retrained_accuracy:.1f} | {gap.retrained_auc:.3f} |")
    if args.json:
        write_json(args.json, asdict(gap))
