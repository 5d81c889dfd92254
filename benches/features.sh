#!/usr/bin/env bash
# The features of benches/features.yaml beside the same written in Python polars: whole processes, in
# turn, from the transactions to two tables; prints medians, the ratio pair by pair, peak memory, and
# what the report of our last run took, and compares the tables. Fails if the report took two seconds or
# has a megabyte.
#
# Usage: benches/features.sh [PROGRAM] [CUSTOMERS] [TIMES]
#   PYTHON        a Python with polars and numpy (default: python3)
#   TRANSACTIONS  a Parquet file to use in place of synthesized transactions
#   RUN_DATE      the run date (default: 2025-01-01, the day after the synthesized transactions)
#   WORK          where data and results go (default: a temporary directory); needs 4 GB for
#                 1,000,000 customers. Data that is there already is used again.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-$repository/target/release/patronage}")
customers=${2:-1000000}
times=${3:-3}
python=${PYTHON:-python3}
run_date=${RUN_DATE:-2025-01-01}
work=${WORK:-$(mktemp -d)}
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT

transactions=${TRANSACTIONS:-$work/lake-$customers/transactions.parquet}
if [ ! -e "$transactions" ]; then
  # Bad rows would fail the checks, and the two programs would have to agree on what to do with them.
  "$program" synthesize --customers "$customers" --from 2023-01-01 --to 2024-12-31 --bad-rows 0 \
    --out "$work/lake-$customers"
fi
mkdir -p "$work/project/configs" "$work/project/pipelines" "$work/ours" "$work/theirs"
printf 'transactions: %s\nrun_date: %s\n' "$(realpath "$transactions")" "$run_date" >"$work/project/configs/local.yaml"
cp "$repository/benches/features.yaml" "$work/project/pipelines/features.yaml"

# Wall seconds, processor seconds, peak kilobytes of a command, appended to a file.
timed() {
  local into=$1
  shift
  command time -f '%e %U %S %M' -o "$work/time" "$@" >"$work/output" 2>&1 || {
    cat "$work/output" >&2
    exit 1
  }
  awk '{ print $1, $2 + $3, $4 }' "$work/time" >>"$into"
}

rm -f "$work"/ours.times "$work"/theirs.times
for _ in $(seq "$times"); do
  rm -rf "$work/project/target"
  timed "$work/ours.times" "$program" run "$work/project/pipelines/features.yaml"
  timed "$work/theirs.times" "$python" "$repository/benches/peers/features_polars.py" \
    "$transactions" "$run_date" "$work/theirs"
done

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
column() { awk -v column="$2" '{ print $column }' "$work/$1.times"; }
printf '%-12s %10s %14s %12s\n' "$times times" "wall" "processor" "peak memory"
for who in ours theirs; do
  printf '%-12s %8.1f s %12.1f s %9.2f GB\n' "$who" "$(column $who 1 | median)" "$(column $who 2 | median)" \
    "$(column $who 3 | sort -n | tail -1 | awk '{ print $1 * 1024 / 1e9 }')"
done
paste -d ' ' "$work/ours.times" "$work/theirs.times" | awk '{ print $1 / $4 }' | median |
  awk '{ printf "ours takes %.2f times the wall time of theirs (median of the pairs)\n", $1 }'

run=$(ls -d "$work"/project/target/patronage/*/report.json | tail -n 1 | xargs dirname)
bytes=$(stat -c %s "$run/report.html")
"$python" - "$run/report.json" "$bytes" <<'PYTHON'
import json, sys

seconds, size = json.load(open(sys.argv[1]))["report_seconds"], int(sys.argv[2])
print(f"report made in {seconds:.2f} s, {size:,} bytes")
sys.exit(0 if seconds < 2 and size < 1_000_000 else "that is over the bar of 2 s and 1,000,000 bytes")
PYTHON

for table in customers products; do
  cp "$work"/project/target/patronage/tables/features/$table/*/features.parquet "$work/ours/$table.parquet"
done
"$python" "$repository/benches/peers/same_features.py" "$work/ours" "$work/theirs"
