"""Predictions beside scikit-learn's on real data: ROC AUC on the same rows, and calibration errors.

Usage: predictions.py PROGRAM BANK.parquet TRANSACTIONS.parquet

Runs in a Python with scikit-learn and polars. BANK is Bank Marketing (UCI, doi 10.24432/C5K306), a row a call; ten folds,
each of which is scored by models of the others. TRANSACTIONS is Online Retail, whose snapshots the nightly pipeline makes;
the newest with a known label judges. Customers are synthesized for a third table.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import polars as pl
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

FOLDS = 10
NIGHTLY = pathlib.Path(__file__).resolve().parent / "nightly.yaml"


def run(project, pipeline, *more):
    command = [PROGRAM, "run", str(pipeline), *more]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(ended.stdout + ended.stderr)
    report = max((project / "target/patronage").glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    return {model["stage"]: model["evaluation"] for model in json.loads(report.read_text())["models"]}


def measure(evaluation, name):
    found = next(measure for measure in evaluation["measures"] if measure["name"] == name)["model"]
    interval = "" if found["low"] is None else f" ({found['low']:.4f} to {found['high']:.4f})"
    return f"{found['value']:.4f}{interval}"


def fact(evaluation, name):
    return next((fact["value"] for fact in evaluation["facts"] if fact["name"] == name), "")


def ece(probability, truth):
    """Over ten bins of equal width."""
    places = np.minimum((probability * 10).astype(int), 9)
    return sum(abs(probability[places == k].sum() - truth[places == k].sum()) for k in range(10)) / len(truth)


def prepared(frame, columns, model):
    text = [name for name in columns if frame.schema[name] == pl.String]
    numbers = [name for name in columns if name not in text]
    levels = OneHotEncoder(handle_unknown="ignore", min_frequency=10, sparse_output=False)
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(make_column_transformer((scaled, numbers), (make_pipeline(levels, StandardScaler()), text)), model)


def scores(model, frame):
    return model.predict_proba(frame)[:, 1] if hasattr(model, "predict_proba") else model.decision_function(frame)


MODELS = {
    "logistic": ("{}", LogisticRegression(C=1.0, max_iter=1000)),
    "svm": ("{kernel: linear}", LinearSVC(C=1.0, intercept_scaling=1000.0, max_iter=10_000)),
    "boosted_trees": ("{}", HistGradientBoostingClassifier(early_stopping=False)),
}


def bank(directory, path, with_duration):
    """Fold k is scored by models of the others: its target is null in the column y_k."""
    frame = pl.read_parquet(path).with_columns(pl.col("customer_id").cast(pl.Int64))
    folds = np.zeros(frame.height, dtype=int)
    for fold, (_, held) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(folds, frame["y"])):
        folds[held] = fold
    targets = [pl.when(pl.lit(pl.Series(folds)) != fold).then(pl.col("y")).alias(f"y_{fold}") for fold in range(FOLDS)]
    calibrations = ("none",) if with_duration else ("none", "platt", "isotonic")
    project = directory / f"bank_{with_duration}"
    (project / "configs").mkdir(parents=True)
    (project / "configs/local.yaml").write_text("{}\n")
    frame.with_columns(targets).drop("y").write_parquet(project / "bank.parquet")
    columns = [name for name in frame.columns if name not in ("customer_id", "y") and (with_duration or name != "duration")]
    types = {pl.Int64: "int64", pl.String: "string"}
    lines = ["name: bank", "seed: 42", "sources:", "  calls:", "    path: bank.parquet", "    key: [customer_id]"]
    lines += ["    static: true", "    columns:", "      customer_id: {type: int64, class: direct_id}"]
    lines += [f"      {name}: {types[type(frame.schema[name])]}" for name in frame.columns[1:-1]]
    lines += [f"      y_{fold}: bool?" for fold in range(FOLDS)] + ["stages:"]
    publish = []
    for kind, (options, _) in MODELS.items():
        for fold in range(FOLDS):
            for calibrate in calibrations:
                name = f"{kind}_{calibrate}_{fold}"
                own = options.strip("{}")
                lines += [f"  - id: {name}", f"    stage: {kind}", "    inputs: {features: calls}"]
                features = ", ".join(columns)
                given = ", ".join(filter(None, [f"target: y_{fold}", f"features: [{features}]", own, f"calibrate: {calibrate}"]))
                lines += [f"    with: {{{given}}}"]
                publish += [f"  {name}: {{from: {name}, to: out/{name}}}"]
    (project / "bank.yaml").write_text("\n".join(lines + ["publish:"] + publish) + "\n")
    run(project, "bank.yaml", "--run-date", "2012-01-01")
    for kind, (_, model) in MODELS.items():
        ours, theirs = [], []
        calibrated = {calibrate: np.zeros(frame.height) for calibrate in calibrations[1:]}
        for fold in range(FOLDS):
            held = frame.filter(pl.Series(folds == fold))
            def published(calibrate):
                found = pl.read_parquet(project / f"out/{kind}_{calibrate}_{fold}/run_date=2012-01-01/*.parquet")
                return held.join(found, on="customer_id", how="left", maintain_order="left")
            score = "score" if kind == "svm" else "probability"
            ours.append(roc_auc_score(held["y"], published("none")[score]))
            train = frame.filter(pl.Series(folds != fold))
            fitted = prepared(frame, columns, model).fit(train, train["y"])
            theirs.append(roc_auc_score(held["y"], scores(fitted, held)))
            for calibrate, probability in calibrated.items():
                probability[folds == fold] = published(calibrate)["probability"]
        gap = np.subtract(ours, theirs)
        print(
            f"bank marketing, {'with' if with_duration else 'without'} duration, {kind}: ROC AUC {np.mean(ours):.4f}, scikit-learn"
            f" {np.mean(theirs):.4f}, {gap.mean():+.4f} (a fold {gap.min():+.4f} to {gap.max():+.4f})",
            flush=True,
        )
        for calibrate, probability in calibrated.items():
            print(f"    {calibrate}: calibration error {ece(probability, frame['y'].to_numpy()):.4f}")


def nightly(directory, name, data, date):
    """The nightly's customers, and their chance to buy, with and without calibration."""
    project = directory / name
    (project / "configs").mkdir(parents=True)
    (project / "configs/local.yaml").write_text(f"lake: {data}\nwarehouse: out\nrun_date: {date}\n")
    text = NIGHTLY.read_text()
    head, stages = text.split("\nstages:\n")
    kept = [part for part in re.split(r"\n(?=  - id: )", stages.split("\npublish:")[0]) if re.search(r"- id: (sales|purchases|customers)\b", part)]
    for kind in MODELS:
        more = ", kernel: linear" if kind == "svm" else ""
        for calibrate in ("none", "platt", "isotonic"):
            kept.append(
                f"  - id: {kind}_{calibrate}\n    stage: {kind}\n    inputs: {{features: customers}}\n"
                f"    with: {{target: buys_90d, features: all, calibrate: {calibrate}{more}}}"
            )
    (project / "nightly.yaml").write_text(head + "\nstages:\n" + "\n".join(kept) + "\n")
    models = run(project, "nightly.yaml")
    (path,) = (project / "target/patronage/tables").glob("*/customers/*/features.parquet")
    return models, pl.read_parquet(path)


def snapshots(directory, name, data, date):
    models, frame = nightly(directory, name, data, date)
    known = frame.filter(pl.col("buys_90d").is_not_null())
    evaluated = known["as_of"].max()
    train = known.filter(pl.col("as_of") <= evaluated - pl.duration(days=90))
    held = known.filter(pl.col("as_of") == evaluated)
    columns = [name for name in frame.columns if name not in ("customer_id", "as_of") and not name.endswith("_90d") or name in ("orders_90d", "spend_90d")]
    for kind, (_, model) in MODELS.items():
        found = models[f"{kind}_none"]
        fitted = prepared(frame, columns, model).fit(train, train["buys_90d"])
        theirs = roc_auc_score(held["buys_90d"], scores(fitted, held))
        evaluated_on = fact(found, "evaluated on")
        print(f"{name}, {kind}: ROC AUC {measure(found, 'roc_auc')}, scikit-learn {theirs:.4f}; evaluated on {evaluated_on}")
        calibrations(models, kind)
    return known.filter(pl.col("as_of") == evaluated).select("customer_id", *columns, "buys_90d")


def calibrations(models, kind):
    for calibrate in ("platt", "isotonic"):
        found = models[f"{kind}_{calibrate}"]
        print(f"    {calibrate}: {fact(found, 'calibration') or 'calibration error ' + measure(found, 'ece')}", flush=True)


def by_chance(directory, frame):
    """Customers at one moment, of which some judge: without the seasons between the moments."""
    project = directory / "by_chance"
    (project / "configs").mkdir(parents=True)
    (project / "configs/local.yaml").write_text("{}\n")
    frame.write_parquet(project / "customers.parquet")
    types = {pl.Int64: "int64", pl.Float64: "float64", pl.String: "string", pl.Boolean: "bool"}
    lines = ["name: by_chance", "seed: 42", "sources:", "  customers:", "    path: customers.parquet", "    key: [customer_id]"]
    lines += ["    static: true", "    columns:"]
    lines += [f"      {name}: {types[type(dtype)]}?" for name, dtype in frame.schema.items()] + ["stages:"]
    for kind in MODELS:
        more = ", kernel: linear" if kind == "svm" else ""
        for calibrate in ("none", "platt", "isotonic"):
            lines += [f"  - id: {kind}_{calibrate}", f"    stage: {kind}", "    inputs: {features: customers}"]
            lines += [f"    with: {{target: buys_90d, features: all, calibrate: {calibrate}{more}, validate: {{share: 0.3}}}}"]
    (project / "by_chance.yaml").write_text("\n".join(lines) + "\n")
    models = run(project, "by_chance.yaml", "--run-date", "2025-01-01")
    for kind in MODELS:
        print(f"100,000 synthesized customers at one moment, {kind}: ROC AUC {measure(models[f'{kind}_none'], 'roc_auc')}")
        calibrations(models, kind)


PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
print(f"scikit-learn {sklearn.__version__}")
with tempfile.TemporaryDirectory() as temporary:
    root = pathlib.Path(temporary)
    bank(root, sys.argv[2], False)
    bank(root, sys.argv[2], True)
    lake = root / "lake"
    lake.mkdir()
    (lake / "transactions.parquet").symlink_to(pathlib.Path(sys.argv[3]).resolve())
    snapshots(root, "online retail", lake, "2011-12-10")
    subprocess.run([PROGRAM, "synthesize", "--customers", "100000", "--out", root / "made"], check=True, capture_output=True)
    by_chance(root, snapshots(root, "100,000 synthesized customers", root / "made", "2025-01-01"))
