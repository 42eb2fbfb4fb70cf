#!/usr/bin/env bash
# Prints the path of the program by which Docker Compose's own reader judges a compose file, and builds it first if it
# is not there. Needs Go.
# Usage: tools/ci/compose-spec.sh
# Kept in ${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar.
set -euo pipefail

version=v2.16.2
folder=${XDG_CACHE_HOME:-$HOME/.cache}/presto-sidecar/compose-spec-$version
if [ ! -x "$folder/cmd" ]; then
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  GOBIN=$folder go install "github.com/compose-spec/compose-go/v2/cmd@$version" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
echo "$folder/cmd"
