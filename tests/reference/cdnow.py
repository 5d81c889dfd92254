"""Histories of the 2,357 customers of the papers on BG/NBD and Pareto/NBD, and what `lifetimes` expects of them.

Usage: cdnow.py SAMPLE.parquet

SAMPLE is Fader and Hardie's public CDNOW sample (customer_id, date, amount), as in the Python package lifetimes (MIT).
Purchases to 1997-09-30 are known, those of the 39 weeks after are counted. Writes cdnow_histories.csv (customers of the
same history in a row) and cdnow_spend.csv (those who repeated) beside this script. Run with lifetimes 0.11.3.
"""

import datetime
import pathlib
import sys

import pandas as pd
from lifetimes import BetaGeoFitter, ParetoNBDFitter

HERE = pathlib.Path(__file__).parent
END, LAST = datetime.date(1997, 9, 30), datetime.date(1998, 6, 30)

rows = pd.read_parquet(sys.argv[1])
rows["date"] = pd.to_datetime(rows["date"]).dt.date
days = rows.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
known = days[days["date"] <= END]
first = known.groupby("customer_id")["date"].min().rename("first")
known = known.join(first, on="customer_id")
table = pd.DataFrame({"first": first, "last": known.groupby("customer_id")["date"].max()})
table["repeats"] = known.groupby("customer_id").size() - 1
table["recency_days"] = [(last - first).days for first, last in zip(table["first"], table["last"])]
table["age_days"] = [(END - first).days for first in table["first"]]
later = days[(days["date"] > END) & (days["date"] <= LAST)].groupby("customer_id").size()
table["later"] = later.reindex(table.index).fillna(0).astype(int)
repeated = known[known["date"] > known["first"]]
table["mean"] = repeated.groupby("customer_id")["amount"].mean()

key = ["repeats", "recency_days", "age_days"]
groups = table.groupby(key).agg(customers=("later", "size"), later=("later", "sum")).reset_index()
weeks = groups["repeats"], groups["recency_days"] / 7, groups["age_days"] / 7
bg, pareto = BetaGeoFitter(), ParetoNBDFitter()
bg.params_ = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
pareto.params_ = pd.Series({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669})
for name, model in {"bg_nbd": bg, "pareto_nbd": pareto}.items():
    groups[f"{name}_alive"] = model.conditional_probability_alive(*weeks)
    groups[f"{name}_purchases"] = model.conditional_expected_number_of_purchases_up_to_time(39, *weeks)
groups.to_csv(HERE / "cdnow_histories.csv", index=False, float_format="%.8g")
spend = table[table["repeats"] > 0][["repeats", "mean"]]
spend.to_csv(HERE / "cdnow_spend.csv", index=False, float_format="%.8g")
