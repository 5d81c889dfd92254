#!/usr/bin/env bash
# What docs/reliability.md promises, proven on the built program from outside: every fault of every file-system
# operation, kills at random moments, runs at once, a year of nights, and mutated pipelines.
#
# Usage: tests/real/reliability.sh [PROGRAM]
#
# PROGRAM is a built patronage; without it one is built. Needs Python 3.11 and a C compiler. SEED (default 1) decides
# what is random. SHARE=10 makes a tenth of everything, for a quick look. Takes about half an hour on two cores.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$repository"
export PYTHONDONTWRITEBYTECODE=1
seed=${SEED:-1}
share=${SHARE:-1}

program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")

failed=()
proof() { # name, command...
  local name=$1 started=$SECONDS
  shift
  echo "=== $name"
  "$@" || failed+=("$name")
  echo "=== $name: $((SECONDS - started)) s"
}

proof faults python3 tests/real/faults.py "$program" --seed "$seed" --step "$share"
proof kills python3 tests/real/kills.py "$program" --seed "$seed" --kills $((100 / share))
proof concurrent python3 tests/real/concurrent_local.py "$program" --seed "$seed" --rounds $((20 / share))
proof soak python3 tests/real/soak.py "$program" --seed "$seed" --nights $((365 / share))
proof mutations env PATRONAGE_MUTATIONS=$((10000 / share)) \
  cargo test --release --locked --test it mutations -- --nocapture

[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
echo "all hold"
