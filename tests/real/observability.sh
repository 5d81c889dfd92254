#!/usr/bin/env bash
# What a run tells the world, told to the real thing: promtool, a Pushgateway, a webhook, OpenLineage's own schemas,
# OpenTelemetry's own messages.
#
# Usage: tests/real/observability.sh [PROGRAM]
#
# Needs Python 3.11 with venv, and `promtool` and `prometheus-pushgateway` (from apt where they are missing and the user
# is root). PATRONAGE_OPENLINEAGE names a directory with OpenLineage.json and facets/ of the specification; without it,
# events are not held against them. Takes about twenty seconds once everything is installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."

venv=${PATRONAGE_OBSERVABILITY_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-observability-venv}
if ! [ -e "$venv/ready-2" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'jsonschema[format]' referencing opentelemetry-proto
  touch "$venv/ready-2"
fi
if ! command -v promtool >/dev/null || ! command -v prometheus-pushgateway >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus prometheus-pushgateway >/dev/null
fi
program=${1:-}
if [ -z "$program" ]; then
  cargo build --release --locked
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
timeout --kill-after=10 600 "$venv/bin/python" "$here/observability.py" "$(realpath "$program")"
