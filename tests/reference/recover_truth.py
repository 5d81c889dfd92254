"""Whether the truth behind synthetic data can be recovered from its public tables, with other tools.

    patronage synthesize --customers 60000 --seed 7 --from 2022-01-01 --to 2024-12-31 \
        --seasonality 0 --one-time 0 --returns 0 --bad-rows 0 --out DIR
    python recover_truth.py DIR

Three questions, each with the bar that it must pass:

- segments: k-means on what customers with 20 and more lines buy; adjusted Rand index >= 0.9;
- purchases: maximum likelihood of BG/NBD (Fader, Hardie and Lee 2005, equation 7) per segment;
  each parameter within two standard errors of the truth;
- prices: a slope of units on price per customer with 20 and more lines; Spearman >= 0.6.

Made with polars 2.1.0, scikit-learn 1.9.1 and scipy 1.17.1.
"""

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import betaln, gammaln
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

LINES_MIN = 20


def read(folder):
    rows = pl.read_parquet(folder / "transactions.parquet")
    good = (pl.col("unit_price") > 0) & (pl.col("quantity") > 0) & pl.col("customer_id").is_not_null()
    goods = pl.read_parquet(folder / "products.parquet").filter(pl.col("category") != "Service")
    lines = rows.filter(good).join(goods.select("product_id", "category"), on="product_id", how="inner")
    return lines, pl.read_parquet(folder / "truth/customers.parquet")


def busy(lines):
    counts = lines.group_by("customer_id").len().filter(pl.col("len") >= LINES_MIN)
    return lines.join(counts.select("customer_id"), on="customer_id", how="semi")


def segments(lines, truth):
    lines = busy(lines)
    shares = lines.pivot(on="category", index="customer_id", values="quantity", aggregate_function="len")
    shares = shares.fill_null(0).sort("customer_id")
    x = shares.drop("customer_id").to_numpy().astype(float)
    x = np.sqrt(x / x.sum(axis=1, keepdims=True))
    size = lines.group_by("customer_id").agg(
        pl.col("quantity").median().log().alias("units"),
        (pl.len() / pl.col("order_id").n_unique()).log().alias("lines"),
    ).sort("customer_id")
    x = np.hstack([x, 0.25 * size["units"].to_numpy()[:, None], 0.25 * size["lines"].to_numpy()[:, None]])
    labels = KMeans(5, n_init=10, random_state=0).fit(x).labels_
    actual = shares.join(truth, on="customer_id", how="left", maintain_order="left")["segment"].to_list()
    return len(actual), adjusted_rand_score(actual, labels)


def log_likelihood(parameters, x, t_x, t):
    r, alpha, a, b = np.exp(parameters)
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + t)
    repeats = np.maximum(x, 1)
    gone = betaln(a + 1, b + repeats - 1) - betaln(a, b) - (r + x) * np.log(alpha + t_x)
    gone = np.where(x > 0, gone, -np.inf)
    return np.sum(first + np.logaddexp(alive, gone))


def hessian(function, at, step=1e-3):
    n = len(at)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            corners = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            out[i, j] = sum(
                s * u * function(at + step * (s * np.eye(n)[i] + u * np.eye(n)[j])) for s, u in corners
            ) / (4 * step**2)
    return out


def purchases(lines, truth, parameters, end):
    orders = lines.group_by("customer_id").agg(
        pl.col("order_id").n_unique().alias("orders"),
        pl.col("ordered_at").min().alias("first"),
        pl.col("ordered_at").max().alias("last"),
    ).join(truth.select("customer_id", "segment"), on="customer_id")
    day = 86_400e6
    for (segment,), group in sorted(orders.group_by("segment")):
        x = group["orders"].to_numpy() - 1.0
        t_x = (group["last"] - group["first"]).dt.total_microseconds().to_numpy() / day
        t = (end - group["first"]).dt.total_microseconds().to_numpy() / day
        loss = lambda p: -log_likelihood(p, x, t_x, t)
        known = parameters.filter(pl.col("segment") == segment).select("r", "alpha", "a", "b").row(0)
        fit = minimize(loss, np.log([1.0, 60.0, 1.0, 8.0]), method="L-BFGS-B", options={"maxiter": 500})
        fit = minimize(loss, fit.x, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-7, "maxiter": 4000})
        errors = np.sqrt(np.diag(np.linalg.inv(hessian(loss, fit.x))))
        deviations = (fit.x - np.log(known)) / errors
        yield segment, len(x), known, np.exp(fit.x), deviations


def prices(lines, truth):
    lines = busy(lines).with_columns(price=(pl.col("unit_price") / pl.col("unit_price").mean().over("product_id")).log())
    means = [pl.col(name).mean().over("customer_id").alias(f"mean_{name}") for name in ("price", "quantity")]
    lines = lines.with_columns(means)
    centered = pl.col("price") - pl.col("mean_price")
    slopes = lines.group_by("customer_id").agg(
        lines=pl.len(),
        slope=(centered * pl.col("quantity")).sum() / (centered.pow(2) * pl.col("mean_quantity")).sum(),
    ).join(truth.select("customer_id", "elasticity"), on="customer_id")
    # Shrunk towards the mean by the number of lines, as any sensible estimate is.
    weight = slopes["lines"].to_numpy() / (slopes["lines"].to_numpy() + 20.0)
    slope = weight * slopes["slope"].to_numpy() + (1 - weight) * slopes["slope"].mean()
    return len(slope), spearmanr(-slope, slopes["elasticity"].to_numpy()).statistic


def main(folder):
    lines, truth = read(folder)
    passed = True
    count, rand = segments(lines, truth)
    print(f"segments: {count} customers, adjusted Rand {rand:.3f}")
    count, rho = prices(lines, truth)
    print(f"prices: {count} customers, Spearman {rho:.3f}")
    passed = rand >= 0.9 and rho >= 0.6
    end = lines["ordered_at"].max().replace(hour=0, minute=0, second=0, microsecond=0)
    end += timedelta(days=1)
    parameters = pl.read_parquet(folder / "truth/segments.parquet")
    for segment, count, known, found, deviations in purchases(lines, truth, parameters, end):
        shown = ", ".join(
            f"{name} {k:.3f} found {f:.3f} ({d:+.1f} s.e.)"
            for name, k, f, d in zip(("r", "alpha", "a", "b"), known, found, deviations)
        )
        print(f"purchases of {segment}: {count} customers, {shown}")
        passed = passed and bool(np.all(np.abs(deviations) <= 2))
    print("all recovered" if passed else "NOT all recovered")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
