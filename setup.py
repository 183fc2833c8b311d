"""Packages: vreid_common, and one package for each folder of projects/ (as detectron2 installs its projects)."""

from pathlib import Path

from setuptools import find_packages, setup

PROJECTS = {
    "cybercore": "projects/CybercoreBaseline/cybercore",
    "dex": "projects/DEx/dex",
    "dsam": "projects/DSAM/dsam",
    "ealn": "projects/EALN/ealn",
    "wcvl": "projects/WCVL/wcvl",
}

setup(
    name="vreid",
    version="0.1.0",
    description="Vehicle re-identification on FastReID, right on today's PyTorch: training, features, exact "
    "evaluation and re-ranking, and papers as projects",
    long_description=Path("README.md").read_text(encoding="utf-8") if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["vreid_common", "vreid_common.*"])
    + [name for project, folder in PROJECTS.items() for name in [project, *(f"{project}.{p}" for p in find_packages(folder))]],
    package_dir=PROJECTS,
    package_data={"vreid_common.browse": ["templates/*"], "vreid_common.report": ["templates/*"]},
    install_requires=[
        # fastreid==1.4.0 is needed too, but pins torch 1.13.1: see README, "Install".
        "torch>=2.11",
        "torchvision>=0.26",
        "numpy>=2",
        "pillow",
        "scipy",
        "opencv-python-headless<5",
        "yacs>=0.1.8",
        "PyYAML",
        "termcolor",
        "tabulate",
        "faiss-cpu",
        "timm",
        "safetensors",
        "numba",
        "scikit-learn",
        "threadpoolctl",
        "matplotlib",
        "tqdm",
        "tensorboard",
        "Jinja2",
        "gdown",
        "six",
        "cloudpickle",
    ],
    extras_require={
        "export": ["onnx", "onnxruntime", "onnxscript"],
        # Takes pillow 12 in the place of 13, as gradio's list of packages wants; requirements.txt says how to keep 13.
        "demo": ["gradio>=6.31"],
        "docs": ["mkdocs", "mkdocs-material", "mkdocstrings-python"],
        "dev": ["pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "ruff", "import-linter", "pytorch-metric-learning"],
    },
    entry_points={
        "console_scripts": ["vreid=vreid_common.cli:main"],
        "vreid.projects": [f"{project}={project}" for project in PROJECTS],  # commands find them, and others' of this group
    },
)
