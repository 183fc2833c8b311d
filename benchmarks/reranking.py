"""Seconds of re-ranking: ours against FastReID's functions, plain NumPy and SciPy, and the floor of a faiss neighbour search.

Features are seeded and clustered (benchmarks/clustered.py); a tenth of the images are queries. Both sides get the features in
memory and give a whole (Q, G) matrix, or features. Zhong's and FastReID's functions hold several N×N arrays, so they end at
N = 20,000 here; ours goes on with --large, which reads the result in blocks of rows.

    python benchmarks/reranking.py                # N = 10,000 and 20,000
    python benchmarks/reranking.py --quick        # N = 500: shows that it works, not how fast it is
    python benchmarks/reranking.py --large        # ours against faiss alone, up to N = 200,000
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import vreid_common  # noqa: F401 - before FastReID, which cannot be imported without it

# isort: split
import faiss
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from clustered import clustered_features
from fastreid.evaluation.query_expansion import aqe
from fastreid.evaluation.rerank import re_ranking
from fastreid.utils.compute_dist import compute_euclidean_distance, compute_jaccard_distance
from harness import QUICK, Record, Turns, build_parser, compare, save
from torch import Tensor

from vreid_common.reranking import alpha_query_expansion, database_augmentation, diffusion, k_reciprocal, k_reciprocal_rows

DIMENSIONS = 512
_ONCE = {"warm_up": 0, "repeats": 1}
"""Against what takes minutes: one turn, which needs no warm-up beside that on a few images."""
Work = Callable[[Tensor, Tensor], object]


def contestant(turns: Turns, images: int, device: str, work: Work) -> None:
    """Times ``work(query, gallery)``; an image is one of query ∪ gallery."""
    features, _ = clustered_features(images, DIMENSIONS)
    query, gallery = (part.contiguous().to(device) for part in features.split((images // 10, images - images // 10)))
    del features
    warm_up = partial(work, query[:32], gallery[:256])
    warm_up()  # compiles, and starts threads
    while True:
        turns.take(images, partial(work, query, gallery), warm_up)


def ours(query: Tensor, gallery: Tensor, k1: int, k2: int) -> Tensor:
    return k_reciprocal(query, gallery, k1, k2, 0.3)


def ours_in_rows(query: Tensor, gallery: Tensor, k1: int, k2: int) -> None:
    """Reads all distances, 256 queries at a time: the (Q, G) matrix of 200,000 images is 14 GB."""
    rows = k_reciprocal_rows(query, gallery, k1, k2, 0.3)
    for start in range(0, len(query), 256):
        rows.rows(start, min(start + 256, len(query)))


def zhong(query: Tensor, gallery: Tensor, k1: int, k2: int) -> np.ndarray:
    """FastReID's copy of Zhong et al.'s code. It squares the distances that it gets, so it is given their roots."""
    pairs = ((query, gallery), (query, query), (gallery, gallery))
    return re_ranking(*(np.sqrt(np.maximum(compute_euclidean_distance(*pair), 0)) for pair in pairs), k1, k2, 0.3)


def jaccard(query: Tensor, gallery: Tensor, k1: int, k2: int) -> np.ndarray:
    """FastReID's (and SpCL's) Jaccard distance with faiss on the CPU. It leaves the original distance out."""
    every = torch.cat([query, gallery])
    return compute_jaccard_distance(every, k1, k2, search_option=3)[: len(query), len(query) :]


def faiss_search(query: Tensor, gallery: Tensor, k: int) -> np.ndarray:
    every = torch.cat([query, gallery]).numpy()
    index = faiss.IndexFlatL2(every.shape[1])
    index.add(every)
    return index.search(every, k)[1]


def fastreid_expansion(query: Tensor, gallery: Tensor) -> Tensor:
    return aqe(query, gallery, 1, 10, 3.0)[0]


def expansion(query: Tensor, gallery: Tensor) -> Tensor:
    return alpha_query_expansion(query, gallery, 10, 3.0)


def plain_augmentation(query: Tensor, gallery: Tensor) -> np.ndarray:
    """A loop over the images, as in the public code of VisDA's and VOC's winners: sort a row, average the first ten."""
    features = gallery.numpy()
    similarity = features @ features.T
    result = np.empty_like(features)
    for image, row in enumerate(similarity):
        result[image] = features[np.argsort(-row)[:10]].mean(axis=0)
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def augmentation(query: Tensor, gallery: Tensor) -> Tensor:
    return database_augmentation(gallery, 10)


def plain_diffusion(query: Tensor, gallery: Tensor) -> np.ndarray:
    """Iscen et al. 2017 with SciPy: mutual neighbours of a full product, one conjugate-gradient solution a query."""
    features, asked = gallery.numpy(), query.numpy()
    similarity = features @ features.T
    np.fill_diagonal(similarity, 0)
    rows = np.repeat(np.arange(len(features)), 50)
    columns = np.argpartition(-similarity, 50, axis=1)[:, :50].ravel()
    affinity = scipy.sparse.csr_matrix((np.maximum(similarity[rows, columns], 0) ** 3, (rows, columns)))
    affinity = affinity.minimum(affinity.T)
    scale = scipy.sparse.diags(1 / np.sqrt(np.maximum(affinity.sum(axis=1).A1, 1e-12)))
    system = scipy.sparse.eye(len(features)) - 0.95 * (scale @ affinity @ scale)
    answers = np.empty((len(asked), len(features)), np.float32)
    for i, row in enumerate(asked @ features.T):
        best = np.argpartition(-row, 25)[:25]
        right = np.zeros(len(features))
        right[best] = np.maximum(row[best], 0) ** 3
        answers[i] = scipy.sparse.linalg.cg(system, 0.05 * right, rtol=1e-6, maxiter=25)[0]
    return answers


def diffused(query: Tensor, gallery: Tensor) -> Tensor:
    return diffusion(query, gallery, solver="conjugate_gradient")


def run(
    title: str, images: int, subject: tuple[str, Work], peer: tuple[str, Work], device: str, effort: dict[str, float]
) -> Record:
    sides = [(name, partial(contestant, images=images, device=device, work=work)) for name, work in (subject, peer)]
    sizes = {"N": images, "queries": images // 10, "D": DIMENSIONS}
    return compare(title, *sides, unit="images/s", sizes=sizes, device=device, **effort)


def main() -> None:
    parser = build_parser(__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="ours against faiss alone, up to N = 200,000")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 20_000], metavar="N", help="numbers of images")
    args = parser.parse_args()
    device = args.device
    floor = "faiss.IndexFlatL2, the neighbour search alone" if device == "cpu" else "one full float32 product"
    records = []
    if args.large:
        for images in (50_000, 200_000):
            subject = ("k_reciprocal_rows", partial(ours_in_rows, k1=20, k2=6))
            records.append(run("k-reciprocal 20/6", images, subject, (floor, floor_work(device, 21)), device, _ONCE))
        save(f"reranking-large-{device}", records)
        return
    for images in (500,) if args.quick else args.sizes:
        several, once = (QUICK, QUICK) if args.quick else ({"repeats": 3}, _ONCE)
        for k1, k2 in ((20, 6),) if args.quick else ((20, 6), (60, 30)):
            subject, title = ("k_reciprocal", partial(ours, k1=k1, k2=k2)), f"k-reciprocal {k1}/{k2}"
            records.append(run(title, images, subject, (floor, floor_work(device, k1 + 1)), device, several))
            for name, peer in (("FastReID re_ranking (Zhong et al.)", zhong), ("FastReID Jaccard, faiss", jaccard)):
                if device == "cpu":
                    records.append(run(title, images, subject, (name, partial(peer, k1=k1, k2=k2)), device, once))
        if device == "cpu":
            for title, subject, peer in (
                ("alpha query expansion", ("alpha_query_expansion", expansion), ("FastReID aqe", fastreid_expansion)),
                ("database augmentation", ("database_augmentation", augmentation), ("a NumPy loop", plain_augmentation)),
                ("diffusion", ("diffusion, conjugate gradient", diffused), ("SciPy, a query at a time", plain_diffusion)),
            ):
                records.append(run(title, images, subject, peer, device, once))
    if not args.quick:
        save(f"reranking-{device}", records)


def floor_work(device: str, k: int) -> Work:
    return partial(faiss_search, k=k) if device == "cpu" else product


def product(query: Tensor, gallery: Tensor) -> None:
    every = torch.cat([query, gallery])
    for block in every.split(4096):
        block @ every.T


if __name__ == "__main__":
    main()
