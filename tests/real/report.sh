#!/usr/bin/env bash
# The report in a real browser: the pages of the samples (empty, failed, large, markup and Chinese in every
# name), of a run of the nightly pipeline, and of its comparison with the run of the day before, at 390 and 1440 pixels, light, dark and printed. Fails on console
# errors, requests, pages wider than the window or the paper, text too small, what axe finds, what Tab does not reach
# or not show, and pages of a megabyte. Writes docs/images/report.png.
#
# Usage: tests/real/report.sh [PROGRAM]
#
# PROGRAM is a built patronage; without it one is built. Needs Node 18, npm and a Chromium (`CHROMIUM` names it);
# what is missing is installed if apt-get is there and this is root. Screenshots stay in target/report-pages/.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$repository"
out=$repository/target/report-pages
tools=$repository/target/report-tools
rm -rf "$out"
mkdir -p "$out/pages" "$tools"

need() { # command, Debian packages...
  local wanted=$1
  shift
  command -v "$wanted" >/dev/null && return
  apt-get update -q && apt-get install -y -q --no-install-recommends "$@"
}
need node nodejs npm
need npm npm
chromium=${CHROMIUM:-$(command -v chromium || true)}
# With a font for other scripts, or their names are boxes in the screenshots.
[ -n "$chromium" ] || { need chromium chromium fonts-dejavu-core fonts-noto-cjk && chromium=$(command -v chromium); }

cp tests/real/package.json tests/real/report.mjs "$tools/"
npm install --prefix "$tools" --no-audit --no-fund --loglevel=error

# Pages of the samples, by the unit test that makes them.
REPORT_PAGES=$out/pages cargo test --release --lib -- report::html::tests::every_sample_is_a_page

program=${1:-}
if [ -z "$program" ]; then
  cargo build --release
  program=${CARGO_TARGET_DIR:-target}/release/patronage
fi
program=$(realpath "$program")

# A real run, and one of the day before, so that there is something to compare with.
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cp -r pipelines configs data "$project/"
newest=$(awk '$1 == "run_date:" { print $2 }' configs/local.yaml)
for run_date in "$(date -u -d "$newest - 1 day" +%F)" "$newest"; do
  "$program" run pipelines/nightly.yaml --project "$project" --run-date "$run_date"
done
cp "$(ls -t "$project"/target/patronage/*/report.html | head -n 1)" "$out/pages/run.html"
"$program" diff --project "$project" --out "$out/pages/diff.html"

node "$tools/report.mjs" "$chromium" "$out/pages" "$out/shots" "$out/report.png"

mkdir -p docs/images
cp "$out/report.png" docs/images/report.png
bytes=$(stat -c %s docs/images/report.png)
[ "$bytes" -lt 300000 ] || { echo "docs/images/report.png has $bytes bytes" >&2; exit 1; }
