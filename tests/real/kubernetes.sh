#!/usr/bin/env bash
# Manifests for Kubernetes: strictly against the schemas of the oldest and the newest version that they are for, and by
# rules of our own (manifests.py), of which each is broken once and has to be reported.
#
# Usage: tests/real/kubernetes.sh                 # deploy/kubernetes, as it is and as kustomize renders it
#        tests/real/kubernetes.sh FILE...         # other manifests, such as generated ones; no self-test
#
# Needs Python 3.11; kubernetes-validate is installed into a virtual environment beside the repository's caches
# (PATRONAGE_KUBERNETES_VENV). Kustomize itself is left out where there is no kubectl; that what it is told is there, and
# belongs together, is always checked.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
versions=(1.31 1.37)

venv=${PATRONAGE_KUBERNETES_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/patronage-kubernetes-venv}
if ! [ -x "$venv/bin/kubernetes-validate" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
fi

strictly() { # files...
  local version
  for version in "${versions[@]}"; do
    "$venv/bin/kubernetes-validate" --strict --kubernetes-version "$version" "$@"
  done
}
rules() { "$venv/bin/python" "$here/manifests.py" "$@"; }

if [ $# -gt 0 ]; then
  strictly "$@"
  rules "$@"
  exit
fi

cd "$here/../../deploy/kubernetes"
work=$(mktemp -d "${TMPDIR:-/tmp}/patronage-kubernetes.XXXXXX")
trap 'rm -rf "$work"' EXIT
files=(artifacts.yaml cronjob.yaml backfill.yaml backfill-parallel.yaml)
for file in *.yaml; do
  [ "$file" = kustomization.yaml ] || [[ " ${files[*]} " == *" $file "* ]] || { echo "$file is not checked" >&2; exit 1; }
done
strictly "${files[@]}"
rules "${files[@]}"
rules --self-test "${files[@]}"

# The schema is really looked at: an unknown key is refused.
sed 's/concurrencyPolicy:/concurrencyPolice:/' cronjob.yaml >"$work/wrong.yaml"
if "$venv/bin/kubernetes-validate" --strict --quiet "$work/wrong.yaml" >/dev/null 2>&1; then
  echo "an unknown key passes the schema" >&2
  exit 1
fi

rules --kustomization .
cp -R . "$work/broken"
sed -i 's/name: patronage-configs/name: patronage-config/' "$work/broken/kustomization.yaml"
if rules --kustomization "$work/broken" >/dev/null; then
  echo "a ConfigMap that nobody mounts passes" >&2
  exit 1
fi
if command -v kubectl >/dev/null; then
  kubectl kustomize . >"$work/rendered.yaml"
  strictly "$work/rendered.yaml"
  rules --complete "$work/rendered.yaml"
else
  echo "kustomize itself is left out: there is no kubectl"
fi
echo "ok: ${files[*]}"
