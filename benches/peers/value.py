"""What benches/value is held against: lifetimes, on the same customers, asked line by line.

    python value.py DIRECTORY

Reads one JSON object a line from standard input, does it, and answers with one, `seconds` among it: the time of the
work alone, the numbers being in memory. Ours says the range of what each customer is worth and discounts it; this does
neither. Measured with lifetimes 0.11.3.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import lifetimes
import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter

warnings.filterwarnings("ignore")
numbers = {}


def load(name):
    if name not in numbers:
        raw = np.fromfile(Path(sys.argv[1]) / name, dtype="<f8")
        columns = int(raw[:1].view("<u8")[0])
        numbers.clear()
        rows = raw[1:].reshape(-1, columns)
        numbers[name] = pd.DataFrame(rows, columns=["frequency", "recency", "T", "value"])
    return numbers[name]


def value(rows, fitter, horizon):
    history = rows["frequency"], rows["recency"], rows["T"]
    fitter.fit(*history)
    alive = fitter.conditional_probability_alive(*history)
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(horizon, *history)
    repeating = rows[rows["frequency"] > 0]
    spend = GammaGammaFitter().fit(repeating["frequency"], repeating["value"])
    worth = expected * spend.conditional_expected_average_profit(rows["frequency"], rows["value"])
    return {
        "expected": float(np.sum(expected)),
        "alive": float(np.sum(alive)),
        "worth": float(np.sum(worth)),
    }


fitters = {"bg_nbd": BetaGeoFitter, "pareto_nbd": ParetoNBDFitter}

print(json.dumps({"name": f"lifetimes {lifetimes.__version__}"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    rows = load(asked["file"])
    start = time.perf_counter()
    answer = value(rows, fitters[asked["do"]](), asked["horizon"])
    print(json.dumps({"seconds": time.perf_counter() - start, **answer}), flush=True)
