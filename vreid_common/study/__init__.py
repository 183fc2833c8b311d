"""Studies: the tables of a project's README, made from files that say what to run (the format is in docs/studies.md).

    vreid study projects/WCVL/studies/main.yml            # trains what is missing, writes the table into the README
    vreid study projects/WCVL/studies/main.yml --check    # re-makes the table from the committed results, fails on a difference

``spec`` reads a study file, ``plan`` turns its rows and seeds into runs with a hash each, ``results`` keeps one small JSON a
run, ``schedule`` executes what is missing, each as a ``process``, ``table`` writes Markdown, ``command`` is the command line.
"""

from vreid_common.study.command import add_study_arguments, run_study

__all__ = ["add_study_arguments", "run_study"]
