#!/usr/bin/env bash
# Times `patronage synthesize` as whole processes, for growing numbers of customers: memory must not grow with them.
# Needs GNU time. Usage: benches/synthesize.sh [PROGRAM] [THREADS] [CUSTOMERS...]
# Files go to a temporary folder (TMPDIR says where; 1,000,000 customers take 0.4 GB) and are deleted.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-$repository/target/release/patronage}
threads=${2:-2}
customers=("${@:3}")
[ ${#customers[@]} -gt 0 ] || customers=(100000 500000 1000000 2000000)
# Only what is said here decides.
for variable in ${!PATRONAGE_@}; do unset "$variable"; done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

printf '%12s %14s %9s %11s %13s %15s %10s %9s\n' \
  customers transactions 'wall s' 'processor s' 'rows/s wall' 'rows/s of a core' 'peak MB' 'disk MB'
for count in "${customers[@]}"; do
  /usr/bin/time -o "$folder/time" -f '%e %U %S %M' \
    "$program" synthesize --customers "$count" --seed 1 --threads "$threads" --out "$folder/lake" >"$folder/said"
  rows=$(sed -n 's/.*: \([0-9,]*\) transactions of .*/\1/p' "$folder/said" | tr -d ,)
  disk=$(du -sk "$folder/lake" | cut -f1)
  awk -v n="$count" -v rows="$rows" -v disk="$disk" '{
    processor = $2 + $3
    printf "%12d %14d %9.1f %11.1f %13d %15d %10d %9d\n",
      n, rows, $1, processor, rows / $1, rows / processor, $4 / 1000, disk / 1000
  }' "$folder/time"
  rm -rf "$folder/lake"
done
