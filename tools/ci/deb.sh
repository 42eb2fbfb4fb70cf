#!/usr/bin/env bash
# Builds the Debian package, installs it on a plain Debian stable, boots that, and runs the unit through a renewal
# (test/e2e/host.test.ts). Needs Linux, root and apt.
# Usage: tools/ci/deb.sh [SUITE]    trixie unless given
# The plain Debian is kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=${1:-trixie}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar/host
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
work=$(mktemp -d "$cache/work.XXXXXX")
mounted=()
clean_up() {
  # What the booted host has made of its control group (boot-host.sh).
  find /sys/fs/cgroup -depth -type d -path '*/presto-host-*' -exec rmdir '{}' + 2>/dev/null || true
  for place in "${mounted[@]}"; do umount --lazy "$place"; done
  rm -rf "$work"
}
trap clean_up EXIT

started=$SECONDS
step() { printf '%4d s  %s\n' "$((SECONDS - started))" "$*"; }

# What a minimal installation has, with systemd and its bus. What else the package needs is in its own list, and is asked of apt.
plain=$cache/$suite
if [ ! -e "$plain.ready" ]; then
  command -v debootstrap >/dev/null ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap; } >"$work/apt.log" 2>&1 ||
    { cat "$work/apt.log" >&2; exit 1; }
  rm -rf "$plain"
  debootstrap --variant=minbase --include=systemd,dbus,libatomic1,libstdc++6 "$suite" "$plain" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
  rm -rf "$plain"/var/cache/apt/archives/*.deb "$plain"/var/lib/apt/lists/*
  touch "$plain.ready"
fi
step "a plain Debian $(cat "$plain/etc/debian_version") is there"

package=$(tools/deb/build.sh "$work")
step "$(basename "$package") built, $(du -m "$package" | cut -f 1) MiB"

root=$work/root
mkdir "$root" "$work/upper" "$work/work"
if mount -t overlay overlay -o "lowerdir=$plain,upperdir=$work/upper,workdir=$work/work" "$root" 2>/dev/null; then
  mounted+=("$root")
else
  cp -a "$plain/." "$root/"
fi
cp "$package" "$root/root/"
chroot "$root" dpkg --install "/root/$(basename "$package")" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; exit 1; }
step "installed"

# The Node that npm brought comes first: the machine's may be older than the program wants.
PATH="$PWD/node_modules/.bin:$PATH" HOST_ROOT=$root HOST_PACKAGE=$package vitest run --project e2e test/e2e/host.test.ts
step "host run"
