#!/usr/bin/env bash
# item_cf of a large shop, as a user runs it: fit, and ten items for everyone. Time and memory of the whole process.
#
# Usage: benches/recommendations.sh [PROGRAM] [USERS] [ITEMS] [INTERACTIONS]
#
# PATRONAGE_PEER is a Python with numpy and pyarrow, which makes the interactions (`python3` by default).
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-$repository/target/release/patronage}")
users=${2:-1000000}
items=${3:-50000}
interactions=${4:-30000000}

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/configs"
echo '{}' >"$project/configs/local.yaml"
"${PATRONAGE_PEER:-python3}" - "$users" "$items" "$interactions" "$project/views.parquet" <<'PYTHON'
import sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

users, items, count, path = *map(int, sys.argv[1:4]), sys.argv[4]
random = np.random.default_rng(42)
activity = random.lognormal(0, 1, users)
weight = 1 / np.arange(1, items + 1) ** 0.9
fields = [("user", pa.int64()), ("item", pa.int64()), ("at", pa.timestamp("us"))]
begin = np.datetime64("2024-01-01", "us").astype(np.int64)
with pq.ParquetWriter(path, pa.schema(fields)) as writer:
    for start in range(0, count, 3_000_000):
        rows = min(3_000_000, count - start)
        user = random.choice(users, rows, p=activity / activity.sum())
        item = random.choice(items, rows, p=weight / weight.sum())
        at = begin + random.integers(0, 365 * 86_400_000_000, rows)
        writer.write_table(pa.table({"user": user, "item": item, "at": pa.array(at, pa.timestamp("us"))}))
PYTHON
cat >"$project/views.yaml" <<'YAML'
name: views
seed: 42
sources:
  views:
    path: views.parquet
    event_time: at
    columns: {user: int64, item: int64, at: datetime}
stages:
  - id: similar
    stage: item_cf
    inputs: {interactions: views}
    with: {user: user, item: item, time: at, holdout: 30d, splits: 1, top: 10}
YAML
"$program" run "$project/views.yaml" --run-date 2025-01-01 2>/dev/null | grep -E "ndcg|Took"
