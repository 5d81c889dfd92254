#!/usr/bin/env bash
# The nightly with lake and warehouse in S3 on the loopback interface against the same on local disk, alternating,
# medians; and what travels when a run needs one column of one month of a source of about 1 GB.
#
# Usage: benches/s3.sh [PROGRAM] [TRANSACTIONS.parquet] [RUN_DATE] [TIMES] [CUSTOMERS]
#
# The last is how many customers are synthesized for the large source; 3,000,000 make about 1 GB, 0 leaves it out. The
# server is moto, which a Python in the user's cache gets (see tests/real/s3.sh), but it reads a whole file for each
# range: for the large source a few lines of Python serve it in its place.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
venv=${PATRONAGE_S3_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-s3-venv}
if ! [ -x "$venv/bin/moto_server" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'moto[server]' boto3 pyarrow
fi
program=$(realpath "${1:-$repository/target/release/patronage}")
exec "$venv/bin/python" "$repository/benches/s3.py" "$program" "${2:-$repository/data/transactions.parquet}" \
  "${3:-2025-01-01}" "${4:-5}" "${5:-0}"
