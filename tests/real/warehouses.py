#!/usr/bin/env python3
"""Delivers into PostgreSQL and DuckDB and looks at what is there. Run by warehouses.sh."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import adbc_driver_manager.dbapi as dbapi
import adbc_driver_postgresql.dbapi as postgres
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

PIPELINE = """
name: shop
sources:
  sales:
    path: data/sales.parquet
    columns: {customer_id: int64, amount: float64, label: string?, day: date, at: datetime}
    key: [customer_id]
stages:
  - id: scores
    stage: sql
    inputs: {sales: sales}
    with: {query: "SELECT customer_id, amount, label, day, at, amount > 5 AS large FROM sales", key: [customer_id]}
publish:
  scores:
    from: scores
    to: out/scores
    deliver: DELIVER
    load: {table: loaded, duckdb: {}, redshift: {iam_role: default}}
"""


def check(condition, told):
    if not condition:
        sys.exit(f"failed: {told}")


class Shop:
    """A project that delivers one table."""

    def __init__(self, given, root, deliver):
        self.given, self.root = given, Path(root)
        (self.root / "configs").mkdir(parents=True)
        (self.root / "data").mkdir()
        self.file = self.root / "wh.duckdb"
        (self.root / "configs/local.yaml").write_text(f"""
databases:
  pg: {{driver: {given.postgres_driver}, secret_options: {{uri: {{secret: {{env: PG_URI}}}}}}}}
  duck: {{driver: {given.duckdb_driver}, entrypoint: duckdb_adbc_init, options: {{path: {self.file}}}}}
  scripted: {{driver: {given.scripted_driver}, options: {{path: {self.file}}}}}
""")
        self.deliver(deliver)

    def deliver(self, deliver):
        (self.root / "pipeline.yaml").write_text(PIPELINE.replace("DELIVER", deliver))

    def write(self, rows, amount, first=0):
        """So many customers from `first` on, all with this amount: what tells one version from another."""
        ids = range(first, first + rows)
        table = pa.table({
            "customer_id": pa.array(ids, pa.int64()),
            "amount": pa.array([float(amount)] * rows, pa.float64()),
            "label": pa.array([None if i % 7 == 0 else f"größe {i % 5}" for i in ids], pa.string()),
            "day": pa.array([19_000 + i % 400 for i in ids], pa.date32()),
            "at": pa.array([1_600_000_000_000_000 + i for i in ids], pa.timestamp("us")),
        })
        pq.write_table(table, self.root / "data/sales.parquet")

    def start(self, date, *flags):
        arguments = [self.given.program, "run", "pipeline.yaml", "--run-date", date, *flags]
        environment = {**os.environ, "PG_URI": self.given.postgres, "NO_COLOR": "1",
                       "SCRIPTED_DUCKDB": self.given.duckdb_driver}
        return subprocess.Popen(arguments, cwd=self.root, env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, date, code, *flags):
        process = self.start(date, *flags)
        out, err = process.communicate()
        check(process.returncode == code, f"{date} ended with {process.returncode}, not {code}\n{out}\n{err}")
        return out + err

    def published(self, date):
        files = list((self.root / f"out/scores/run_date={date}").glob("*.parquet"))
        return pq.read_table(files[0], partitioning=None)


def ask(given, sql):
    with postgres.connect(given.postgres, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def versions(given, table="scores"):
    """(amount, rows) of each version that a table holds."""
    return ask(given, f"SELECT amount, count(*) FROM {table} GROUP BY 1 ORDER BY 1")


def told_lineage(shop, job):
    """The datasets that a job of the newest run read and wrote, by OpenLineage."""
    newest = max(shop.root.glob("target/patronage/*/events.ndjson"), key=lambda path: path.stat().st_mtime)
    events = [json.loads(line) for line in newest.read_text().splitlines()]
    ended = next(one for one in events if one["job"]["name"].endswith(job) and one["eventType"] == "COMPLETE")
    return ended["inputs"], ended["outputs"]


def test_postgres(given, shop):
    shop.write(1000, 1)
    check("pg: scores" in shop.run("2024-01-01", 0), "the summary names the table")
    _, (files, table) = told_lineage(shop, "publish.scores")
    check((table["namespace"], table["name"]) == ("adbc://pg", "scores"), f"the table is a dataset: {table}")
    check(table["outputFacets"]["outputStatistics"]["rowCount"] == 1000, f"with its rows: {table}")
    check(table["facets"]["columnLineage"] == files["facets"]["columnLineage"], f"and its columns: {table}")
    shop.write(900, 2)
    shop.run("2024-01-02", 0)
    rows = ask(given, "SELECT * FROM scores WHERE run_date = '2024-01-02' ORDER BY customer_id")
    expected = shop.published("2024-01-02").sort_by("customer_id").to_pylist()
    check([tuple(row.values()) for row in expected] == [tuple(row) for row in rows], "every value is as published")
    check("nothing has changed" in shop.run("2024-01-02", 0), "nothing is delivered twice")
    shop.write(800, 3)
    shop.run("2024-01-02", 0)
    check(versions(given) == [(1.0, 1000), (3.0, 800)], f"the date is replaced: {versions(given)}")
    ledger = ask(given, "SELECT run_date, row_count FROM patronage_deliveries WHERE table_name = 'scores' ORDER BY 1")
    check([count for _, count in ledger] == [1000, 800], f"the record says so: {ledger}")
    ask(given, "DELETE FROM scores")
    check("nothing has changed" in shop.run("2024-01-02", 0), "the record is believed")
    shop.run("2024-01-02", 0, "--full-refresh")
    check(versions(given) == [(3.0, 800)], "--full-refresh delivers again")

    # Columns in another order, and one more than is delivered.
    ask(given, "CREATE SCHEMA marts")
    ask(given, "CREATE TABLE marts.scores (large bool, note text DEFAULT 'kept', at timestamp, day date, label text, "
               "amount float8, run_date date, customer_id bigint PRIMARY KEY)")
    shop.deliver("{database: pg, schema: marts, table: scores}")
    shop.run("2024-01-02", 0)
    check(versions(given, "marts.scores") == [(3.0, 800)], "by name, not by place")
    check(ask(given, "SELECT DISTINCT note FROM marts.scores") == [("kept",)], "what is not delivered has its default")
    # A rule of the table: nothing of the date comes in, and no value is told.
    said = shop.run("2024-01-03", 65)
    check("R254" in said and "Key (" not in said, said)
    check(versions(given, "marts.scores") == [(3.0, 800)], "the table is as it was")
    ask(given, "ALTER TABLE marts.scores DROP COLUMN label")
    said = shop.run("2024-01-03", 78)
    check("R253" in said and "no column `label`" in said, said)
    shop.deliver("{database: pg, schema: nowhere, table: scores}")
    check("R253" in shop.run("2024-01-03", 78), "there is no such schema")

    upserted(given, shop, "pg", lambda: versions(given, "latest"))


def upserted(given, shop, database, found):
    shop.deliver(f"{{database: {database}, table: latest, mode: upsert}}")
    shop.write(100, 10)
    shop.run("2024-02-02", 0)
    shop.write(50, 11, first=80)
    shop.run("2024-02-03", 0)
    check(found() == [(10.0, 80), (11.0, 50)], f"the same key is replaced: {found()}")
    shop.write(200, 9)
    shop.run("2024-02-01", 0)
    check(found() == [(9.0, 70), (10.0, 80), (11.0, 50)], f"an earlier night replaces no later one: {found()}")


def test_duckdb(given, shop):
    def found(table="scores"):
        with duckdb.connect(shop.file) as connection:
            return connection.execute(f"SELECT amount, count(*) FROM {table} GROUP BY 1 ORDER BY 1").fetchall()

    shop.deliver("{database: duck, table: scores}")
    shop.write(1000, 1)
    shop.run("2024-01-01", 0)
    shop.write(900, 2)
    shop.run("2024-01-02", 0)
    with duckdb.connect(shop.file) as connection:
        columns = 'SELECT * REPLACE ("at"::TIMESTAMP AS "at") FROM scores'
        order = f"{columns} WHERE run_date = '2024-01-02' ORDER BY customer_id"
        rows = connection.execute(order).fetchall()
    expected = shop.published("2024-01-02").sort_by("customer_id").to_pylist()
    plain = [tuple(value.replace(tzinfo=None) if name == "at" else value for name, value in row.items()) for row in expected]
    check(plain == rows, "every value is as published")
    shop.write(800, 3)
    shop.run("2024-01-02", 0)
    check(found() == [(1.0, 1000), (3.0, 800)], f"the date is replaced: {found()}")
    with duckdb.connect(shop.file):
        said = shop.run("2024-01-03", 75)
        check("R251" in said, said)
    shop.run("2024-01-03", 0)
    upserted(given, shop, "duck", lambda: found("latest"))


def replaced(shop, date, rows, version):
    """Delivers a version of a date and then the next; how long the second takes, in seconds."""
    shop.write(rows, version)
    shop.run(date, 0)
    shop.write(rows, version + 1)
    began = time.monotonic()
    shop.run(date, 0)
    return time.monotonic() - began


def test_scripted(given, shop):
    """A database that has no transactions within a connection, but takes scripts."""
    def found(table="scores"):
        with duckdb.connect(shop.file) as connection:
            return connection.execute(f"SELECT amount, count(*) FROM {table} GROUP BY 1 ORDER BY 1").fetchall()

    def tables():
        with duckdb.connect(shop.file) as connection:
            return {name for name, in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}

    shop.deliver("{database: scripted, table: scores}")
    for date, rows, amount in [("2024-01-01", 1000, 1), ("2024-01-02", 900, 2), ("2024-01-02", 800, 3)]:
        shop.write(rows, amount)
        shop.run(date, 0)
    check(found() == [(1.0, 1000), (3.0, 800)], f"the date is replaced: {found()}")
    check(tables() == {"scores", "patronage_deliveries"}, f"nothing else is left: {tables()}")
    check("nothing has changed" in shop.run("2024-01-02", 0), "the record is believed")
    # What a delivery that was killed leaves is no part of the next.
    chance = random.Random(given.seed)
    rows = 300_000
    whole = replaced(shop, "2024-01-03", rows, 4)
    seen = []
    for turn in range(6, 14):
        shop.write(rows, turn)
        process = shop.start("2024-01-03")
        time.sleep(chance.uniform(0.5, 1.0) * whole)
        process.kill()
        process.communicate()
        held = [one for one in found() if one[0] > 3]
        check(held in ([(turn - 1.0, rows)], [(float(turn), rows)]), f"turn {turn}: {held}")
        seen.append("new" if held[0][0] == turn else "old")
        shop.run("2024-01-03", 0)
        check(found()[2:] == [(float(turn), rows)], f"the retry after kill {turn}: {found()}")
        check(tables() == {"scores", "patronage_deliveries"}, f"nothing else is left: {tables()}")
    print(f"8 kills within {whole:.2f} s: {seen}")
    upserted(given, shop, "scripted", lambda: found("latest"))


def test_scripts(given, shop):
    """The script beside the data, run by DuckDB: twice, and again after the date was published anew."""
    partition = shop.root / "out/scores/run_date=2024-01-01"
    with duckdb.connect() as connection:
        def load():
            connection.execute((partition / "_load.duckdb.sql").read_text())
            counts = "SELECT amount, count(*), count(label), min(day) FROM loaded GROUP BY 1 ORDER BY 1"
            return connection.execute(counts).fetchall()

        shop.write(700, 1)
        shop.run("2024-01-01", 0)
        first = load()
        check([row[:2] for row in first] == [(1.0, 700)] and load() == first, f"twice is once: {first}")
        shop.write(650, 2)
        shop.run("2024-01-01", 0)
        check([row[:2] for row in load()] == [(2.0, 650)], "the date is replaced")
        # A table with a column more.
        connection.execute("ALTER TABLE loaded ADD COLUMN note VARCHAR")
        check([row[:2] for row in load()] == [(2.0, 650)], "by name, not by place")
    entry = json.loads((partition / "_manifest.redshift.json").read_text())["entries"][0]
    file = Path(entry["url"].removeprefix("file://"))
    check(file.stat().st_size == entry["meta"]["content_length"], "the manifest names the file and its size")
    (partition / "_load.duckdb.sql").unlink()
    shop.run("2024-01-01", 0)
    check((partition / "_load.duckdb.sql").exists(), "a missing script is made again")


ORDERS = """
CREATE TABLE orders (
  id bigint, customer text, "at" timestamptz, day date, small smallint, amount numeric(12,2), items numeric,
  ratio real, weight float8, paid bool, tags text[], note varchar(20));
INSERT INTO orders VALUES
  (3, 'ann@example.org', '2024-01-01 23:59:59.999999+00', '2024-01-01', 3, 12.50, 2, 0.5, 1e-3, true, '{a,b}', 'größe'),
  (1, 'bob@example.org', '2023-12-31 12:00:00+00', '2023-12-31', -1, -0.05, 1000000, 'NaN', 0, false, '{}', NULL),
  (2, 'ann@example.org', '2023-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ''),
  (4, 'eve@example.org', '2024-01-02 00:00:00+00', '2024-01-02', 4, 99.99, 1, 1, 1, true, '{c}', 'a day later');
"""

ASKING = """
name: asking
on_entry: {direct_id: pseudonymize}
sources:
  orders:
    database: DATABASE
    query: |
      SELECT * FROM orders -- whatever is there
    event_time: at
    key: [id]
    columns:
      id: int64
      customer: {type: string, class: direct_id}
      at: datetime?
      day: date?
      small: int16?
      amount: decimal(12,2)?
      items: int64?
      ratio: float32?
      weight: float64?
      paid: bool?
      tags: list(string)?
      note: string?
stages:
  - id: copy
    stage: sql
    inputs: {orders: orders}
    with: {query: "SELECT * FROM orders", key: [id]}
publish:
  copy: {from: copy, to: out/copy}
"""


def statements(sql):
    return [statement for statement in sql.split(";") if statement.strip()]


def in_duckdb(given, shop, *sql):
    """By the driver that the program uses: another version may write what this one cannot read."""
    with dbapi.connect(driver=given.duckdb_driver, entrypoint="duckdb_adbc_init", db_kwargs={"path": str(shop.file)},
                       autocommit=True) as connection, connection.cursor() as cursor:
        for statement in sql:
            cursor.execute(statement)


def asked(given, shop, database):
    """The rows that a pipeline publishes which reads the orders of a database, by id."""
    (shop.root / "pipeline.yaml").write_text(ASKING.replace("DATABASE", database))
    shop.run("2024-01-02", 0)
    files = list((shop.root / "out/copy/run_date=2024-01-02").glob("*.parquet"))
    return {row["id"]: row for row in pq.read_table(files[0], partitioning=None).to_pylist()}


def of_query(given, shop, query, columns, code=0, database="pg"):
    """What a run says that publishes what a query gives."""
    (shop.root / "pipeline.yaml").write_text(f"""
name: odd
sources: {{odd: {{database: {database}, query: "{query}", columns: {columns}}}}}
stages: [{{id: all_odd, stage: sql, inputs: {{odd: odd}}, with: {{query: SELECT * FROM odd}}}}]
publish: {{odd: {{from: all_odd, to: out/odd}}}}
""")
    return shop.run("2024-01-02", code)


def odd(shop):
    return next((shop.root / "out/odd/run_date=2024-01-02").glob("*.parquet")).read_bytes()


def one_query(given, shop, refused):
    """What a query may do, and what becomes of values that have no place in a table."""
    ask(given, "CREATE TABLE victims AS SELECT 1 AS id")
    ask(given, "CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM victims RETURNING id'")
    said = of_query(given, shop, "SELECT wipe() AS id", "{id: int32}", 78)
    check("R253" in said and len(ask(given, "SELECT 1 FROM victims")) == 1, f"a function changed something: {said}")
    injected = "SELECT 1 AS id) x; CREATE TABLE injected(a int); SELECT * FROM (SELECT 1 AS id"
    said = of_query(given, shop, injected, "{id: int32}", 78, "duck")
    check("P122" in said and not shop.file.exists(), f"a second statement: {said}")
    of_query(given, shop, "SELECT 1 AS id ; -- all", "{id: int32}")
    for value, type in [("'infinity'::timestamptz", "datetime"), ("'-infinity'::date", "date"), ("1e400::numeric", "float64"),
                        ("1e39::numeric", "float32"), ("20240102::numeric", "date"), ("'12.34'::money", "int64")]:
        said = of_query(given, shop, f"SELECT {value} AS x", f"{{x: {type}}}", 65)
        check("R202" in said, f"{value}: {said}")


def same_in_any_order(given, shop):
    """Rows that SQL takes for equal are the same rows whatever order they come in."""
    ask(given, "CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    for made, rows, type in [("text[]", ["'{a}'", "'{b}'"], "list(string)"), ("float8", ["'0.0'", "'-0.0'"], "float64"),
                             ("text COLLATE either_case", ["'Ann'", "'ann'"], "string")]:
        found = []
        for order in (rows, rows[::-1]):
            ask(given, "DROP TABLE IF EXISTS ties")
            ask(given, f"CREATE TABLE ties (x {made})")
            for row in order:
                ask(given, f"INSERT INTO ties VALUES ({row})")
            of_query(given, shop, "SELECT * FROM ties", f"{{x: {type}}}")
            found.append(odd(shop))
        check(found[0] == found[1], f"{made} in another order gives other bytes")


def same_as_files(given, root):
    """The shipped nightly gives the same from PostgreSQL as from Parquet."""
    environment = {**os.environ, "PG_URI": given.postgres}
    subprocess.run([given.program, "init", root], check=True, stdout=subprocess.DEVNULL)

    def published():
        subprocess.run([given.program, "run", "pipelines/nightly.yaml"], cwd=root, env=environment, check=True,
                       capture_output=True)
        files = {path.parent.parent.name: path for path in root.glob("target/warehouse/*/run_date=*/[!_.]*")}
        return {name: path.read_bytes() for name, path in files.items()}

    from_files = published()
    shutil.rmtree(root / "target")
    pipeline = (root / "pipelines/nightly.yaml").read_text()
    for table in ["transactions", "products", "consents"]:
        with postgres.connect(given.postgres, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(table, pq.read_table(root / f"data/{table}.parquet"))
        pipeline = pipeline.replace(f"path: ${{lake}}/{table}.parquet", f"database: pg\n    query: SELECT * FROM {table}")
    (root / "pipelines/nightly.yaml").write_text(pipeline)
    with (root / "configs/local.yaml").open("a") as settings:
        settings.write(f"databases: {{pg: {{driver: {given.postgres_driver}, secret_options: "
                       "{uri: {secret: {env: PG_URI}}}}}\n")
    check(published() == from_files and len(from_files) == 5, f"other bytes than from files: {sorted(from_files)}")


def test_sources(given, shop):
    """Sources that are queries."""
    environment = shop.root / "configs/local.yaml"
    (shop.root / "key").write_bytes(b"k" * 32)
    environment.write_text(environment.read_text() + "pseudonyms: {version: 1, key: {secret: {file: key}}}\n")
    for statement in statements(ORDERS):
        ask(given, statement)
    # What a session takes for midnight makes no difference.
    ask(given, "ALTER ROLE postgres SET timezone = 'Asia/Tokyo'")
    rows = asked(given, shop, "pg")
    (orders,), _ = told_lineage(shop, "source.orders")
    check((orders["namespace"], orders["name"]) == ("adbc://pg", "orders"), f"the query is a dataset: {orders}")
    check(list(rows) == [1, 2, 3], f"no row at or after the run date: {list(rows)}")
    first, third = rows[1], rows[3]
    check(str(third["at"])[:26] == "2024-01-01 23:59:59.999999" and str(third["day"]) == "2024-01-01", f"{third}")
    check((third["small"], third["amount"], third["items"]) == (3, Decimal("12.50"), 2), f"{third}")
    check((third["ratio"], third["weight"], third["paid"], third["tags"]) == (0.5, 1e-3, True, ["a", "b"]), f"{third}")
    check((first["amount"], first["items"], first["tags"], first["note"]) == (Decimal("-0.05"), 1000000, [], None), f"{first}")
    check(first["ratio"] != first["ratio"] and third["note"] == "größe", "no number stays none")
    check(all(rows[2][name] is None for name in ("day", "small", "amount", "items", "tags")), f"{rows[2]}")
    check(third["customer"] == rows[2]["customer"] != first["customer"], "the same customer has the same pseudonym")
    left = [path for path in shop.root.rglob("*") if path.is_file() and b"example.org" in path.read_bytes()]
    check(not left, f"identifiers stay in {left}")

    # The same rows in another order, and rows of later days, change nothing.
    for statement in ["CREATE TABLE other AS SELECT * FROM orders ORDER BY id DESC", "DROP TABLE orders",
                      "ALTER TABLE other RENAME TO orders"]:
        ask(given, statement)
    ask(given, "INSERT INTO orders (id, customer, at) VALUES (5, 'fay@example.org', '2024-01-03')")
    check("nothing has changed" in shop.run("2024-01-02", 0), "the same rows are the same")
    ask(given, "UPDATE orders SET note = 'new' WHERE id = 1")
    plan = subprocess.run([given.program, "plan", "pipeline.yaml", "--run-date", "2024-01-02"], cwd=shop.root, text=True,
                          env={**os.environ, "PG_URI": given.postgres}, capture_output=True, check=True).stdout
    check("the rows of its query changed" in plan, plan)
    shop.run("2024-01-02", 0)
    check(asked(given, shop, "pg")[1]["note"] == "new", "another row is another source")
    # What is not selected is not asked: its last answer counts.
    elsewhere = given.postgres
    given.postgres = "postgresql://postgres@127.0.0.1:1/postgres"
    check("nothing has changed" in shop.run("2024-01-02", 0, "--select", "copy"), "only what is selected is asked")
    check("R251" in shop.run("2024-01-02", 75), "no connection")
    given.postgres = elsewhere

    # What does not fit is told without a value.
    def refused(code, exit, change, *more):
        (shop.root / "pipeline.yaml").write_text(change(ASKING.replace("DATABASE", "pg")))
        said = shop.run("2024-01-02", exit)
        check(code in said and all(one in said for one in more) and "example.org" not in said, said)

    refused("R202", 65, lambda text: text.replace("items: int64?", "items: decimal(5,0)?"),
            "the query to `pg`: its column `items` is not decimal(5,0) in 1 row")
    refused("R202", 65, lambda text: text.replace("small: int16?", "small: string?"), "`small` is Int16", "CAST")
    refused("R202", 65, lambda text: text.replace("note: string?", "nte: string?"), "no column `nte` (there is `note`)")
    refused("R253", 78, lambda text: text.replace("SELECT * FROM orders --", "SELECT * FORM orders --"), "syntax error")
    refused("R253", 78, lambda text: text.replace("SELECT * FROM orders --", "DELETE FROM orders RETURNING * --"), "syntax error")
    refused("R254", 65, lambda text: text.replace("FROM orders --", "FROM orders WHERE customer::bigint > 0 --"),
            "its log says which")
    check(len(ask(given, "SELECT 1 FROM orders")) == 5, "a query changes nothing")
    one_query(given, shop, refused)
    same_in_any_order(given, shop)

    # The same from DuckDB.
    lists = ORDERS.replace("'{a,b}'", "['a','b']").replace("'{}'", "[]").replace("'{c}'", "['c']")
    in_duckdb(given, shop, *statements(lists.replace("items numeric", "items bigint")),
              "UPDATE orders SET note = 'new' WHERE id = 1")
    same = asked(given, shop, "duck")
    check(str(same) == str(asked(given, shop, "pg")), f"{same}")
    refused("R254", 65, lambda text: text.replace("FROM orders --", "FROM orders WHERE customer::bigint > 0 --")
            .replace(": pg\n", ": duck\n"), "its log says which")

    same_as_files(given, shop.root.parent / "nightly")

    # Many rows: how long it takes, and that a kill leaves nothing for longer than until the next run.
    ask(given, "CREATE TABLE many AS SELECT i AS id, 'customer ' || i % 50000 || '@example.org' AS customer, "
               "timestamp '2023-01-01' + i * interval '1 second' AS at, (i % 1000) / 100.0::float8 AS amount "
               "FROM generate_series(1, 1000000) i")
    pipeline = ASKING.split("      day:")[0].replace("datetime?", "datetime").replace("FROM orders --", "FROM many --")
    pipeline += "      amount: float64\n" + ASKING[ASKING.index("stages:"):]
    (shop.root / "pipeline.yaml").write_text(pipeline.replace("DATABASE", "pg"))
    process = shop.start("2024-01-02")
    kept = shop.root / "target/patronage/tables/asking/orders"
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in kept.glob("rows.tmp-*/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    check(list(kept.glob("rows.tmp-*")), "the program was killed while it read")
    said = shop.run("2024-01-02", 0)
    check(not list(kept.glob("rows.tmp-*")), "the rows that a kill left are gone")
    print(next(line for line in said.splitlines() if "read from" in line))


def test_race(given, shop):
    """Two programs deliver the same date at once, from places that know nothing of each other."""
    with tempfile.TemporaryDirectory() as other:
        second = Shop(given, Path(other) / "shop", "{database: pg, table: raced}")
        shop.deliver("{database: pg, table: raced}")
        for turn in range(10):
            shop.write(3000, turn)
            second.write(3000, 100 + turn)
            with ThreadPoolExecutor(2) as pool:
                ended = list(pool.map(lambda one: one.start("2024-03-01").wait(), [shop, second]))
            held = versions(given, "raced")
            check(len(held) == 1 and held[0][1] == 3000, f"turn {turn}: {held}, ended with {ended}")
            check(set(ended) <= {0, 75}, f"turn {turn}: {ended}")
    print("10 races, one whole version after each")


def test_first(given, shop):
    """The first night of several tables in one schema: whoever comes first makes the record of all."""
    pipeline = (shop.root / "pipeline.yaml").read_text().split("publish:")[0]
    tables = [f"first_{number}" for number in range(4)]
    publications = [f"  {name}: {{from: scores, to: out/{name}, deliver: {{database: pg, table: {name}}}}}" for name in tables]
    (shop.root / "pipeline.yaml").write_text("\n".join([pipeline + "publish:", *publications]) + "\n")
    shop.write(20_000, 1)
    for turn in range(40):
        ask(given, f"DROP TABLE IF EXISTS patronage_deliveries, {', '.join(tables)}")
        shop.run("2024-03-01", 0, "--threads", "4")
        ledger = ask(given, "SELECT table_name FROM patronage_deliveries ORDER BY 1")
        check([name for name, in ledger] == tables, f"turn {turn}: {ledger}")
    print("40 first nights of 4 tables, each recorded once")


def is_whole(given, table, rows, turn):
    """Which version a table holds, `turn` or the one before; a mixture is none."""
    held = versions(given, table)
    check(held in ([(turn - 1.0, rows)], [(float(turn), rows)]), f"turn {turn}: {held}")
    return "new" if held[0][0] == turn else "old"


def test_kills(given, shop):
    """SIGKILL at random moments of a delivery; the table holds the old version or the new, and a retry completes it."""
    chance = random.Random(given.seed)
    shop.deliver("{database: pg, table: killed}")
    rows = 200_000
    whole = replaced(shop, "2024-04-01", rows, 0)
    seen = {"old": 0, "new": 0}
    for turn in range(2, given.kills + 2):
        shop.write(rows, turn)
        process = shop.start("2024-04-01")
        time.sleep(chance.uniform(0.3, 1.3) * whole)
        process.kill()
        process.communicate()
        seen[is_whole(given, "killed", rows, turn)] += 1
        shop.run("2024-04-01", 0)
        check(versions(given, "killed") == [(float(turn), rows)], f"the retry after kill {turn}")
    print(f"{given.kills} kills within {whole:.2f} s: {seen}; every retry completed")


def test_stop(given, shop):
    """SIGTERM at random moments: the run says that it was stopped, and nothing else of the database."""
    chance = random.Random(given.seed)
    shop.deliver("{database: pg, table: stopped}")
    rows = 400_000
    whole = replaced(shop, "2024-04-01", rows, 0)
    ended = []
    for turn in range(2, 14):
        shop.write(rows, turn)
        process = shop.start("2024-04-01")
        time.sleep(chance.uniform(0.4, 0.95) * whole)
        process.terminate()
        out, err = process.communicate()
        ended.append(process.returncode)
        check(process.returncode in (0, 143) and "R25" not in out + err, f"stop {turn}: {process.returncode} {out}{err}")
        is_whole(given, "stopped", rows, turn)
        shop.run("2024-04-01", 0)
    check(143 in ended, f"no run was stopped: {ended}")
    print(f"12 SIGTERM within {whole:.2f} s: exits {ended}; every retry completed")


def test_server(given, shop):
    """The server ends in the middle: exit 75, and the table is as it was once it is back."""
    chance = random.Random(given.seed)
    shop.deliver("{database: pg, table: served}")
    rows = 200_000
    shop.write(rows, 0)
    shop.run("2024-05-01", 0)
    data = os.environ["PGDATA_OF_TEST"]
    control = [os.environ["PGCTL"], "-D", data, "-m", "immediate", "-w"]
    if os.getuid() == 0:
        control = ["runuser", "-u", "postgres", "--", *control]
    ended = []
    options = Path(data, "postmaster.opts").read_text()
    arguments = " ".join(part.strip('"') for part in options.strip().split(" ")[1:])
    for turn in range(1, 6):
        shop.write(rows, turn)
        process = shop.start("2024-05-01")
        time.sleep(chance.uniform(0.1, 0.8))
        subprocess.run([*control, "stop"], check=True, stdout=subprocess.DEVNULL)
        out, err = process.communicate()
        subprocess.run([*control, "-l", f"{data}/log", "-o", arguments, "start"], check=True, stdout=subprocess.DEVNULL)
        check(process.returncode in (0, 75), f"turn {turn}: {process.returncode} {err}")
        ended.append(process.returncode)
        is_whole(given, "served", rows, turn)
        shop.run("2024-05-01", 0)
    check(75 in ended, f"no delivery was interrupted: {ended}")
    print(f"the server was stopped 5 times: exits {ended}; every retry completed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("test", choices=[name[5:] for name in globals() if name.startswith("test_")])
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--postgres-driver", required=True)
    parser.add_argument("--duckdb-driver", required=True)
    parser.add_argument("--scripted-driver", required=True)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as scratch:
        shop = Shop(given, Path(scratch) / "shop", "{database: pg, table: scores}")
        globals()[f"test_{given.test}"](given, shop)
    print("ok")


if __name__ == "__main__":
    main()
