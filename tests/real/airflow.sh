#!/usr/bin/env bash
# The DAGs of deploy/airflow in a real Airflow: each is imported, and tested by `airflow dags test`; what becomes of each
# exit code; the pod that is asked of Kubernetes (there is no cluster: the pod is rendered, and a process stands in for
# it); and nights under a scheduler: retries, a run that takes too long, a publication without rows, backfills.
#
# Usage: tests/real/airflow.sh [PROGRAM]
#
# PROGRAM is a built patronage; without it one is built. Needs Python 3.10 or later with venv; Airflow, 350 MB, is
# installed into a directory of the user's cache. PATRONAGE_KEEP=1 keeps the scratch directory. Takes about 6 to 9 minutes on
# two cores; whatever was started is stopped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."

venv=${PATRONAGE_AIRFLOW_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-airflow-venv}
if ! [ -x "$venv/bin/airflow" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet uv
  "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" apache-airflow \
    apache-airflow-providers-cncf-kubernetes apache-airflow-providers-standard apache-airflow-providers-openlineage
fi

program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")

keep=${PATRONAGE_KEEP:-}
scratch=$(mktemp -d)
finish() {
  status=$?
  if [ "$status" -ne 0 ] || [ -n "$keep" ]; then echo "logs are in $scratch" >&2; else rm -rf "$scratch"; fi
}
trap finish EXIT
fail() { echo "$*" >&2; exit 1; }

# Nothing of the user's: neither settings of Airflow nor flags of the program.
for name in $(compgen -e | grep -E '^(AIRFLOW|PATRONAGE)_' || true); do unset "$name"; done
export PATH=$venv/bin:$PATH
export AIRFLOW_HOME=$scratch/home AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__DAGS_FOLDER=$PWD/deploy/airflow
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="sqlite:///$scratch/home/airflow.db?timeout=30"
AIRFLOW__API_AUTH__JWT_SECRET=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
AIRFLOW__API__SECRET_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__API__SECRET_KEY
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
export PATRONAGE_PROJECT=$scratch/project PATRONAGE_PIPELINE=pipelines/nightly.yaml PATRONAGE_PROGRAM=$program
export PATRONAGE_IMAGE=registry.example/patronage:1
mkdir -p "$AIRFLOW_HOME" "$scratch/plan"
"$program" init "$PATRONAGE_PROJECT" > "$scratch/init.log"
warehouse=$PATRONAGE_PROJECT/target/warehouse

airflow version
airflow db migrate > "$scratch/migrate.log" 2>&1

echo "=== import"
# The database has no errors as long as nothing was parsed.
airflow dags reserialize > "$scratch/reserialize.log" 2>&1
airflow dags list --output plain 2>/dev/null | tee "$scratch/dags"
[ "$(grep -c '^patronage_' "$scratch/dags")" = 3 ] || fail "three DAGs were expected"
airflow dags list-import-errors --output plain > "$scratch/import-errors" 2>/dev/null || true
grep -q 'No data found' "$scratch/import-errors" || fail "import errors: $(cat "$scratch/import-errors")"

dag_test() { # DAG, date
  echo "=== airflow dags test $1 $2"
  local log=$scratch/$1.log
  timeout --kill-after=10 300 airflow dags test "$1" "$2" > "$log" 2>&1 || fail "$1 failed: $log"
  for name in customer_scores recommendations segment_profiles dictionary actions; do
    [ -f "$warehouse/$name/run_date=$2/_SUCCESS" ] || fail "$1 has not published $name of $2"
    grep -o "run [0-9a-f-]* of $2: $name has [0-9]* rows" "$log" || fail "the check of $1 has not seen $name of $2"
  done
}
dag_test patronage_bash 2025-01-01
dag_test patronage_stages 2024-12-31
# The same rows as in one piece: a run finds nothing to do, and the published files are whole.
(cd "$PATRONAGE_PROJECT" && "$program" run pipelines/nightly.yaml --run-date 2024-12-31) > "$scratch/again.log" 2>&1
grep 'nothing has changed; all 30 steps are up to date' "$scratch/again.log" || fail "the parts are not the whole"
(cd "$PATRONAGE_PROJECT" && "$program" verify pipelines/nightly.yaml --all-dates) > "$scratch/verify.log"
rm -r "$PATRONAGE_PROJECT/target"

# A program that ends as the plan of its night says, try after try, and is the real one after that.
cat > "$scratch/patronage" <<EOF
#!/usr/bin/env bash
set -euo pipefail
scratch=$scratch
program=$program
EOF
cat >> "$scratch/patronage" <<'EOF'
night=${*: -1}
began=$(date +%s.%N)
trap 'echo "[\"$night\", $began, $(date +%s.%N)]" >> "$scratch/spans"' EXIT
word=
if [ -s "$scratch/plan/$night" ]; then
  read -r word < "$scratch/plan/$night"
  sed -i 1d "$scratch/plan/$night"
fi
case $word in
  '') "$program" "$@" ;;
  sleep)
    trap 'echo "$night TERM" >> "$scratch/signals"; exit 143' TERM
    sleep 600 & wait $! ;;
  empty)
    mkdir -p "$PATRONAGE_PROJECT/target/empty"
    echo '{"run_id": "1", "run_date": "'"$night"'", "publications": [{"name": "a", "rows": 3}, {"name": "b", "rows": 0}]}' \
      > "$PATRONAGE_PROJECT/target/empty/report.json"
    echo "Artifacts in target/empty" ;;
  *) exit "$word" ;;
esac
EOF
chmod +x "$scratch/patronage"
export PATRONAGE_PROGRAM=$scratch/patronage

echo "=== each exit code, and the pod"
python=$venv/bin/python
timeout --kill-after=10 600 "$python" "$here/airflow_dags.py" "$program" "$scratch" > "$scratch/dags.log" 2>&1 \
  || fail "$(tail -n 1 "$scratch/dags.log")"
tail -n 1 "$scratch/dags.log"

echo "=== nights under a scheduler"
# In a hurry: the delay between tries, and the time that a try may take.
rm -rf "$PATRONAGE_PROJECT/target" "$scratch/spans"
mkdir "$scratch/dags-in-a-hurry"
cp deploy/airflow/*.py "$scratch/dags-in-a-hurry/"
common=$scratch/dags-in-a-hurry/patronage_common.py
sed -i 's/timedelta(minutes=10)/timedelta(seconds=1)/; s/timedelta(hours=3)/timedelta(seconds=20)/' "$common"
[ "$(grep -c 'timedelta(seconds=' "$common")" = 2 ] || fail "the times of $common are not what this test changes"
export AIRFLOW__CORE__DAGS_FOLDER=$scratch/dags-in-a-hurry AIRFLOW__CORE__PARALLELISM=2
# Without what the tests above have left.
rm "$AIRFLOW_HOME/airflow.db"
airflow db migrate > "$scratch/migrate.log" 2>&1
timeout --kill-after=30 1200 "$python" "$here/airflow_nights.py" "$scratch"
echo "airflow.sh: passed in $SECONDS s"
