#!/usr/bin/env bash
# Against an S3 server (moto) on the loopback interface: the shipped nightly, settings and errors; eight runs at once;
# every request failing in turn; and a proxy that breaks a share of the requests.
#
# Usage: tests/real/s3.sh [PROGRAM [TEST...]]
#
# PROGRAM is a built patronage; without it one is built. TEST is any of `nightly`, `concurrency`, `every_request`,
# `faults`; all by default. Needs Python 3.11 with venv; moto, boto3 and pyarrow are installed into a directory of the
# user's cache. Takes about 20 minutes on two cores; the server is stopped whatever happens.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."

venv=${PATRONAGE_S3_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-s3-venv}
if ! [ -x "$venv/bin/moto_server" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'moto[server]' boto3 pyarrow
fi
python=$venv/bin/python

program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")
shift || true
[ $# -gt 0 ] || set -- nightly concurrency every_request faults

bounded() { timeout --kill-after=10 "$1" "$python" "${@:2}"; }
for test in "$@"; do
  echo "=== $test"
  case $test in
    nightly) bounded 900 "$here/s3_nightly.py" "$program" ;;
    concurrency) bounded 1800 "$here/concurrency.py" "$program" --s3 ;;
    every_request) bounded 3600 "$here/s3_every_request.py" "$program" ;;
    faults) bounded 3600 "$here/s3_faults.py" "$program" ;;
    *) echo "there is no test $test" >&2; exit 2 ;;
  esac
done
