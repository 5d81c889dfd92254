#!/usr/bin/env bash
# Against Ceph's S3 gateway, which checks signatures, digests and permissions: a throw-away cluster of one monitor and
# one store in memory, in a temporary directory, on the loopback interface. Then the nightly of `s3_ceph.py`.
#
# Usage: tests/real/ceph.sh [PROGRAM]
#
# Needs Debian's radosgw, ceph-mon, ceph-osd and ceph-common; says so and ends with 0 where they are missing. Run it as
# root or as any user. Everything is stopped and removed whatever happens.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."
for tool in radosgw radosgw-admin ceph-mon ceph-osd ceph ceph-authtool monmaptool; do
  command -v "$tool" >/dev/null || { echo "skipped: there is no $tool"; exit 0; }
done

venv=${PATRONAGE_S3_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-s3-venv}
if ! [ -x "$venv/bin/moto_server" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'moto[server]' boto3 pyarrow
fi
program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")

cluster=$(mktemp -d)
started=()
finish() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  for process in "${started[@]}"; do wait "$process" 2>/dev/null || true; done
  [ -z "${KEEP_LOGS:-}" ] || cp -r "$cluster/log" "$KEEP_LOGS"
  rm -rf "$cluster"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
monitor=$(free_port)
gateway=$(free_port)
mkdir -p "$cluster/log" "$cluster/run" "$cluster/mon" "$cluster/osd" "$cluster/rgw"
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$cluster/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$monitor
mon initial members = a
public network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
mon data = $cluster/mon
osd data = $cluster/osd
rgw data = $cluster/rgw
run dir = $cluster/run
admin socket = $cluster/run/\$name.\$pid.asok
pid file = $cluster/run/\$name.pid
log file = $cluster/log/\$name.log
keyring = $cluster/keyring
rgw s3 auth use sts = false
CONF
ceph() { command timeout 60 ceph -c "$cluster/ceph.conf" "$@"; }

key() { ceph-authtool "$cluster/keyring" --gen-key -n "$@" >/dev/null; }
ceph-authtool --create-keyring "$cluster/keyring" >/dev/null
key mon. --cap mon 'allow *'
key client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
key osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
monmaptool --create --addv a "[v2:127.0.0.1:$monitor]" --fsid "$fsid" "$cluster/monmap" >/dev/null
ceph-mon -c "$cluster/ceph.conf" --mkfs -i a --monmap "$cluster/monmap" --keyring "$cluster/keyring"
ceph-mon -c "$cluster/ceph.conf" -f -i a >"$cluster/log/mon.out" 2>&1 &
started+=($!)
for _ in $(seq 60); do ceph mon stat >/dev/null 2>&1 && break; sleep 1; done
uuid=$(cat /proc/sys/kernel/random/uuid)
osd=$(ceph osd create "$uuid")
ceph-osd -c "$cluster/ceph.conf" -i "$osd" --mkfs --osd-uuid "$uuid" >"$cluster/log/mkfs.out" 2>&1
ceph osd crush add "osd.$osd" 1.0 root=default host=localhost >/dev/null 2>&1
ceph-osd -c "$cluster/ceph.conf" -f -i "$osd" >"$cluster/log/osd.out" 2>&1 &
started+=($!)
for _ in $(seq 60); do ceph osd stat 2>/dev/null | grep -q '1 up' && break; sleep 1; done
radosgw -c "$cluster/ceph.conf" -f -n client.rgw --rgw-frontends "beast endpoint=127.0.0.1:$gateway" \
  >"$cluster/log/rgw.out" 2>&1 &
started+=($!)
admin() { timeout 120 radosgw-admin -c "$cluster/ceph.conf" -n client.rgw "$@" >/dev/null; }
admin user create --uid=night --display-name=night --access-key=CEPHNIGHTKEY --secret-key=ceph-night-secret
admin user create --uid=guest --display-name=guest --access-key=CEPHGUESTKEY --secret-key=ceph-guest-secret
for _ in $(seq 60); do (: <"/dev/tcp/127.0.0.1/$gateway") 2>/dev/null && break; sleep 1; done

timeout --kill-after=10 900 "$venv/bin/python" "$here/s3_ceph.py" "$program" "http://127.0.0.1:$gateway"
