"""What benches/prediction is held against: scikit-learn, on the same numbers, asked line by line.

    python prediction.py DIRECTORY

Reads one JSON object a line from standard input, does it, and answers with one, `seconds` among it: the time of the
work alone, the numbers being in memory. Measured with scikit-learn 1.9.1.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

warnings.filterwarnings("ignore")
threadpool_limits(2)
COLUMNS = 16
kept = {}


def table():
    if not kept:
        raw = np.fromfile(Path(sys.argv[1]) / "table", dtype="<f8")
        rows = raw[1:].reshape(-1, int(raw[:1].view("<u8")[0]))
        kept["x"] = np.ascontiguousarray(rows[:, :COLUMNS])
        kept["y"], kept["truth"], kept["class"] = rows[:, COLUMNS].copy(), rows[:, COLUMNS + 1].copy(), rows[:, COLUMNS + 2].copy()
    return kept


def least_squares():
    return LinearRegression().fit(kept["x"], kept["y"]).coef_


def ridge():
    return Ridge(alpha=10.0).fit(kept["x"], kept["y"]).coef_


def lasso():
    return Lasso(alpha=0.1).fit(kept["x"], kept["y"]).coef_


def logistic():
    return LogisticRegression(C=1.0).fit(kept["x"], kept["truth"]).coef_.ravel()


def multinomial():
    return LogisticRegression(C=1.0).fit(kept["x"], kept["class"]).coef_.ravel()


def linear_svm():
    # Its intercept is penalized; with so great a scaling hardly.
    return LinearSVC(C=1.0, dual=False, intercept_scaling=1000.0).fit(kept["x"], kept["truth"]).coef_.ravel()


def rbf_svm(gamma):
    few = kept["x"][:10_000]
    found = SVC(C=1.0, gamma=gamma).fit(few, kept["truth"][:10_000])
    return found.decision_function(few[:1_000])


def boosted_trees(rows):
    x, truth = kept["x"][:rows], kept["truth"][:rows]
    found = HistGradientBoostingClassifier(early_stopping=False).fit(x, truth)
    return [log_loss(kept["truth"][-100_000:], found.predict_proba(kept["x"][-100_000:])[:, 1])]


print(json.dumps({"name": f"scikit-learn {sklearn.__version__}"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    work = globals()[asked.pop("do")]
    table()
    start = time.perf_counter()
    found = work(**asked)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "found": [float(value) for value in found]}), flush=True)
