#!/usr/bin/env bash
# Prints the folder that holds promtool, and fetches it first if it is nowhere. It comes out of Debian's
# package of Prometheus, of which nothing is installed: that would start a server.
# Usage: tools/ci/promtool.sh
# Kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar.
set -euo pipefail

if found=$(command -v promtool); then
  dirname "$found"
  exit 0
fi
tools=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar/promtool
if [ ! -x "$tools/promtool" ]; then
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "promtool comes out of a Debian package here: put it into PATH by hand." >&2
    exit 1
  fi
  mkdir -p "$tools"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  chmod 755 "$work"
  { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } >log 2>&1 || { cat log >&2; exit 1; }
  dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
  mv usr/bin/promtool "$tools/"
fi
echo "$tools"
