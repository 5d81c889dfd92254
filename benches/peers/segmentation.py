"""What benches/segmentation is held against: scikit-learn, on the same numbers, asked line by line.

    python segmentation.py DIRECTORY

Reads one JSON object a line from standard input, does it, and answers with one, `seconds` among it: the time of the
work alone, the numbers being in memory. Measured with scikit-learn 1.9.1 and numpy 2.5.
"""

import hashlib
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cluster import DBSCAN, KMeans
from sklearn.metrics import silhouette_score

warnings.filterwarnings("ignore")
numbers = {}


def load(name):
    if name not in numbers:
        raw = np.fromfile(Path(sys.argv[1]) / name, dtype="<f8")
        columns = int(raw[:1].view("<u8")[0])
        numbers.clear()
        numbers[name] = raw[1:].reshape(-1, columns).copy()
    return numbers[name]


def digest(values):
    return hashlib.sha256(np.asarray(values, dtype="<i8").tobytes()).hexdigest()


def kmeans(x, clusters, iterations):
    found = KMeans(clusters, init=x[:clusters].copy(), n_init=1, max_iter=iterations, tol=0, algorithm="lloyd").fit(x)
    return {"inertia": found.inertia_}


def search(x):
    best = (-2, 0, 0)
    for clusters in range(2, 11):
        found = KMeans(clusters, n_init=3, random_state=1).fit(x)
        mean = silhouette_score(x, found.labels_, sample_size=min(10_000, len(x)), random_state=2)
        best = max(best, (mean, clusters, found.inertia_))
    return {"clusters": best[1], "inertia": best[2]}


def dbscan(x, radius, min_points):
    found = DBSCAN(eps=radius, min_samples=min_points, n_jobs=-1).fit(x)
    cores = np.zeros(len(x), dtype="<i8")
    cores[found.core_sample_indices_] = 1
    labels = found.labels_
    return {"labels": digest(labels), "cores": digest(cores), "clusters": int(labels.max() + 1), "noise": int((labels < 0).sum())}


def silhouette(x):
    return {"mean": silhouette_score(x, (x[:, 0] > 0).astype(int))}


print(json.dumps({"name": f"scikit-learn {sklearn.__version__}"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    work, x = globals()[asked.pop("do")], load(asked.pop("file"))
    start = time.perf_counter()
    found = work(x, **asked)
    print(json.dumps({"seconds": time.perf_counter() - start} | found), flush=True)
