#!/usr/bin/env bash
# 2,000 mutated Parquet files and 1,000 mutated text files, each as the source of a run: no panic reaches the user, and
# every exit is typed. The ordinary tests make a tenth of them. Another count may be given.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATRONAGE_MUTATIONS="${1:-2000}"
exec cargo test --release --locked --test it -- --nocapture damage::
