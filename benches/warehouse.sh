#!/usr/bin/env bash
# 1,000,000 rows of 40 columns into PostgreSQL: delivered by Patronage, and by `psql \copy` from CSV. In turns.
#
# Usage: benches/warehouse.sh PROGRAM [TURNS]
#
# Needs what tests/real/warehouses.sh needs, which is to be run once before: it installs the drivers.
set -euo pipefail
program=$(realpath "$1")
turns=${2:-3}
cache=${PATRONAGE_WAREHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-warehouses}
python=$cache/venv/bin/python
driver=$(find "$cache/venv" -name 'libadbc_driver_postgresql.so' | head -1)
bin=$(dirname "$(find /usr/lib/postgresql -path '*/bin/initdb' | sort -V | tail -1)")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/patronage-warehouse.XXXXXX")
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" != 0 ] || chown postgres "$scratch"
chmod 755 "$scratch"
trap 'as "$bin/pg_ctl" -D "$scratch/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as "$bin/initdb" -D "$scratch/data" -A trust -U postgres >/dev/null
as "$bin/pg_ctl" -D "$scratch/data" -l "$scratch/log" -w -o "-p $port -k $scratch -c listen_addresses=127.0.0.1" start >/dev/null
uri=postgresql://postgres@127.0.0.1:$port/postgres

mkdir -p "$scratch/shop/configs" "$scratch/shop/data"
cd "$scratch/shop"
"$python" - <<'PYTHON'
import duckdb

columns = ["range AS customer_id"]
columns += [f"random() AS score_{i}" for i in range(20)]
columns += [f"CAST(random() * 1000 AS BIGINT) AS count_{i}" for i in range(8)]
names = "['gold', 'silver', 'bronze', 'a longer name of a segment']"
columns += [f"{names}[1 + CAST(floor(random() * 4) AS INT)] AS name_{i}" for i in range(6)]
columns += [f"random() < 0.5 AS flag_{i}" for i in range(2)]
columns += ["DATE '2024-01-01' + CAST(random() * 300 AS INT) AS day", "TIMESTAMP '2024-01-01' + to_seconds(range) AS at"]
duckdb.execute("SELECT setseed(0.5)")
duckdb.execute(f"COPY (SELECT {', '.join(columns)} FROM range(1000000)) TO 'data/rows.parquet' (FORMAT parquet)")
types = {"BIGINT": "int64?", "DOUBLE": "float64?", "VARCHAR": "string?", "BOOLEAN": "bool?", "DATE": "date?", "TIMESTAMP": "datetime?"}
described = duckdb.execute("DESCRIBE SELECT * FROM 'data/rows.parquet'").fetchall()
listed = ", ".join(f'"{name}": "{types[kind]}"' for name, kind, *_ in described)
with open("pipeline.yaml", "w") as file:
    file.write(f"""
name: bench
sources: {{rows: {{path: data/rows.parquet, columns: {{{listed}}}}}}}
stages: [{{id: scores, stage: sql, inputs: {{rows: rows}}, with: {{query: SELECT * FROM rows, key: [customer_id]}}}}]
publish: {{scores: {{from: scores, to: out, deliver: {{database: pg, table: scores}}}}}}
""")
PYTHON
echo "databases: {pg: {driver: $driver, options: {uri: $uri}}}" > configs/local.yaml

run() { "$program" run pipeline.yaml --run-date 2024-12-01 "$@" 2>/dev/null >&2; }
seconds() { local began; began=$(date +%s.%N); "$@"; echo "$(date +%s.%N) - $began" | bc; }
copy() { psql -q "$uri" -c "\\copy copied FROM '$scratch/rows.csv' CSV"; }

# Publishes once, so that a turn is the delivery alone: copying the rows out of the run's table, and into PostgreSQL.
run
psql -q "$uri" -c "\\copy scores TO '$scratch/rows.csv' CSV" -c 'CREATE TABLE copied (LIKE scores)'
delivered=() copied=()
for _ in $(seq "$turns"); do
  psql -q "$uri" -c 'TRUNCATE scores' -c 'DELETE FROM patronage_deliveries' -c 'TRUNCATE copied' -c 'CHECKPOINT'
  delivered+=("$(seconds run)")
  psql -q "$uri" -c 'CHECKPOINT'
  copied+=("$(seconds copy)")
done
psql -q "$uri" -At -c 'SELECT count(*) FROM scores' -c 'SELECT count(*) FROM copied' | sort -u | sed 's/^/rows: /'
"$python" - "${delivered[*]}" "${copied[*]}" <<'PYTHON'
import statistics
import sys

delivered, copied = ([float(one) for one in given.split()] for given in sys.argv[1:])
ratio = statistics.median(a / b for a, b in zip(delivered, copied))
print(f"delivered {statistics.median(delivered):.2f} s ({min(delivered):.2f} to {max(delivered):.2f})")
print(f"psql \\copy {statistics.median(copied):.2f} s ({min(copied):.2f} to {max(copied):.2f})")
print(f"ratio {ratio:.2f}")
PYTHON
