"""What benches/recommendation is held against: `implicit` and scikit-learn, on the same numbers, asked line by line.

    python recommendation.py DIRECTORY

Reads one JSON object a line from standard input, does it, and answers with one, `seconds` among it: the time of the
work alone, the numbers being in memory. Measured with implicit 0.7.3 and scikit-learn 1.9.1; two threads, and one for
BLAS, as `implicit` asks for.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import json
import sys
import time
import warnings
from pathlib import Path

import implicit
import numpy as np
import scipy.sparse as sp
import sklearn
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

warnings.filterwarnings("ignore")
kept, models = {}, {}
THREADS = 2


def load(name):
    raw = np.fromfile(Path(sys.argv[1]) / name, dtype="<f8")
    columns = int(raw[:1].view("<u8")[0])
    return raw[1:].reshape(-1, columns)


def pairs():
    if "pairs" not in kept:
        found = load("pairs").astype(np.int32)
        ones = np.ones(len(found), dtype=np.float32)
        kept["pairs"] = sp.csr_matrix((ones, (found[:, 0], found[:, 1])))
    return kept["pairs"]


def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024


def some(items):
    users = range(0, len(items), max(len(items) // 1000, 1))
    return [{"user": user, "items": [int(item) for item in items[user] if item >= 0]} for user in users]


def of_items(kind, neighbors):
    if kind == "cosine":
        return CosineRecommender(K=neighbors, num_threads=THREADS)
    return BM25Recommender(K=neighbors, K1=100, B=0.8, num_threads=THREADS)


def items_fit(kind):
    models[kind] = of_items(kind, 100)
    models[kind].fit(pairs(), show_progress=False)
    return lambda: {}


def items_top(kind):
    if kind not in models:
        items_fit(kind)
    x = pairs()
    ids, _ = models[kind].recommend(np.arange(x.shape[0]), x, N=10, filter_already_liked_items=True)
    return lambda: {"lists": some(ids)}


def als_fit():
    model = AlternatingLeastSquares(factors=64, iterations=15, regularization=0.01, alpha=2.0, num_threads=THREADS, random_state=1)
    model.fit(pairs(), show_progress=False)
    models["als"] = model
    return lambda: {}


def als_top():
    if "als" not in models:
        als_fit()
    x = pairs()
    ids, _ = models["als"].recommend(np.arange(x.shape[0]), x, N=10, filter_already_liked_items=True)
    return lambda: {"lists": some(ids)}


def quality(model, split):
    """The ten best unseen items of each customer of a split of Online Retail, -1 where there are fewer."""
    found = load(f"known-{split}").astype(np.int32)
    x = sp.csr_matrix((np.ones(len(found), dtype=np.float32), (found[:, 0], found[:, 1])))
    model.fit(x, show_progress=False)
    ids, scores = model.recommend(np.arange(x.shape[0]), x, N=10, filter_already_liked_items=True)
    lists = [[int(i) for i, s in zip(*row) if i >= 0 and s > np.finfo(np.float32).min] for row in zip(ids, scores)]
    return lambda: {"all": lists}


def quality_items(kind, neighbors, split):
    return quality(of_items(kind, neighbors), split)


def quality_als(factors, regularization, alpha, split):
    maker = AlternatingLeastSquares
    model = maker(int(factors), regularization, alpha, iterations=15, num_threads=THREADS, random_state=1)
    return quality(model, split)


def vectors_top():
    if "vectors" not in kept:
        kept["vectors"] = normalize(load("vectors").astype(np.float32))
    vectors = kept["vectors"]
    users = np.arange(2_000)
    own = (users[:, None] * 31 + np.arange(5)[None, :] * 7919) % 100_000
    start = time.perf_counter()
    found = np.empty((len(users), 10), dtype=np.int64)
    with threadpool_limits(THREADS):
        for first in range(0, len(users), 250):
            part = own[first : first + 250]
            scores = normalize(vectors[part].mean(1)) @ vectors.T
            np.put_along_axis(scores, part, -np.inf, 1)
            best = np.argpartition(-scores, 10, axis=1)[:, :10]
            order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
            found[first : first + 250] = np.take_along_axis(best, order, 1)
    seconds = time.perf_counter() - start
    return lambda: {"lists": some(found), "seconds": seconds}


print(json.dumps({"name": f"implicit {implicit.__version__}"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    work = globals()[asked.pop("do")]
    if work.__name__.startswith(("items", "als")):
        pairs()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    start = time.perf_counter()
    told = work(**asked)
    seconds = time.perf_counter() - start
    more = max(resident("VmHWM") - before, 0)
    print(json.dumps({"seconds": seconds, "more_bytes": more} | told()), flush=True)
