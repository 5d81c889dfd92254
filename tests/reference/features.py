"""Expected tables of the stages `customers` and `products`, computed twice without Patronage.

    python features.py <transactions.parquet> <run_date> <out_dir>

First polars, one snapshot at a time: filter the events, group, aggregate, join. Then DuckDB, all
snapshots in one query written another way. The two must agree in every cell, else nothing is
written. Definitions are those of `pipelines/nightly.yaml`:

- rows at or after the run date's midnight are never read, and quarantined ones are not used;
- an entity is in a snapshot if it has an event before it and satisfies `having`;
- windows are half-open; on an empty one COUNT and SUM are 0 and all else is null;
- a label is null unless as_of + 90d <= min(run date, midnight after the source's newest event);
- MODE and MEDIAN ignore nulls, ties of MODE take the smallest (by bytes), DAYS_SINCE floors.

Money is added as whole thousandths, so a sum is exact and a purchase returned in full nets to 0.
A sum of float64 may leave 1e-14 there, which turns `SUM(amount) > 0`; the rows where a plain float
sum would answer otherwise are printed as float-sensitive.

The figures kept beside this file were made with polars 2.1.0 and duckdb 2.0.0 (Python 3.11).
"""

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

EVERY_DAYS, SNAPSHOTS, LAST_DAYS, NEXT_DAYS = 30, 12, 90, 90
NO_GOODS = ["POST", "DOT", "M", "D", "C2", "PADS", "CRUK", "BANK CHARGES"]
TIME = pl.col("ordered_at")
# What the source's checks do not set aside.
GOOD = (
    pl.col("order_id").is_not_null() & pl.col("product_id").is_not_null() & (pl.col("unit_price") >= 0)
    & pl.col("quantity").is_between(-99999, 99999)
)
CUSTOMER_COLUMNS = [
    "customer_id", "as_of",
    "recency_days", "tenure_days", "orders", "returns", "spend", "average_order_value",
    "products", "orders_90d", "spend_90d", "country",
    "buys_90d", "spend_next_90d", "spend_band_90d",
]
PRODUCT_COLUMNS = ["product_id", "as_of", "description", "price", "buyers"]


# ---------------------------------------------------------------- events

def read_source(path, run_date):
    """The rows that a run of `run_date` may see, with the price in thousandths as an integer."""
    source = pl.read_parquet(path).filter(TIME < midnight(run_date))
    price = source["unit_price"].to_numpy()
    thousandths = np.rint(price * 1000).astype(np.int64)
    if not np.allclose(thousandths / 1000, price, rtol=1e-14, atol=1e-14):
        raise SystemExit("a unit_price has more than three decimals: exact sums are not possible")
    return source.with_columns(pl.Series("price_thousandths", thousandths))


def make_sales(source):
    return source.filter(
        GOOD & pl.col("customer_id").is_not_null() & (pl.col("unit_price") > 0)
    ).with_columns(
        amount=pl.col("quantity") * pl.col("unit_price"),
        amount_thousandths=pl.col("quantity").cast(pl.Int64) * pl.col("price_thousandths"),
    )


def make_purchases(sales):
    return sales.filter((pl.col("quantity") > 0) & ~pl.col("product_id").is_in(NO_GOODS))


def midnight(day):
    return datetime(day.year, day.month, day.day)


def snapshot_dates(run_date):
    """Newest first."""
    return [run_date - timedelta(days=EVERY_DAYS * i) for i in range(SNAPSHOTS)]


def known_until(source, run_date):
    """The earlier of the run date and the midnight after the newest event of the source."""
    if source.is_empty():
        return date.min
    return min(run_date, source["ordered_at"].max().date() + timedelta(days=1))


# ---------------------------------------------------------------- first computation: polars

def money(series):
    """Whole thousandths to the nearest float64."""
    values = series.fill_null(0).to_numpy() / 1000
    return pl.Series(series.name, values, dtype=pl.Float64)


def days_since(column, as_of):
    return (pl.lit(midnight(as_of)) - pl.col(column)).dt.total_microseconds() // 86_400_000_000


def customers_of_snapshot(sales, as_of, labels_known):
    """One snapshot, and beside its columns `float_next`: what a plain float sum of the label gives."""
    at = midnight(as_of)
    past = sales.filter(at > TIME)
    recent = past.filter(TIME >= at - timedelta(days=LAST_DAYS))
    future = sales.filter((at <= TIME) & (at + timedelta(days=NEXT_DAYS) > TIME))

    bought, returned = pl.col("quantity") > 0, pl.col("quantity") < 0
    orders = pl.col("order_id").filter(bought).n_unique().cast(pl.Int64)
    net = pl.col("amount_thousandths").sum()

    table = past.group_by("customer_id").agg(
        bought.sum().alias("bought_lines"),
        TIME.filter(bought).max().alias("last_purchase"),
        TIME.min().alias("first_event"),
        orders.alias("orders"),
        pl.col("order_id").filter(returned).n_unique().cast(pl.Int64).alias("returns"),
        net.alias("net"),
        pl.col("product_id").n_unique().cast(pl.Int64).alias("products"),
        pl.col("country").drop_nulls().mode().min().alias("country"),
    ).filter(pl.col("bought_lines") > 0)
    table = table.join(
        recent.group_by("customer_id").agg(orders.alias("orders_90d"), net.alias("net_90d")),
        on="customer_id", how="left",
    ).join(
        future.group_by("customer_id").agg(
            net.alias("net_next"), pl.col("amount").sum().alias("float_next")
        ),
        on="customer_id", how="left",
    ).sort("customer_id")

    net_sum, order_count = table["net"].to_numpy(), table["orders"].to_numpy()
    table = table.with_columns(
        pl.lit(as_of).alias("as_of"),
        days_since("last_purchase", as_of).alias("recency_days"),
        days_since("first_event", as_of).alias("tenure_days"),
        money(table["net"]).alias("spend"),
        # `having` leaves nobody without an order, so there is no division by zero here
        pl.Series("average_order_value", net_sum / (1000 * order_count)),
        pl.col("orders_90d").fill_null(0),
        money(table["net_90d"]).alias("spend_90d"),
        pl.col("net_next").fill_null(0),
        pl.col("float_next").fill_null(0.0),
        money(table["net_next"]).alias("spend_next_90d"),
    ).with_columns(
        (pl.col("net_next") > 0).alias("buys_90d"),
        band(pl.col("net_next"), 500_000).alias("spend_band_90d"),
    )
    if not labels_known:
        table = table.with_columns(
            pl.lit(None, pl.Boolean).alias("buys_90d"),
            pl.lit(None, pl.Float64).alias("spend_next_90d"),
            pl.lit(None, pl.String).alias("spend_band_90d"),
            pl.lit(None, pl.Float64).alias("float_next"),
        )
    return table.select(*CUSTOMER_COLUMNS, "float_next")


def band(net, high):
    return (
        pl.when(net > high).then(pl.lit("high")).when(net > 0).then(pl.lit("low"))
        .otherwise(pl.lit("none"))
    )


def products_of_snapshot(purchases, as_of):
    past = purchases.filter(midnight(as_of) > TIME)
    return past.group_by("product_id").agg(
        pl.lit(as_of).alias("as_of"),
        pl.col("description").drop_nulls().mode().min().alias("description"),
        pl.col("unit_price").median().alias("price"),
        pl.col("customer_id").n_unique().cast(pl.Int64).alias("buyers"),
    ).select(PRODUCT_COLUMNS)


def with_polars(source, run_date):
    """(customers with `float_next`, products), sorted by entity and as_of."""
    sales = make_sales(source)
    purchases = make_purchases(sales)
    until = known_until(source, run_date)
    dates = snapshot_dates(run_date)
    customers = pl.concat([
        customers_of_snapshot(sales, day, day + timedelta(days=NEXT_DAYS) <= until)
        for day in dates
    ])
    products = pl.concat([products_of_snapshot(purchases, day) for day in dates])
    return customers.sort("customer_id", "as_of"), products.sort("product_id", "as_of")


# ---------------------------------------------------------------- second computation: DuckDB

SETUP = """
CREATE TABLE source AS SELECT * FROM read_parquet($path) WHERE ordered_at < $run_date::TIMESTAMP
  AND order_id IS NOT NULL AND product_id IS NOT NULL AND NOT unit_price < 0 AND quantity BETWEEN -99999 AND 99999;
CREATE VIEW sales AS
  SELECT *, quantity * CAST(unit_price AS DECIMAL(18, 3)) AS amount
  FROM source WHERE customer_id IS NOT NULL AND unit_price > 0;
CREATE VIEW purchases AS
  SELECT * FROM sales WHERE quantity > 0
  AND product_id NOT IN ('POST', 'DOT', 'M', 'D', 'C2', 'PADS', 'CRUK', 'BANK CHARGES');
CREATE TABLE snapshots AS
  SELECT day, day::TIMESTAMP AS moment,
         day + 90 <= least($run_date::DATE,
                           (SELECT date_trunc('day', max(ordered_at))::DATE + 1 FROM source)) AS known
  FROM (SELECT $run_date::DATE - 30 * i::INTEGER AS day FROM range(12) AS steps(i));
"""

# every event beside every snapshot; the window of an event is told by its age
CUSTOMERS_SQL = """
WITH placed AS (
  SELECT s.*, day, moment, known, ordered_at < moment AS past,
         ordered_at < moment AND ordered_at >= moment - INTERVAL 90 DAY AS recent,
         ordered_at >= moment AND ordered_at < moment + INTERVAL 90 DAY AS future
  FROM sales s CROSS JOIN snapshots
),
grouped AS (
  SELECT customer_id, day, any_value(moment) AS moment, any_value(known) AS known,
         max(ordered_at) FILTER (past AND quantity > 0) AS last_purchase,
         min(ordered_at) FILTER (past) AS first_event,
         count(DISTINCT order_id) FILTER (past AND quantity > 0) AS orders,
         count(DISTINCT order_id) FILTER (past AND quantity < 0) AS returns,
         coalesce(sum(amount) FILTER (past), 0) AS net,
         count(DISTINCT product_id) FILTER (past) AS products,
         count(DISTINCT order_id) FILTER (recent AND quantity > 0) AS orders_90d,
         coalesce(sum(amount) FILTER (recent), 0) AS net_90d,
         coalesce(sum(amount) FILTER (future), 0) AS net_next
  FROM placed GROUP BY customer_id, day
  HAVING count(*) FILTER (past AND quantity > 0) > 0
),
ranked AS (
  SELECT customer_id, day, country,
         row_number() OVER (PARTITION BY customer_id, day ORDER BY count(*) DESC, country) AS place
  FROM placed WHERE past AND country IS NOT NULL GROUP BY customer_id, day, country
)
SELECT customer_id, day AS as_of,
       (epoch_us(moment) - epoch_us(last_purchase)) // 86400000000 AS recency_days,
       (epoch_us(moment) - epoch_us(first_event)) // 86400000000 AS tenure_days,
       orders, returns, net::DOUBLE AS spend,
       CASE WHEN orders > 0 THEN net::DOUBLE / orders END AS average_order_value,
       products, orders_90d, net_90d::DOUBLE AS spend_90d, country,
       CASE WHEN known THEN net_next > 0 END AS buys_90d,
       CASE WHEN known THEN net_next::DOUBLE END AS spend_next_90d,
       CASE WHEN NOT known THEN NULL WHEN net_next > 500 THEN 'high'
            WHEN net_next > 0 THEN 'low' ELSE 'none' END AS spend_band_90d
FROM grouped LEFT JOIN (SELECT * EXCLUDE place FROM ranked WHERE place = 1) USING (customer_id, day)
ORDER BY customer_id, as_of
"""

PRODUCTS_SQL = """
WITH placed AS (
  SELECT p.*, day FROM purchases p JOIN snapshots ON ordered_at < moment
),
ranked AS (
  SELECT product_id, day, description,
         row_number() OVER (PARTITION BY product_id, day
                            ORDER BY count(*) DESC, description) AS place
  FROM placed WHERE description IS NOT NULL GROUP BY product_id, day, description
),
sorted AS (
  SELECT product_id, day, unit_price,
         row_number() OVER (PARTITION BY product_id, day ORDER BY unit_price) AS place,
         count(*) OVER (PARTITION BY product_id, day) AS size
  FROM placed
),
middle AS (
  SELECT product_id, day, avg(unit_price) AS price FROM sorted
  WHERE place IN ((size + 1) // 2, (size + 2) // 2) GROUP BY product_id, day
),
counted AS (
  SELECT product_id, day, count(DISTINCT customer_id) AS buyers FROM placed GROUP BY product_id, day
)
SELECT product_id, day AS as_of, description, price, buyers
FROM counted JOIN middle USING (product_id, day)
LEFT JOIN (SELECT * EXCLUDE place FROM ranked WHERE place = 1) USING (product_id, day)
ORDER BY product_id, as_of
"""


def with_duckdb(path, run_date):
    """(customers, products) by the second way."""
    db = duckdb.connect()
    statements = SETUP.split(";\n")
    for statement in filter(str.strip, statements):
        names = {"path": str(path), "run_date": run_date.isoformat()}
        db.execute(statement, {k: v for k, v in names.items() if f"${k}" in statement})
    return tuple(
        db.sql(sql).pl() for sql in (CUSTOMERS_SQL, PRODUCTS_SQL)
    )


# ---------------------------------------------------------------- agreement and output

def assert_same(name, first, second):
    """Every cell equal; floats to 1e-12 relative, since the two divide and average differently."""
    if first.columns != second.columns or first.height != second.height:
        raise SystemExit(f"{name}: shapes differ: {first.shape} and {second.shape}")
    for column in first.columns:
        a, b = first[column], second[column].cast(first[column].dtype)
        if a.dtype == pl.Float64:
            same = bool((a.is_null() == b.is_null()).all()) and np.allclose(
                a.drop_nulls().to_numpy(), b.drop_nulls().to_numpy(), rtol=1e-12, atol=1e-12
            )
        else:
            same = a.equals(b)
        if not same:
            raise SystemExit(f"{name}.{column}: polars and DuckDB differ")


def float_sensitive(customers):
    """Labelled rows whose class a plain float64 sum of the amounts would change."""
    exact = customers.filter(pl.col("buys_90d").is_not_null())
    return exact.filter(
        ((pl.col("float_next") > 0) != pl.col("buys_90d"))
        | (band(pl.col("float_next"), 500) != pl.col("spend_band_90d"))
    ).select("customer_id", "as_of", "spend_next_90d", "float_next", "spend_band_90d")


def compute(path, run_date):
    """(customers, products, float-sensitive rows), both ways agreeing."""
    customers, products = with_polars(read_source(path, run_date), run_date)
    sensitive = float_sensitive(customers)
    customers = customers.drop("float_next")
    second_customers, second_products = with_duckdb(path, run_date)
    assert_same("customers", customers, second_customers)
    assert_same("products", products, second_products)
    return customers, products, sensitive


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    path, run_date, out = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), Path(sys.argv[3])
    customers, products, sensitive = compute(path, run_date)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in (("customers", customers), ("products", products)):
        file = out / f"expected_{name}.parquet"
        table.write_parquet(file, compression="zstd", compression_level=19)
        print(f"{file.name}: {table.height} rows, {file.stat().st_size} bytes")
    print(f"float-sensitive labels: {sensitive.height}")
    for row in sensitive.iter_rows(named=True):
        print(" ", row)


if __name__ == "__main__":
    main()
