#!/usr/bin/env bash
# Installs what is missing, builds everything, and runs the tests: tests/run.sh [FILTER].
#
# FILTER is a regular expression on test names, for instance unit.alloc or ^system. A preset other
# than release is named by RM_PRESET: RM_PRESET=asan tests/run.sh unit
set -euo pipefail

if [[ $# -gt 1 || ${1-} == -* ]]; then
  echo "usage: tests/run.sh [FILTER]" >&2
  exit 2
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${RM_PRESET:-release}
case "$preset" in
  release) build=build ;;
  *) build=build/$preset ;;
esac

tests/install-packages.sh
cmake --preset "$preset"
cmake --build "$build"

filter=()
if [[ $# -eq 1 ]]; then
  filter=(-R "$1" --no-tests=error)
fi
exec ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" "${filter[@]}"
