"""The features of `customers` and `products` as a user of polars would write them.

    python features_polars.py TRANSACTIONS RUN_DATE OUT_DIR

TRANSACTIONS is a Parquet file or a glob. OUT_DIR gets customers.parquet and products.parquet, with
the columns of the same stages of benches/features.yaml. It is written to be quick: the cleaned lines
are read once, with the texts that repeat as categories, and kept in memory; each snapshot is one
lazy query on the streaming engine, with one group-by a window. Variants that were slower on two cores:
scanning the files again for each snapshot, one query over all snapshots, the in-memory engine, and
the mode of a country through a second group-by.

Needs polars 1.30 or newer; measured with 2.1.0.
"""

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

EVERY, SNAPSHOTS, WINDOW = timedelta(days=30), 12, timedelta(days=90)
NO_GOODS = ["POST", "DOT", "M", "D", "C2", "PADS", "CRUK", "BANK CHARGES"]
TIME, AMOUNT = pl.col("ordered_at"), pl.col("amount")
BOUGHT, RETURNED = pl.col("quantity") > 0, pl.col("quantity") < 0


def midnight(day):
    return datetime(day.year, day.month, day.day)


def orders(which):
    return pl.col("order_id").filter(which).n_unique().cast(pl.Int64)


def most_frequent(name):
    """The smallest of the most frequent texts."""
    return pl.col(name).drop_nulls().mode().cast(pl.String).min().alias(name)


def read(path, run_date):
    """The lines of known customers, and until when the future is known."""
    lines = pl.scan_parquet(path).filter(TIME < midnight(run_date))
    newest = lines.select(TIME.max()).collect(engine="streaming").item()
    sales = (
        lines.filter(pl.col("customer_id").is_not_null() & (pl.col("unit_price") > 0))
        .with_columns(
            (pl.col("quantity") * pl.col("unit_price")).alias("amount"),
            pl.col("product_id", "description", "country").cast(pl.Categorical),
        )
        .collect(engine="streaming")
    )
    return sales, min(run_date, newest.date() + timedelta(days=1))


def customers(sales, as_of, known_until):
    at = midnight(as_of)
    past = sales.lazy().filter(TIME < at)
    recent = past.filter(TIME >= at - WINDOW)
    future = sales.lazy().filter((TIME >= at) & (TIME < at + WINDOW))
    table = (
        past.group_by("customer_id")
        .agg(
            BOUGHT.sum().alias("bought"),
            TIME.filter(BOUGHT).max().alias("newest"),
            TIME.min().alias("oldest"),
            orders(BOUGHT).alias("orders"),
            orders(RETURNED).alias("returns"),
            AMOUNT.sum().alias("spend"),
            pl.col("product_id").n_unique().cast(pl.Int64).alias("products"),
            most_frequent("country"),
        )
        .filter(pl.col("bought") > 0)
        .join(
            recent.group_by("customer_id").agg(orders(BOUGHT).alias("orders_90d"), AMOUNT.sum().alias("spend_90d")),
            on="customer_id",
            how="left",
        )
        .join(future.group_by("customer_id").agg(AMOUNT.sum().alias("next")), on="customer_id", how="left")
    )
    if as_of + WINDOW <= known_until:
        spend_next = pl.col("next").fill_null(0.0)
    else:
        spend_next = pl.lit(None, dtype=pl.Float64)
    days = lambda name: (pl.lit(at) - pl.col(name)).dt.total_days()
    band = pl.when(spend_next > 500).then(pl.lit("high")).when(spend_next > 0).then(pl.lit("low")).otherwise(pl.lit("none"))
    return table.select(
        "customer_id",
        pl.lit(as_of).alias("as_of"),
        days("newest").alias("recency_days"),
        days("oldest").alias("tenure_days"),
        "orders",
        "returns",
        "spend",
        (pl.col("spend") / pl.col("orders")).alias("average_order_value"),
        "products",
        pl.col("orders_90d").fill_null(0),
        pl.col("spend_90d").fill_null(0.0),
        "country",
        (spend_next > 0).alias("buys_90d"),
        spend_next.alias("spend_next_90d"),
        pl.when(spend_next.is_not_null()).then(band).alias("spend_band_90d"),
    )


def products(sales, as_of):
    goods = BOUGHT & ~pl.col("product_id").cast(pl.String).is_in(NO_GOODS)
    past = sales.lazy().filter(goods & (TIME < midnight(as_of)))
    return past.group_by("product_id").agg(
        pl.lit(as_of).alias("as_of"),
        most_frequent("description"),
        pl.col("unit_price").median().alias("price"),
        pl.col("customer_id").n_unique().cast(pl.Int64).alias("buyers"),
    )


def write(parts, key, path):
    frames = [part.collect(engine="streaming") for part in parts]
    pl.concat(frames).with_columns(pl.col(key).cast(pl.String) if key == "product_id" else pl.col(key)).sort(
        key, "as_of"
    ).write_parquet(path)


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    path, run_date, out = sys.argv[1], date.fromisoformat(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    sales, known_until = read(path, run_date)
    moments = [run_date - EVERY * step for step in range(SNAPSHOTS)]
    write((products(sales, moment) for moment in moments), "product_id", out / "products.parquet")
    write((customers(sales, moment, known_until) for moment in moments), "customer_id", out / "customers.parquet")


if __name__ == "__main__":
    main()
