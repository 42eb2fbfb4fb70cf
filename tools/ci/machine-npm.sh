#!/usr/bin/env bash
# The machine's npm, run by the machine's own Node. Under the Node that lies in node_modules/.bin,
# which `npm run` puts first in PATH, npm would look for its global settings (registry, CA file) in
# another place and not find them.
# Usage: tools/ci/machine-npm.sh ARGUMENT…
set -euo pipefail

PATH=$(printf %s "$PATH" | tr : '\n' | grep -v 'node_modules/\.bin$' | paste -sd :)
unset npm_config_globalconfig npm_config_prefix
exec npm "$@"
