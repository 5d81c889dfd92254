#!/usr/bin/env bash
# k-means of ten million rows of eight columns, as a user runs it: time and memory of the whole process.
#
# Usage: benches/segments.sh [PROGRAM] [ROWS]
#
# PATRONAGE_PEER is a Python with numpy and pyarrow, which makes the rows (`python3` by default).
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-$repository/target/release/patronage}")
rows=${2:-10000000}

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/configs"
echo '{}' >"$project/configs/local.yaml"
"${PATRONAGE_PEER:-python3}" - "$rows" "$project/points.parquet" <<'PYTHON'
import sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

rows, path = int(sys.argv[1]), sys.argv[2]
random = np.random.default_rng(42)
centers = random.uniform(-5, 5, (8, 8))
fields = [("id", pa.int64()), *((f"c{place}", pa.float64()) for place in range(8))]
with pq.ParquetWriter(path, pa.schema(fields)) as writer:
    for start in range(0, rows, 1_000_000):
        count = min(1_000_000, rows - start)
        points = centers[random.integers(0, 8, count)] + random.normal(size=(count, 8))
        columns = [np.arange(start, start + count), *points.T]
        writer.write_table(pa.table(dict(zip((name for name, _ in fields), columns))))
PYTHON
cat >"$project/points.yaml" <<'YAML'
name: points
seed: 42
sources:
  points:
    path: points.parquet
    static: true
    key: [id]
    columns: {id: int64, c0: float64, c1: float64, c2: float64, c3: float64, c4: float64, c5: float64, c6: float64, c7: float64}
stages:
  - id: segments
    stage: kmeans
    inputs: {features: points}
    with: {columns: [c0, c1, c2, c3, c4, c5, c6, c7], clusters: 8, restarts: 3}
YAML
"$program" run "$project/points.yaml" --run-date 2025-01-01 2>/dev/null | grep -E "silhouette|Took"
