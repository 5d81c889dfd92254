#!/usr/bin/env bash
# NDCG@10 of the recommenders on Online Retail, by how many orders customers had.
#
# Usage: benches/recommenders.sh PROGRAM TRANSACTIONS.parquet
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "$1")
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/configs" "$project/data"
ln -s "$(realpath "$2")" "$project/data/transactions.parquet"
printf 'lake: data\nrun_date: 2011-12-10\n' >"$project/configs/local.yaml"
cp "$repository/benches/recommenders.yaml" "$project/"
"$program" run "$project/recommenders.yaml" 2>/dev/null | sed -n '/^Models/,$p'
"${PATRONAGE_PEER:-python3}" - "$project"/target/patronage/*/report.json <<'PYTHON'
import json
import sys

for model in json.load(open(sys.argv[1]))["models"]:
    evaluation = model["evaluation"]
    print(f"\n{model['stage']}: ", end="")
    print(", ".join(f"{s['slice']} {s['value']:.4f}" for s in evaluation["slices"] if s["measure"].startswith("ndcg")))
    for fact in evaluation["facts"]:
        if fact["name"] in ("best part", "served weights", "weights"):
            print("   ", fact["name"], fact["value"])
    for chart in evaluation["charts"]:
        if chart["kind"] == "table" and model["stage"].startswith(("next_products", "best_sellers")):
            for row in chart["rows"]:
                print("   ", row)
PYTHON
