"""The figures of src/stages/prediction/linear/tests.rs, by scikit-learn. Usage: linear.py

The table is the one of the tests: 80 customers at five snapshots; the first three train, the fourth evaluates, the
first four fit the served model, the fifth is scored.
"""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.preprocessing import StandardScaler


def row(e, s):
    raw = (e * 37 + s * 11) % 50
    member = (e * s + e) % 3 == 0
    country = "XX" if e == 5 else ["GB", "FR", "DE"][(e * 5 + s) % 3]
    spend = raw + 15 * member + (e * e * 3 + s * 17) % 40
    return (np.nan if (e * 7 + s) % 13 == 0 else raw), member, country, spend


def table(snapshots):
    rows = [row(e, s) for s in snapshots for e in range(1, 81)]
    return [r[:3] for r in rows], np.array([float(r[3]) for r in rows])


def matrix(rows, median, levels):
    return np.array([[median if np.isnan(x) else x, float(m), *(float(c == level) for level in levels)] for x, m, c in rows])


def fit(rows, y):
    median = np.nanmedian([r[0] for r in rows])
    countries = [r[2] for r in rows]
    levels = sorted(c for c in set(countries) if countries.count(c) >= 10)
    scaler = StandardScaler().fit(matrix(rows, median, levels))
    model = Ridge(alpha=1.0, solver="cholesky").fit(scaler.transform(matrix(rows, median, levels)), y)
    return lambda new: model.predict(scaler.transform(matrix(new, median, levels)))


train, train_y = table(range(3))
held, held_y = table([3])
mean = np.full(len(held_y), train_y.mean())
predicted = fit(train, train_y)(held)
for name, of in (("rmse", root_mean_squared_error), ("mae", mean_absolute_error), ("r2", r2_score)):
    print(f"{name}: {of(held_y, predicted):.12f}, the mean {of(held_y, mean):.12f}")
refit, refit_y = table(range(4))
print("first four:", [f"{value:.12f}" for value in fit(refit, refit_y)(table([4])[0])[:4]])
