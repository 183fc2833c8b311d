"""The command ``vreid study``."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vreid_common.engine.installed import installed_projects
from vreid_common.errors import InputError
from vreid_common.files import check_writable, write_json
from vreid_common.study.plan import Run, plan_runs
from vreid_common.study.progress import ProgressView
from vreid_common.study.results import ResultStore, write_text
from vreid_common.study.schedule import Resources, execute, missing_runs
from vreid_common.study.spec import Study, read_study
from vreid_common.study.table import make_table, replace_table, table_in, table_record

__all__ = ["add_study_arguments", "run_study"]


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid study``."""
    parser.add_argument("files", nargs="+", metavar="FILE.yml", help="study files; runs that they share are done once")
    parser.add_argument(
        "--check", action="store_true", help="run nothing: fail if a README's table differs from the committed results"
    )
    parser.add_argument("--no-run", action="store_true", help="run nothing: write the tables from the results that there are")
    parser.add_argument(
        "--dry-run", action="store_true", help="run nothing: list the runs, their hash and whether they are done"
    )
    parser.add_argument(
        "--only", action="append", metavar="ROW", help="only this row and what it starts from (may be given again)"
    )
    parser.add_argument(
        "--project", action="append", default=[], type=Path, metavar="FOLDER",
        help="a project that is not installed, whose train_net.py is run (may be given again)",
    )  # fmt: skip
    parser.add_argument("--work-dir", default="runs", help="folder of the runs' checkpoints and logs (default: runs)")
    parser.add_argument(
        "--results-dir", metavar="DIR", help="keep results here and leave the projects' results and READMEs as they are"
    )
    parser.add_argument("--jobs", type=_positive, help="runs at a time (default: one a GPU, or one for every two cores)")
    parser.add_argument("--threads", type=_positive, help="threads of each run (default: the cores divided among the jobs)")
    parser.add_argument(
        "--json", metavar="FILE",
        help="write the values of every seed; with --dry-run the runs, with --check the files whose table differs",
    )  # fmt: skip


def run_study(args: argparse.Namespace) -> int:
    """Executes ``vreid study``; returns its exit code: 0, 1 when a run failed or a table differs, 130 when interrupted.

    Raises:
        InputError: a study file, a config, a result or a README is not as it must be.
    """
    check_writable(args.json)
    studies = [read_study(path) for path in args.files]
    plans = [plan_runs(study) for study in studies]
    store = ResultStore(Path(args.results_dir).resolve() if args.results_dir else None)
    if args.check:
        return _check(studies, plans, store, args.json)
    wanted = _wanted(studies, plans, args.only)
    work_dir = Path(args.work_dir).resolve()
    missing = missing_runs(wanted, store, work_dir)
    if args.dry_run:
        return _list(wanted, missing, args.json)
    if not args.no_run:
        _check_projects(missing, args.project)
    if not args.results_dir:
        for study in studies:
            table_in(study.readme, study.name)  # a README without markers is found before hours of training, not after
    try:
        failed = [] if args.no_run else _execute(missing, store, work_dir, args)
    except KeyboardInterrupt:
        print("vreid study: interrupted; the same command goes on where it was.", file=sys.stderr)
        return 130
    for study, plan in zip(studies, plans, strict=True):
        table = make_table(study, plan, store)
        print(table)
        if not args.results_dir:
            write_text(study.readme, replace_table(study.readme, study.name, table))
    if args.json:
        tables = [table_record(study, plan, store) for study, plan in zip(studies, plans, strict=True)]
        write_json(args.json, {"tables": tables, "failed": failed})
    return 1 if failed else 0


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def _wanted(studies: Sequence[Study], plans: Sequence[Mapping[tuple[str, int], Run]], only: Sequence[str] | None) -> list[Run]:
    """The runs of all studies, each once, the first seed of every row before the second of any."""
    names = {row.name for study in studies for row in study.rows}
    for name in only or ():
        if name not in names:
            raise InputError(f"--only {name}: no study has that row; there are {', '.join(sorted(names))}.")
    runs: dict[str, Run] = {}
    for seed in sorted({seed for study in studies for seed in study.seeds}):
        for study, plan in zip(studies, plans, strict=True):
            for row in study.rows:
                if (row.name, seed) in plan and (not only or row.name in only):
                    run = plan[row.name, seed]
                    runs.setdefault(run.id, run)
    return list(runs.values())


def _check_projects(runs: Sequence[Run], named: Sequence[Path]) -> None:
    """A study file is data: what it has run is the ``train_net.py`` of an installed project, or of one that the user names."""
    trusted = {folder.resolve() for folder in named} | {project.folder for project in installed_projects().values()}
    for run in runs:
        if run.project not in trusted:
            raise InputError(
                f"`{run.label}` would run {run.project / 'train_net.py'}, which is no installed project's: name its folder "
                "with --project."
            )


def _list(wanted: Sequence[Run], missing: Sequence[Run], json_file: str | None) -> int:
    to_do = {run.id for run in missing}
    again = [run for run in missing if run.id not in {other.id for other in wanted}]
    runs = [{**_about(run), "done": run.id not in to_do} for run in [*wanted, *again]]
    for run in runs:
        print(f"{run['run']}  {'done ' if run['done'] else 'to do'}  {run['project']}: {run['label']}")
    if json_file:
        write_json(json_file, {"runs": runs})
    return 0


def _about(run: Run) -> dict[str, Any]:
    return {"run": run.id, "project": run.project.name, "label": run.label}


def _execute(missing: Sequence[Run], store: ResultStore, work_dir: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Executes what is missing and says what failed; returns that."""
    if not missing:
        return []
    resources = Resources.of_this_machine(args.jobs, args.threads)
    where = f" on GPU {', '.join(resources.gpus)}" if resources.gpus else ""
    print(
        f"{len(missing)} runs, {resources.jobs} at a time{where}, {resources.threads} threads each, in {work_dir}",
        file=sys.stderr,
    )
    with ProgressView(len(missing)) as view:
        failures = execute(missing, store, work_dir, resources, view)
    if failures:
        print(f"vreid study: {len(failures)} of {len(missing)} runs failed (see above):", file=sys.stderr)
        for failure in failures:
            print(f"  {failure.run.label} ({failure.run.id}): {failure.reason.splitlines()[0]}", file=sys.stderr)
    return [{**_about(failure.run), "reason": failure.reason} for failure in failures]


def _check(
    studies: Sequence[Study], plans: Sequence[Mapping[tuple[str, int], Run]], store: ResultStore, json_file: str | None
) -> int:
    """Compares each README's table with the one made from the results, and prints the difference."""
    different = []
    for study, plan in zip(studies, plans, strict=True):
        stands, made = table_in(study.readme, study.name), make_table(study, plan, store)
        if stands != made:
            different.append(str(study.path))
            lines = difflib.unified_diff(
                stands.splitlines(), made.splitlines(), str(study.readme), str(study.path), lineterm=""
            )
            print("\n".join(lines))
    if json_file:
        write_json(json_file, {"different": different})
    return 1 if different else 0
