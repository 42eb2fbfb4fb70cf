#!/usr/bin/env bash
# Installs the programs that test/network runs, where they are not there yet. Needs Debian and root;
# says so where that is not given.
# Usage: tools/ci/network-tools.sh
set -euo pipefail

missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v nft >/dev/null || missing+=(nftables)
# Without the package tinyproxy, which would start a server of its own.
command -v tinyproxy >/dev/null || missing+=(tinyproxy-bin)
command -v microsocks >/dev/null || missing+=(microsocks)
[ "${#missing[@]}" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "test/network needs ${missing[*]}, which only root can install, on Debian: install them by hand." >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "installed ${missing[*]}"
