"""Reference measures of the models of `pipelines/nightly.yaml`, from the expected features.

    python models.py <expected_customers.parquet> <out.json>

Logistic regression of `buys_90d`: evaluated on the newest labelled snapshot, trained on the
snapshots whose labels were known then (as_of + 90d <= its moment), uncalibrated; and the constant
class prior of the training rows as the baseline. K-means of the newest snapshot for 4 to 10
clusters. Made with scikit-learn 1.9.1, numpy 2.4.6 and polars 2.1.0.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, silhouette_score

HORIZON = timedelta(days=90)
TARGET = "buys_90d"
NUMERIC = [
    "recency_days", "tenure_days", "orders", "returns", "spend", "average_order_value",
    "products", "orders_90d", "spend_90d",
]
SEGMENT_COLUMNS = ["recency_days", "orders", "spend", "average_order_value"]


def split(customers):
    """(training rows, evaluation rows) by the newest-labelled-snapshot protocol."""
    labelled = customers.filter(pl.col(TARGET).is_not_null())
    moment = labelled["as_of"].max()
    train = labelled.filter(pl.col("as_of") + HORIZON <= moment)
    return train, labelled.filter(pl.col("as_of") == moment)


def numbers(table, columns):
    return table.select(pl.col(columns).cast(pl.Float64)).to_numpy()


def design(train, rows, levels):
    """Standardized numbers (training median, mean, population deviation), then one-hot country."""
    fitted, raw = numbers(train, NUMERIC), numbers(rows, NUMERIC)
    median = np.nanmedian(fitted, axis=0)
    fitted, raw = (np.where(np.isnan(x), median, x) for x in (fitted, raw))
    scaled = (raw - fitted.mean(axis=0)) / fitted.std(axis=0)
    country = rows["country"].to_list()
    one_hot = np.array([[float(c == level) for level in levels] for c in country])
    return np.hstack([scaled, one_hot])


def measures(truth, probability):
    return {
        "roc_auc": round(float(roc_auc_score(truth, probability)), 9),
        "log_loss": round(float(log_loss(truth, probability)), 9),
        "brier": round(float(brier_score_loss(truth, probability)), 9),
    }


def logistic(customers):
    train, rows = split(customers)
    levels = sorted(train["country"].drop_nulls().unique().to_list())
    x, y = design(train, train, levels), train[TARGET].to_numpy()
    truth = rows[TARGET].to_numpy()
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=10000, tol=1e-10)
    model.fit(x, y)
    probability = model.predict_proba(design(train, rows, levels))[:, 1]
    prior = float(y.mean())
    names = NUMERIC + [f"country={level}" for level in levels]
    # the gradient of the objective: says how far from the optimum the solver stopped
    weights = len(y) / (2 * np.bincount(y.astype(int)))[y.astype(int)]
    residual = weights * (model.predict_proba(x)[:, 1] - y)
    gradient = np.append(x.T @ residual + model.coef_[0], residual.sum())
    return {
        "target": TARGET,
        "train_as_of": [d.isoformat() for d in sorted(train["as_of"].unique().to_list())],
        "evaluation_as_of": rows["as_of"][0].isoformat(),
        "train_rows": train.height,
        "train_positives": int(y.sum()),
        "evaluation_rows": rows.height,
        "evaluation_positives": int(truth.sum()),
        "model": measures(truth, probability),
        "baseline_class_prior": {
            "probability": round(prior, 9), **measures(truth, np.full(len(truth), prior)),
        },
        "intercept": round(float(model.intercept_[0]), 7),
        "coefficients": {n: round(float(w), 7) for n, w in zip(names, model.coef_[0])},
        "largest_gradient_component": float(np.abs(gradient).max()),
        "iterations": int(model.n_iter_[0]),
    }


def clusters(customers):
    newest = customers.filter(pl.col("as_of") == pl.col("as_of").max())
    raw = np.nan_to_num(numbers(newest, SEGMENT_COLUMNS), nan=0.0)
    raw[:, 2:] = np.maximum(raw[:, 2:], 0.0)  # spend and average_order_value
    points = np.log1p(raw)
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    figures = []
    for k in range(4, 11):
        fit = KMeans(n_clusters=k, n_init=20, random_state=0).fit(points)
        # many more starts, run until nothing moves; another start may still be a little better
        best = KMeans(n_clusters=k, n_init=300, random_state=1, tol=0, max_iter=1000).fit(points)
        figures.append({
            "clusters": k,
            "inertia": round(float(fit.inertia_), 6),
            "silhouette": round(float(silhouette_score(points, fit.labels_)), 6),
            "best_of_300": {
                "inertia": round(float(best.inertia_), 6),
                "silhouette": round(float(silhouette_score(points, best.labels_)), 6),
            },
        })
    return {
        "as_of": newest["as_of"][0].isoformat(), "rows": newest.height,
        "columns": SEGMENT_COLUMNS, "by_clusters": figures,
    }


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    customers = pl.read_parquet(sys.argv[1])
    figures = {"logistic": logistic(customers), "kmeans": clusters(customers)}
    Path(sys.argv[2]).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
