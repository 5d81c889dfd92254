"""Spot figures of the stages of `pipelines/nightly.yaml` on a set of transactions, as JSON.

    python spot_figures.py <transactions.parquet> <run_date> <out.json>

Sums, counts and nulls per snapshot of the tables that features.py makes (computed there twice, by
polars and DuckDB), and k-means with 4 clusters and DBSCAN on recency, orders and spend. `online_retail.json`
was made from the Online Retail set of the UCI Machine Learning Repository (Chen 2015,
doi 10.24432/C5BW33) with run date 2011-12-10; the set itself is not part of this repository.
Made with polars 2.1.0, duckdb 2.0.0 and scikit-learn 1.9.1.
"""

import hashlib
import json
import sys
from datetime import date
from math import fsum
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.cluster import DBSCAN, KMeans
from sklearn.metrics import silhouette_score

import features as reference


def events_figures(events):
    return {
        "rows": events.height,
        "customers": events["customer_id"].n_unique(),
        "products": events["product_id"].n_unique(),
        "orders": events["order_id"].n_unique(),
        "sum_of_quantity": int(events["quantity"].cast(pl.Int64).sum()),
        "sum_of_amount": int(events["amount_thousandths"].sum()) / 1000,
    }


def column_sums(table):
    """Sum of each numeric column; floats by math.fsum, then to nine decimals."""
    sums = {}
    for name, kind in table.schema.items():
        values = table[name].drop_nulls()
        if kind == pl.Float64:
            sums[name] = round(fsum(values.to_list()), 9) if len(values) else None
        elif kind.is_integer():
            sums[name] = int(values.sum())
    return sums


def snapshot_figures(table, entity):
    """Newest snapshot first."""
    figures = []
    for day in sorted(table["as_of"].unique().to_list(), reverse=True):
        rows = table.filter(pl.col("as_of") == day)
        counted = rows.drop(entity, "as_of")
        figure = {
            "as_of": day.isoformat(),
            "rows": rows.height,
            "sums": column_sums(counted),
            "nulls": {name: counted[name].null_count() for name in counted.columns},
        }
        if "buys_90d" in table.columns:
            figure |= label_figures(rows)
        figures.append(figure)
    return figures


def label_figures(rows):
    if rows["buys_90d"].null_count():
        return {"labelled": False}
    buyers = int(rows["buys_90d"].sum())
    bands = rows["spend_band_90d"]
    return {
        "labelled": True,
        "buys_90d_count": buyers,
        "buys_90d_share": round(buyers / rows.height, 9),
        "spend_next_90d_sum": round(fsum(rows["spend_next_90d"].to_list()), 3),
        "spend_band_90d_counts": {b: int((bands == b).sum()) for b in ("high", "low", "none")},
    }


def segments_bar(source, run_date):
    """4 clusters of customers on log1p of floored recency days, orders and spend, standardized; and DBSCAN of the same.

    Of all lines with a customer, quantity > 0 and price > 0: goods and services, no returns.
    """
    lines = reference.make_sales(source).filter(pl.col("quantity") > 0)
    table = lines.group_by("customer_id").agg(
        pl.col("ordered_at").max().alias("newest"),
        pl.col("order_id").n_unique().alias("orders"),
        pl.col("amount_thousandths").sum(),
    ).with_columns(recency_days=reference.days_since("newest", run_date)).sort("customer_id")
    points = np.column_stack([
        table["recency_days"].to_numpy(), table["orders"].to_numpy(),
        table["amount_thousandths"].to_numpy() / 1000,
    ]).astype(float)
    points = np.log1p(points)
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    start = {"n_clusters": 4, "n_init": 20, "random_state": 0}
    return {
        "lines": lines.height,
        "customers": table.height,
        "clusters": 4,
        # scikit-learn's tol=1e-4 stops a little before the centers stand still
        "default_tolerance": fit_figures(KMeans(**start).fit(points), points),
        "converged": fit_figures(KMeans(**start, tol=0, max_iter=1000).fit(points), points),
        "dbscan": [density_figures(points, metric, radius) for metric, radius in
                   (("euclidean", 0.3), ("manhattan", 0.45), ("cosine", 0.01))],
    }


def fit_figures(fit, points):
    return {
        "inertia": round(float(fit.inertia_), 4),
        "silhouette": round(float(silhouette_score(points, fit.labels_)), 6),
        "sizes": sorted(np.bincount(fit.labels_).tolist(), reverse=True),
    }


def density_figures(points, metric, radius):
    """Labels numbered from 1 by size, of equal sizes by the first customer; customers ascending."""
    fit = DBSCAN(eps=radius, min_samples=10, metric=metric).fit(points)
    sizes = np.bincount(fit.labels_[fit.labels_ >= 0])
    numbers = np.empty(len(sizes), dtype="<i8")
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(1, len(sizes) + 1)
    labels = np.where(fit.labels_ < 0, -1, numbers[fit.labels_]).astype("<i8")
    return {
        "metric": metric, "radius": radius, "min_points": 10, "clusters": len(sizes),
        "noise": int((labels < 0).sum()), "core_points": len(fit.core_sample_indices_),
        "sizes": sorted(sizes.tolist(), reverse=True),
        "sha256_of_labels": hashlib.sha256(labels.tobytes()).hexdigest(),
    }


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    path, run_date, out = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), Path(sys.argv[3])
    source = reference.read_source(path, run_date)
    sales = reference.make_sales(source)
    customers, products, sensitive = reference.compute(path, run_date)
    labelled = customers.filter(pl.col("buys_90d").is_not_null())
    figures = {
        "run_date": run_date.isoformat(),
        "source_rows": source.height,
        "labels_known_until": reference.known_until(source, run_date).isoformat(),
        "newest_labelled_snapshot": labelled["as_of"].max().isoformat() if labelled.height else None,
        "sales": events_figures(sales),
        "purchases": events_figures(reference.make_purchases(sales)),
        "customers": snapshot_figures(customers, "customer_id"),
        "products": snapshot_figures(products, "product_id"),
        "segments_on_purchased_lines": segments_bar(source, run_date),
        "float_sensitive_labels": [
            {
                "customer_id": row["customer_id"], "as_of": row["as_of"].isoformat(),
                "exact_spend_next_90d": row["spend_next_90d"], "float_sum": row["float_next"],
            }
            for row in sensitive.iter_rows(named=True)
        ],
    }
    out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
