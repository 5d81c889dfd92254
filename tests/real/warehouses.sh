#!/usr/bin/env bash
# Delivery into real databases: a throw-away PostgreSQL cluster on the loopback interface, and a DuckDB file.
#
# Usage: tests/real/warehouses.sh [PROGRAM [TEST...]]
#
# PROGRAM is a built patronage; without it one is built. TEST is any of `postgres`, `duckdb`, `scripted`, `sources`,
# `scripts`, `first`, `race`, `kills`, `stop`, `server`; all by default. Needs a C compiler, Python 3.11 with venv, npm, and PostgreSQL (from apt where it is
# missing and the user is root). The drivers go into a directory of the user's cache: PostgreSQL's from PyPI
# (adbc-driver-postgresql), DuckDB's library from npm (@duckdb/node-bindings-linux-x64). Takes about two minutes on two
# cores; the server is stopped whatever happens.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."

cache=${PATRONAGE_WAREHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-warehouses}
if ! [ -e "$cache/ready-1" ]; then
  mkdir -p "$cache"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet adbc-driver-postgresql duckdb pyarrow
  npm install --silent --no-audit --no-fund --prefix "$cache" "@duckdb/node-bindings-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')"
  touch "$cache/ready-1"
fi
postgres_driver=$(find "$cache/venv" -name 'libadbc_driver_postgresql.so' | head -1)
duckdb_driver=$(find "$cache/node_modules" -name 'libduckdb.so' | head -1)

server() { find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1; }
if [ -z "$(server)" ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql
fi
bin=$(dirname "$(server)")

program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")
shift || true
[ $# -gt 0 ] || set -- postgres duckdb scripted sources scripts first race kills stop server

# PostgreSQL does not run as root.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/patronage-warehouses.XXXXXX")
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" != 0 ] || chown postgres "$scratch"
trap 'as "$bin/pg_ctl" -D "$scratch/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as "$bin/initdb" -D "$scratch/data" -A trust -U postgres >/dev/null
as "$bin/pg_ctl" -D "$scratch/data" -l "$scratch/log" -w \
  -o "-p $port -k $scratch -c listen_addresses=127.0.0.1 -c fsync=off" start >/dev/null

cc -shared -fPIC -o "$scratch/scripted.so" "$here/scripted.c"
export PGCTL="$bin/pg_ctl" PGDATA_OF_TEST="$scratch/data"
for test in "$@"; do
  echo "=== $test"
  timeout --kill-after=10 900 "$cache/venv/bin/python" "$here/warehouses.py" "$program" "$test" \
    --postgres "postgresql://postgres@127.0.0.1:$port/postgres" \
    --postgres-driver "$postgres_driver" --duckdb-driver "$duckdb_driver" \
    --scripted-driver "$scratch/scripted.so"
done
