#!/usr/bin/env bash
# Installs the Chromium in which test/flow/status-page.test.ts shows the page, where there is none yet.
# Needs Debian and root; says so where that is not given, and the tests in a browser are then skipped.
# Usage: tools/ci/browser.sh
set -euo pipefail

for program in chromium chromium-browser google-chrome; do
  ! command -v "$program" >/dev/null || exit 0
done
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "There is no Chromium, and only root can install one, on Debian: what is shown in a browser is not tested." >&2
  exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "installed chromium"
