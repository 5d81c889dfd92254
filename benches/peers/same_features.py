"""Whether two folders hold the same customers.parquet and products.parquet.

    python same_features.py OURS THEIRS

Counts, days and texts must be equal, floats to 1e-9 of the larger of the two and one. A label that
asks whether a sum is above zero may differ where the sum is within 1e-6 of the border: a float sum of
a purchase and its return need not be exactly zero. Such rows are counted and must be under one in
ten thousand.
"""

import sys

import numpy as np
import polars as pl

KEYS = {"customers": ["customer_id", "as_of"], "products": ["product_id", "as_of"]}
BORDERS = {"buys_90d": [0.0], "spend_band_90d": [0.0, 500.0]}


def compare(name, ours, theirs):
    if ours.columns != theirs.columns or ours.height != theirs.height:
        raise SystemExit(f"{name}: {ours.shape} {ours.columns} and {theirs.shape} {theirs.columns}")
    if not ours.select(KEYS[name]).equals(theirs.select(KEYS[name])):
        raise SystemExit(f"{name}: other keys")
    for column in ours.columns:
        a, b = ours[column], theirs[column].cast(ours[column].dtype)
        if not (a.is_null() == b.is_null()).all():
            raise SystemExit(f"{name}.{column}: other nulls")
        if a.dtype == pl.Float64:
            x, y = a.drop_nulls().to_numpy(), b.drop_nulls().to_numpy()
            far = np.abs(x - y) > 1e-9 * np.maximum(np.maximum(np.abs(x), np.abs(y)), 1.0)
            if far.any():
                raise SystemExit(f"{name}.{column}: {far.sum()} values differ")
            continue
        other = ours.filter((a != b).fill_null(False))
        if column in BORDERS and other.height:
            spend = other["spend_next_90d"].to_numpy()
            near = np.min([np.abs(spend - border) for border in BORDERS[column]], axis=0) < 1e-6
            if near.all() and other.height < ours.height / 10_000:
                print(f"{name}.{column}: {other.height} rows at the border differ")
                continue
        if other.height:
            raise SystemExit(f"{name}.{column}: {other.height} values differ")
    print(f"{name}: {ours.height} rows are the same")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    for name in KEYS:
        compare(name, *(pl.read_parquet(f"{folder}/{name}.parquet") for folder in sys.argv[1:]))
