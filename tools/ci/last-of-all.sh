#!/usr/bin/env bash
# Runs a command on what nobody else wants of the processors. Is to lead a session of its own: where Linux weighs
# sessions against each other, niceness counts within one alone (sched(7), "The autogroup feature").
# Usage: setsid tools/ci/last-of-all.sh COMMAND...
set -euo pipefail

[ ! -w /proc/self/autogroup ] || echo 19 >/proc/self/autogroup
exec nice -n 19 "$@"
