#!/usr/bin/env bash
# Times the nightly pipeline as whole processes and prints medians: a cold run, an unchanged run,
# `validate` and `--help`. Usage: benches/nightly.sh [PROGRAM] [TRANSACTIONS.parquet] [RUN_DATE] [TIMES]
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-$repository/target/release/patronage}
transactions=${2:-$repository/data/transactions.parquet}
run_date=${3:-2025-01-01}
times=${4:-5}

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/configs" "$project/pipelines" "$project/data"
ln -s "$(realpath "$transactions")" "$project/data/transactions.parquet"
printf 'lake: data\nwarehouse: target/warehouse\nrun_date: %s\n' "$run_date" >"$project/configs/local.yaml"
cp "$repository/benches/nightly.yaml" "$project/pipelines/"
pipeline=$project/pipelines/nightly.yaml

# Milliseconds that a command takes, its output dropped.
milliseconds() {
  local start=${EPOCHREALTIME/./}
  "$@" >/dev/null 2>&1
  echo $(((${EPOCHREALTIME/./} - start) / 1000))
}

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

measure() {
  local name=$1 before=$2
  shift 2
  local found
  found=$(for _ in $(seq "$times"); do
    $before
    milliseconds "$@"
  done | median)
  printf '%-28s %6s ms\n' "$name" "$found"
}

forget() { rm -rf "$project/target"; }

measure "run, cold" forget "$program" run "$pipeline"
peak=$(grep -h '"peak_memory_bytes"' "$project"/target/patronage/*/report.json | grep -o '[0-9]*' | sort -n | tail -1)
printf '%-28s %6s MB\n' "peak memory, cold" $((peak / 1000000))
measure "run, nothing changed" true "$program" run "$pipeline"
measure "validate" true "$program" validate "$pipeline"
measure "validate --offline" true "$program" validate --offline "$pipeline"
measure "--help" true "$program" --help
