#!/usr/bin/env bash
# A disk that fills up at any moment, and one that is read-only: the run ends with 74 and says what to do, what was
# published before stands as it was, and once there is room a plain run publishes what an undisturbed run would have.
#
# Usage: tests/real/disk.sh PROGRAM
#
# PROGRAM is a built patronage. The warehouse, the artifacts or both lie on a small tmpfs, mounted in a mount namespace
# of this script's own; without the right to do so (root, or user namespaces) it says that it is skipped.
set -euo pipefail
program=$(realpath "$1")

if [ -z "${DISK_INSIDE:-}" ]; then
  for map in '' --map-root-user; do
    # shellcheck disable=SC2086
    if unshare --mount $map mount -t tmpfs -o size=1m tmpfs /mnt 2>/dev/null; then
      # shellcheck disable=SC2086
      DISK_INSIDE=1 exec unshare --mount $map "${BASH_SOURCE[0]}" "$program"
    fi
  done
  echo "skipped: no file system can be mounted here"
  exit 0
fi

for variable in ${!PATRONAGE_@}; do unset "$variable"; done
work=$(mktemp -d "${TMPDIR:-/tmp}/patronage-disk.XXXXXX")
trap 'umount "$work/small" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$work/small"
cd "$work"
runs=0 stopped=0

fail() {
  echo "FAILED: $*" >&2
  sed 's/^/  /' "$work/said" >&2
  exit 1
}

patronage() { "$program" --log-level error "$@" >"$work/said" 2>&1; }

# A shop of some thousand sales: published once for a first state of its data, then the data changes.
patronage synthesize --out made --customers 400
patronage synthesize --out made2 --customers 400 --seed 7
mkdir -p configs data
cat >pipeline.yaml <<'YAML'
name: shop
sources:
  sales:
    path: data/transactions.parquet
    event_time: ordered_at
    columns: {order_id: string, product_id: string, quantity: int32, ordered_at: datetime, unit_price: float64, customer_id: {type: int64, nullable: true}}
    extra_columns: warn
    reordered_columns: warn
stages:
  - {id: kept, stage: sql, inputs: {sales: sales}, with: {query: "SELECT * FROM sales WHERE customer_id IS NOT NULL AND unit_price > 0"}}
  - id: customers
    stage: features
    inputs: {events: kept}
    with:
      entity: customer_id
      time: ordered_at
      snapshots: {every: 30d, count: 6}
      features: {orders: COUNT(DISTINCT order_id), spend: SUM(quantity * unit_price), favorite: MODE(product_id)}
publish:
  kept: {from: kept, to: "${warehouse}/kept"}
  customers: {from: customers, to: "${warehouse}/customers"}
YAML

digests() { # directory: the data files by dataset, without the run's id in their names
  (cd "$1" && find . -name '*.parquet' | sort | while read -r file; do
    echo "$(dirname "$file") $(sha256sum <"$file")"
  done)
}
run() { patronage run pipeline.yaml "$@"; }
whole() { patronage verify pipeline.yaml || fail "what is published is not whole ($1)"; }

# layout: where the warehouse and the artifacts are
place() {
  case $1 in
    warehouse) warehouse=small/warehouse artifacts=plain/artifacts ;;
    artifacts) warehouse=plain/warehouse artifacts=small/artifacts ;;
    both) warehouse=small/warehouse artifacts=small/artifacts ;;
  esac
  printf 'warehouse: %s\nartifacts: %s\nrun_date: 2025-01-01\n' "$warehouse" "$artifacts" >configs/local.yaml
}

# The first version is published, and the data that the next run reads is other data.
prepare() {
  umount small 2>/dev/null || true
  rm -rf plain
  mount -t tmpfs -o size=64m tmpfs small
  cp made/transactions.parquet data/transactions.parquet
  run || fail "the first run"
  before=$(digests "$warehouse")
  cp made2/transactions.parquet data/transactions.parquet
}

# What an undisturbed second run publishes, and how much it writes to the small disk at its peak.
measure() {
  prepare
  local used
  used=$(df --output=used small | tail -1)
  run || fail "an undisturbed run"
  wanted=$(digests "$warehouse")
  [ "$wanted" != "$before" ] || fail "the other data gives the same"
  # What is staged beside what it replaces goes again, so the peak is above what is left.
  needs=$(((($(df --output=used small | tail -1) - used) + 4096) * 3 / 2))
}

check_refused() { # what happened
  local code=$?
  runs=$((runs + 1))
  case $code in
    0) return 0 ;;
    74)
      stopped=$((stopped + 1))
      grep -Eq 'error\[R220\]' said || fail "no R220 ($1)"
      grep -Eq 'make room|writable' said || fail "it does not say what to do ($1)"
      ;;
    *) fail "exit $code ($1)" ;;
  esac
}

# With so many KiB left on the small disk.
sweep() { # layout, steps
  place "$1"
  measure
  local step room first=$stopped
  for step in $(seq 0 "$2"); do
    prepare
    room=$((needs * step / $2))
    local free filler
    free=$(df --output=avail small | tail -1)
    filler=$((free - room))
    [ "$filler" -le 0 ] || head -c "$((filler * 1024))" /dev/zero >small/filler
    set +e
    run
    check_refused "$1, $room KiB left"
    set -e
    # A reader finds the old version or the new one, dataset by dataset. Without room not even a marker can be put
    # back, so what is tidy is looked at when there is room again.
    local now dataset
    now=$(digests "$warehouse")
    for dataset in kept customers; do
      local of="^\./$dataset/"
      [ "$(grep "$of" <<<"$now")" = "$(grep "$of" <<<"$before")" ] ||
        [ "$(grep "$of" <<<"$now")" = "$(grep "$of" <<<"$wanted")" ] || fail "$dataset is neither old nor new ($1, $room KiB)"
    done
    patronage verify pipeline.yaml || ! grep -Eq 'damaged' said || fail "damaged ($1, $room KiB)"
    rm -f small/filler
    run || fail "no plain run afterwards ($1, $room KiB)"
    [ "$(digests "$warehouse")" = "$wanted" ] || fail "other bytes afterwards ($1, $room KiB)"
    whole "$1, $room KiB"
    local left
    left=$(find "$warehouse" "$artifacts" \( -name '*.tmp' -o -name '*.tmp-*' -o -name scratch \))
    [ -z "$left" ] || fail "left behind ($1, $room KiB): $left"
  done
  echo "$1: $(($2 + 1)) fill levels up to $needs KiB, $((stopped - first)) runs ended with 74"
}

readonly_disk() { # layout
  place "$1"
  prepare
  mount -o remount,ro small
  set +e
  run
  local code=$?
  set -e
  [ "$code" -eq 74 ] || fail "exit $code on a read-only disk ($1)"
  grep -Eq 'error\[R220\]' said && grep -q 'writable' said || fail "it does not say what to do ($1, read-only)"
  [ "$(digests "$warehouse")" = "$before" ] || fail "it is not what it was ($1, read-only)"
  [ "$1" = artifacts ] || whole "$1, read-only"
  mount -o remount,rw small
  run || fail "no plain run afterwards ($1, read-only)"
  whole "$1, writable again"
  echo "$1: read-only ended with 74, and a plain run published"
}

for layout in warehouse artifacts both; do
  sweep "$layout" "${DISK_STEPS:-16}"
  readonly_disk "$layout"
done
[ "$stopped" -ge 10 ] || fail "only $stopped of $runs runs met a full disk"
echo "ok: $runs runs with a disk of bounded size, $stopped of them ended with 74"
