"""Reference figures of the population stability index, from whole data, for src/metrics/profile/tests.rs.

    python drift.py

The index is Σ (a − e) ln(a / e) over the bins (Siddiqi 2006; Yurdakul 2018), shares being
(rows + ½) / (all rows + ½ · bins), bins cut at the deciles of the earlier data with a value that
more than a tenth have in a bin of its own, missing values in a bin of theirs. `chance` is the 95th
percentile of χ² with bins − 1 degrees of freedom times 1/n + 1/m. Made with numpy 2.4.6 and
scipy 1.17.1.
"""

import numpy as np
from scipy.stats import chi2


def uniform(n, step=0.6180339887498949):
    return (np.arange(1, n + 1) * step) % 1.0


def index(expected, actual):
    e, a = np.array(expected, float), np.array(actual, float)
    kept = (e > 0) | (a > 0)
    e, a = e[kept], a[kept]
    n, m, bins = e.sum(), a.sum(), len(e)
    share_e, share_a = (e + 0.5) / (n + 0.5 * bins), (a + 0.5) / (m + 0.5 * bins)
    found = np.sum((share_a - share_e) * np.log(share_a / share_e))
    return found, chi2.ppf(0.95, bins - 1) * (1 / n + 1 / m)


def numbers(before, after):
    known, now = before[~np.isnan(before)], after[~np.isnan(after)]
    deciles = np.sort(known)[np.arange(1, 10) * len(known) // 10]
    cuts = []
    for value in np.unique(deciles):
        cuts.append((value, "left"))
        if np.sum(deciles == value) > 1:
            cuts.append((value, "right"))

    def rows(x):
        x = np.sort(x)
        ends = [np.searchsorted(x, value, side) for value, side in cuts] + [len(x)]
        return list(np.diff([0] + ends))

    return index(rows(known) + [np.isnan(before).sum()], rows(now) + [np.isnan(after).sum()])


u, v = uniform(20_000), uniform(15_000, 0.7548776662466927)
orders = lambda x: np.floor(-np.log1p(-x) * 3.0)
missing = lambda x, every: np.where(np.arange(len(x)) % every == 0, np.nan, x)
spend = lambda x, scale: np.where(x < 0.3, 0.0, scale * np.exp(4 * (x - 0.3)))
cases = {
    "uniform to itself": (u, u),
    "uniform moved by a tenth": (100 * u, 100 * v + 10),
    "exponential, a third more": (-np.log1p(-u) * 30, -np.log1p(-v) * 40),
    "whole numbers": (orders(u), orders(v) + 1),
    "zeros and a tail": (spend(u, 10.0), spend(v, 14.0)),
    "a tenth missing, then a third": (missing(u, 10), missing(v, 3)),
    "constant, then another": (np.full(500, 7.0), np.full(400, 8.0)),
    "few rows": (u[:300], v[:200] ** 1.5),
}
for name, (before, after) in cases.items():
    print(f'("{name}", {numbers(before, after)[0]:.6f}, {numbers(before, after)[1]:.6f}),')
print("levels", index([500, 300, 200, 0, 0], [420, 300, 0, 260, 20]))
