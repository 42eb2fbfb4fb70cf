#!/usr/bin/env bash
# Lints the chart, renders it with the values under ci/ and runs test/e2e/chart*.test.ts,
# which asks the rendered objects for each promise of docs/deployment.md.
# Usage: tools/ci/chart.sh [--without-tests]
#   --without-tests: they run with all the others, where helm and kubectl are in PATH
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=$(tools/ci/kube-tools.sh)
export PATH="$tools:$PWD/node_modules/.bin:$PATH"
chart=helm/presto-sidecar

# Of values alone: what a template refuses with a sentence, lint passes over.
for values in "$chart"/ci/*-values.yaml; do
  helm lint --strict --quiet "$chart" --values "$values"
  printf '%s: %s lines\n' "$values" "$(helm template example "$chart" --values "$values" | wc -l)"
done

[ "${1:-}" = --without-tests ] || vitest run --project e2e test/e2e/chart
