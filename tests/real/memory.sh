#!/usr/bin/env bash
# A run in a real control group with a memory limit: it ends with its own words and exit code, not with a kill.
#
# Usage: tests/real/memory.sh PROGRAM
#
# PROGRAM is a built patronage. Needs the right to make a memory control group, of version 2 or 1; else it says that
# it is skipped.
set -euo pipefail
program=$(realpath "$1")
limit=$((400 * 1024 * 1024))

for variable in ${!PATRONAGE_@}; do unset "$variable"; done
group=
for parent in /sys/fs/cgroup /sys/fs/cgroup/memory; do
  new=$parent/patronage-memory-$$
  mkdir "$new" 2>/dev/null || continue
  for file in memory.max memory.limit_in_bytes; do
    if [ -f "$new/$file" ] && echo "$limit" >"$new/$file" 2>/dev/null; then
      group=$new
      # Else what does not fit would go to the swap space instead.
      for swap in memory.swap.max memory.swappiness; do
        [ ! -f "$new/$swap" ] || echo 0 >"$new/$swap" 2>/dev/null || true
      done
      break 2
    fi
  done
  rmdir "$new"
done
if [ -z "$group" ]; then
  echo "skipped: no memory control group can be made here"
  exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/patronage-memory.XXXXXX")
trap 'rm -rf "$work"; rmdir "$group" 2>/dev/null || true' EXIT
cd "$work"

# Runs the program as a member of the group.
inside() { bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' inside "$group" "$program" --log-level error "$@"; }

"$program" synthesize --out data --customers 60000 >/dev/null
mkdir configs
printf 'warehouse: out\nrun_date: 2025-01-01\n' >configs/local.yaml
source='sources:
  sales:
    path: data/transactions.parquet
    event_time: ordered_at
    columns: {order_id: string, product_id: string, quantity: int32, ordered_at: datetime, unit_price: float64, customer_id: {type: int64, nullable: true}}
    extra_columns: warn
    reordered_columns: warn'
cat >fits.yaml <<YAML
name: fits
$source
stages:
  - id: customers
    stage: features
    inputs: {events: sales}
    with:
      entity: customer_id
      time: ordered_at
      features: {orders: COUNT(DISTINCT order_id), spend: SUM(quantity * unit_price)}
publish: {customers: {from: customers, to: "\${warehouse}/customers"}}
YAML
cat >grows.yaml <<YAML
name: grows
$source
stages:
  - {id: pairs, stage: sql, inputs: {sales: sales}, with: {query: "SELECT a.customer_id, MAX(a.unit_price + b.unit_price) AS most FROM sales a JOIN sales b ON a.product_id = b.product_id GROUP BY a.customer_id"}}
publish: {pairs: {from: pairs, to: "\${warehouse}/pairs"}}
YAML

inside run fits.yaml >said 2>&1 || { cat said; echo "FAILED: what fits does not run"; exit 1; }
grep -q "memory_limit_bytes\": $((limit * 9 / 10))" target/patronage/*/manifest.json || { echo "FAILED: no limit in the manifest"; exit 1; }

for round in 1 2 3 4 5; do
  set +e
  inside run grows.yaml >said 2>&1
  code=$?
  set -e
  [ "$code" -eq 1 ] && grep -q 'error\[R214\]' said || { cat said; echo "FAILED: exit $code in round $round"; exit 1; }
  [ ! -e out/pairs ] || { echo "FAILED: it published"; exit 1; }
done
results=$(find target/patronage -name run_results.json -newer grows.yaml | wc -l)
[ "$results" -ge 6 ] || { echo "FAILED: $results run_results.json"; exit 1; }
echo "ok: in a control group of 400 MiB ($group) what fits ran; what does not ended 5 of 5 times with R214 and its artifacts"
