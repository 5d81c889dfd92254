"""Response to prices within items and customers, by other tools: what src/algorithms/price_response is held against.

Usage: price_response.py

Makes orders, fits log quantity on log price and on the size of the rest of the order with a column for each customer and
each item (statsmodels 0.15), customers' own slopes on what is left, and Paule and Mandel's variance between them by
statsmodels' combine_effects. Writes price_response.csv (the lines) and price_response.json (what was found) beside this
script.
"""

import json
import pathlib

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.stats.meta_analysis import combine_effects

HERE = pathlib.Path(__file__).parent
random = np.random.default_rng(5)
customers, items, orders = 40, 25, 600
base = random.lognormal(1, 0.6, items)
elasticity = random.lognormal(0.3, 0.5, customers)
usual_units = random.uniform(2, 12, customers)
rows = []
for order in range(orders):
    customer = int(random.integers(customers))
    for item in random.choice(items, size=int(random.integers(1, 6)), replace=False):
        factor = random.choice([1.0, 1.0, 0.9, 0.8, 0.7, 1.1])
        units = 1 + random.poisson(usual_units[customer] * factor ** -elasticity[customer])
        rows.append((customer, int(item), order, round(base[item] * factor, 2), int(units)))
lines = pd.DataFrame(rows, columns=["customer", "item", "order", "price", "quantity"])
lines.to_csv(HERE / "price_response.csv", index=False)

usual = lines.groupby("item")["price"].transform("median")
price = np.log(lines["price"] / usual)
quantity = np.log(lines["quantity"])
rest = np.log1p(lines.groupby("order")["quantity"].transform("sum") - lines["quantity"])
dummies = pd.get_dummies(lines[["customer", "item"]].astype("category")).astype(float).iloc[:, :-1]
fitted = sm.OLS(quantity, pd.concat([price.rename("price"), rest.rename("rest"), dummies], axis=1)).fit()


def left(values):
    return values - sm.OLS(values, dummies).fit().fittedvalues


x, y = left(price), left(quantity) - fitted.params["rest"] * left(rest)
squares = (x * x).groupby(lines["customer"]).sum()
own = -(x * y).groupby(lines["customer"]).sum() / squares
residuals = y + own.reindex(lines["customer"]).to_numpy() * x
variance = float((residuals**2).sum() / (len(lines) - 2 * customers - items))
together = combine_effects(own.to_numpy(), (variance / squares).to_numpy(), method_re="iterated")
found = {
    "elasticity": float(-fitted.params["price"]),
    "order_size": float(fitted.params["rest"]),
    "variance": variance,
    "customers": own.round(10).tolist(),
    "mean": float(together.mean_effect_re),
    "between": float(together.tau2),
}
(HERE / "price_response.json").write_text(json.dumps(found, indent=1) + "\n")
print({name: found[name] for name in found if name != "customers"})
