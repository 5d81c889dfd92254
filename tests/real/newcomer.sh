#!/usr/bin/env bash
# docs/getting-started.md as a newcomer would follow it: the page's commands are run in its order, its files written, its
# edits made, and what it prints is held against what is said. init, edit, a mistake, validate, run, export, a real
# Airflow's `dags test`, delivery into a throw-away PostgreSQL, DuckDB's script. Then what the page only promises: the
# table is what was published, nothing is delivered twice, and each message of its last table.
#
# Usage: tests/real/newcomer.sh [PROGRAM]
#
# PROGRAM is a built patronage; without it one is built. Needs Python 3.10 or later with venv, `patch`, and PostgreSQL
# (from apt where it is missing and the user is root). The page's virtual environment, 400 MB with Airflow, is made in a
# directory of the user's cache by the page's own commands. Takes two to six minutes on two cores, by what else they do,
# and two more the first time; the server is stopped whatever happens. PATRONAGE_KEEP=1 keeps the scratch directory.
#
# In the page, a fence says what its text is: `sh` is run in one shell (`exit=78`: ends so), `text` are lines that the
# commands before must have printed, in this order (`…` is anything), `yaml` is the file that its first line names, and
# `diff` is applied. What is only indented is not run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
[ -n "${NEWCOMER_TIMED:-}" ] || NEWCOMER_TIMED=1 exec timeout --kill-after=60 1500 "$here/newcomer.sh" "$@"
cd "$here/../.."
page=$PWD/docs/getting-started.md

venv=${PATRONAGE_NEWCOMER_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-newcomer-venv}
keep=${PATRONAGE_KEEP:-}
program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")

server() { find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1; }
if [ -z "$(server)" ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql
fi
bin=$(dirname "$(server)")

# Nothing of the user's: neither settings of Airflow nor flags of the program, nor another database.
for name in $(compgen -e | grep -E '^(AIRFLOW|PATRONAGE|PG)' || true); do unset "$name"; done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/patronage-newcomer.XXXXXX")
fail() { echo "newcomer.sh: $*" >&2; exit 1; }
block=''
finish() {
  local code=$?
  as "$bin/pg_ctl" -D "$scratch/server/data" -m immediate stop >/dev/null 2>&1 || true
  if [ "$code" -ne 0 ]; then
    [ -z "$block" ] || printf -- '--- in:\n%s--- which printed:\n%s\n' "$block" "$(tail -n 40 "$scratch/said")" >&2
  fi
  if [ "$code" -ne 0 ] || [ -n "$keep" ]; then echo "left in $scratch" >&2; else rm -rf "$scratch"; fi
}
# PostgreSQL does not run as root.
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
trap finish EXIT
trap 'exit 143' TERM

# A PostgreSQL that asks for passwords, and a psql that reaches it, as the page wants them.
mkdir "$scratch/server" "$scratch/bin"
ln -s "$program" "$scratch/bin/patronage"
export PGHOST=127.0.0.1 PGUSER=postgres PGPASSWORD=of-this-test
PGPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PGPORT PATH=$scratch/bin:$bin:$PATH
echo "$PGPASSWORD" >"$scratch/server/password"
[ "$(id -u)" != 0 ] || { chmod 711 "$scratch" && chown -R postgres "$scratch/server"; }
cd "$scratch"
as "$bin/initdb" -D "$scratch/server/data" -A scram-sha-256 -U postgres --pwfile="$scratch/server/password" >/dev/null
start_server() {
  as "$bin/pg_ctl" -D "$scratch/server/data" -l "$scratch/server/log" -w \
    -o "-p $PGPORT -k $scratch/server -c listen_addresses=$PGHOST -c fsync=off" start >/dev/null
}
start_server

# Each line of the text must be a line of what was printed, in the same order.
printed() { # text
  local wanted line
  exec 4<"$scratch/said"
  while IFS= read -r wanted; do
    # shellcheck disable=SC2001
    wanted=$(sed 's/[][\\*?]/\\&/g; s/ *$//; s/…/*/g' <<<"$wanted")
    while :; do
      IFS= read -r line <&4 || fail "the page says, and it was not printed: $wanted"
      line=${line%"${line##*[! ]}"}
      # shellcheck disable=SC2053
      [[ $line == $wanted ]] && break
    done
  done <<<"${1%$'\n'}"
  exec 4<&-
}

counts=(0 0 0)
perform() { # the fence's words, its text
  local wanted=0 code=0 file
  case $1 in
    sh | 'sh exit='*)
      [ "$1" = sh ] || wanted=${1#sh exit=}
      block=${2//\~\/patronage-venv/$venv}
      printf '%s' "$2" | sed 's/^/  $ /'
      # A command that fails ends the script, as long as it is not what the page says.
      if [ "$wanted" = 0 ]; then
        eval "$block" >"$scratch/said" 2>&1 </dev/null
      else
        (eval "$block") >"$scratch/said" 2>&1 </dev/null || code=$?
        [ "$code" = "$wanted" ] || fail "exit code $code, not $wanted"
      fi
      counts[0]=$((counts[0] + 1)) ;;
    text)
      printed "$2"
      counts[1]=$((counts[1] + $(wc -l <<<"${2%$'\n'}"))) ;;
    yaml | diff)
      block=$2
      echo "  ($1) $(head -n 1 <<<"$2")"
      file=$(sed -n '1s/^# //p' <<<"$2")
      if [ "$1" = diff ]; then
        patch --strip=0 --fuzz=0 <<<"$2" >"$scratch/said" 2>&1
      else
        printf '%s' "$2" >"$file"
      fi
      counts[2]=$((counts[2] + 1)) ;;
    *) fail "the page has a frame of a kind that this script does not know: $1" ;;
  esac
}

mkdir "$scratch/somewhere"
cd "$scratch/somewhere"
words='' text=''
while IFS= read -r line <&3; do
  if [ -z "$words" ]; then
    [ "${line#\#\# }" = "$line" ] || echo "=== ${line#\#\# }"
    [ "${line#\`\`\`}" = "$line" ] || words=${line#\`\`\`} text=''
  elif [ "$line" = '```' ]; then
    perform "$words" "$text"
    words=''
  else
    text+=$line$'\n'
  fi
done 3<"$page"
[ -z "$words" ] || fail "a frame does not end"
block=''
[ "$(basename "$PWD")" = shop ] || fail "the page did not enter its project"
[ $((counts[0] > 10 && counts[1] > 20 && counts[2] > 2)) = 1 ] || fail "the page has lost its frames: ${counts[*]}"
echo "the page: ${counts[0]} frames of commands, ${counts[1]} lines that they print, ${counts[2]} edits"

echo "=== what was delivered is what was published"
sql() { psql --dbname=shop --no-psqlrc --quiet --csv --tuples-only --command "$1"; }
columns='customer_id, run_date, tiers_tier, will_buy_decision, tiers_since, round(lifetime_clv::numeric(18, 4), 4) AS clv'
for date in 2025-01-01 2025-01-02; do
  partition=target/prod/customer_scores/run_date=$date
  duckdb -csv -noheader -c "SELECT ${columns/numeric/decimal} FROM read_parquet('$partition/*.parquet') ORDER BY 1" \
    | sed 's/,true,/,t,/; s/,false,/,f,/' >"$scratch/published"
  sql "SELECT $columns FROM marts.customer_scores WHERE run_date = '$date' ORDER BY 1" >"$scratch/delivered"
  diff "$scratch/published" "$scratch/delivered" >"$scratch/said" || fail "other rows: $(head -n 4 "$scratch/said")"
  # By the run that has published it, and not by the one after.
  run=$(sed -n 's/.*"run_id": *"\([^"]*\)".*/\1/p' "$partition/_manifest.json" | head -n 1)
  recorded=$(sql "SELECT run_id FROM marts.patronage_deliveries WHERE run_date = '$date'")
  [ "$run" = "$recorded" ] || fail "$date was published by $run and delivered by $recorded"
  echo "$date: $(wc -l <"$scratch/delivered") rows, delivered once"
done
[ "$(sql 'SELECT count(DISTINCT run_date) FROM marts.customer_scores')" = 2 ] || fail "there are other dates"
duckdb -csv -noheader shop.duckdb -c "SELECT count(*), count(DISTINCT customer_id) FROM customer_scores" >"$scratch/said"
printed '1499,1499'
rm -rf target/warehouse
patronage run pipelines/nightly.yaml >"$scratch/said" 2>&1
grep -q 'marts' "$scratch/said" || fail "it is not said that the local environment leaves the delivery out"

echo "=== what goes wrong"
night() { # exit code, code, words, environment... in place of the page's
  local wanted=$1 code=0
  patronage run pipelines/nightly.yaml --env prod --run-date 2025-01-02 >"$scratch/said" 2>&1 || code=$?
  [ "$code" = "$wanted" ] || fail "exit code $code, not $wanted: $(tail -n 3 "$scratch/said")"
  grep -qE "error\[$2\].*$3" "$scratch/said" || fail "$2 and '$3' are not said: $(tail -n 3 "$scratch/said")"
  if grep -qE "change-me|another-secret" "$scratch/said"; then fail "the password is told"; fi
  grep -E "error\[$2\]" "$scratch/said" | head -n 1
}
cp secrets/marts-uri "$scratch/marts-uri"
sed 's/change-me/another-secret/' "$scratch/marts-uri" >secrets/marts-uri
night 78 R252 'password authentication failed for user "loader"'
# What the scheduler sees of it: the task fails for good, and the password is not told there either.
code=0
airflow dags test patronage_nightly 2025-01-02 >"$scratch/said" 2>&1 || code=$?
grep -q 'state=failed' "$scratch/said" || fail "the night did not fail in Airflow"
grep -q 'exit code 78' "$scratch/said" || fail "Airflow does not say which exit code it was"
if grep -qE "change-me|another-secret" "$scratch/said"; then fail "the password is told in Airflow's log"; fi
echo "airflow dags test: state=failed, exit code $code"
rm secrets/marts-uri
night 78 P160 'failed to read .uri.'
cp "$scratch/marts-uri" secrets/marts-uri
sed -i 's/schema: marts,/schema: mart,/' pipelines/nightly.yaml
night 78 R253 'schema "mart" does not exist'
sed -i 's/schema: mart,/schema: public,/' pipelines/nightly.yaml
psql --dbname=shop --quiet --command 'REVOKE CREATE ON SCHEMA public FROM public'
night 78 R252 'permission denied for schema public'
sed -i 's/schema: public,/schema: marts,/' pipelines/nightly.yaml
as "$bin/pg_ctl" -D "$scratch/server/data" -m fast stop >/dev/null
night 75 R251 'Connection refused'
start_server
mv drivers/libadbc_driver_postgresql.so drivers/elsewhere.so
night 78 R250 'failed to load the driver .*No such file'
if grep -q 'started ' "$scratch/said"; then fail "stages ran though the driver is not there"; fi
code=0
patronage validate pipelines/nightly.yaml --env prod --run-date 2025-01-02 >"$scratch/said" 2>&1 || code=$?
[ "$code" = 78 ] || fail "validate does not miss the driver: $code"
mv drivers/elsewhere.so drivers/libadbc_driver_postgresql.so
patronage run pipelines/nightly.yaml --env prod --run-date 2025-01-02 >"$scratch/said" 2>&1
[ "$(sql "SELECT count(*) FROM marts.customer_scores WHERE run_date = '2025-01-02'")" = 1499 ] || fail "rows are missing"
patronage verify pipelines/nightly.yaml --env prod --all-dates >"$scratch/said" 2>&1
echo "newcomer.sh: passed in $SECONDS s"
