#!/usr/bin/env bash
# Scores with reasons of a large table, as a user runs it: a model fitted on the rows whose target is known, all others
# scored. Time and memory of the whole process.
#
# Usage: benches/scoring.sh [PROGRAM] [ROWS] [STAGE]
#
# STAGE is `logistic` (the default), `linear` or `boosted_trees`. PATRONAGE_PEER is a Python with numpy and pyarrow, which
# makes the table (`python3` by default).
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-$repository/target/release/patronage}")
rows=${2:-10000000}
stage=${3:-logistic}
target=buys
[ "$stage" != linear ] || target=spend

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/configs"
echo '{}' >"$project/configs/local.yaml"
"${PATRONAGE_PEER:-python3}" - "$rows" "$project/customers.parquet" <<'PYTHON'
import sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

rows, path = int(sys.argv[1]), sys.argv[2]
known = 200_000
random = np.random.default_rng(42)
features = [f"x{column}" for column in range(20)]
fields = [("id", pa.int64())] + [(name, pa.float64()) for name in features]
fields += [("buys", pa.bool_()), ("spend", pa.float64())]
effects = np.sin(0.7 * np.arange(20))
with pq.ParquetWriter(path, pa.schema(fields)) as writer:
    for start in range(0, rows + known, 1_000_000):
        ids = np.arange(start, min(start + 1_000_000, rows + known))
        x = random.normal(size=(len(ids), 20))
        score = x @ effects
        # Rows whose target is known are spread among the others.
        unknown = ids % (1 + rows // known) != 0
        buys = pa.array(random.random(len(ids)) < 1 / (1 + np.exp(-score)), mask=unknown)
        spend = pa.array(score + random.normal(size=len(ids)) * 2, mask=unknown)
        columns = [ids] + [x[:, column] for column in range(20)] + [buys, spend]
        writer.write_table(pa.table(columns, schema=pa.schema(fields)))
PYTHON
cat >"$project/scoring.yaml" <<YAML
name: scoring
seed: 42
sources:
  customers:
    path: customers.parquet
    key: [id]
    static: true
    columns:
      id: {type: int64, class: direct_id}
$(for column in $(seq 0 19); do echo "      x$column: float64"; done)
      buys: bool?
      spend: float64?
stages:
  - id: predicted
    stage: $stage
    inputs: {features: customers}
    with:
      target: $target
      features: all
      unavailable_at_prediction: [$([ "$target" = buys ] && echo spend || echo buys)]
publish:
  predicted: {from: predicted, to: out}
YAML
"$program" run "$project/scoring.yaml" --run-date 2025-01-01 2>/dev/null | grep -E "predicted|Took"
