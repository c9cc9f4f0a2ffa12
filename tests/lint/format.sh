#!/usr/bin/env bash
# Checks the format of all C++ files; --fix rewrites those that differ.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mode=(--dry-run -Werror)
if [[ ${1-} == --fix ]]; then
  mode=(-i)
fi

if ! command -v clang-format-14 >/dev/null; then
  echo "format: clang-format-14 is not installed (tests/install-packages.sh installs it)" >&2
  # ctest reads 77 as skipped; in CI a missing tool is a failure.
  [[ ${CI-} == true ]] && exit 1
  exit 77
fi

# Another editor may remove a file between its listing and its check.
{ git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp' '*.ipp' 'librm/*.[ch]' 2>/dev/null ||
  find . -name build -prune -o -regex '.*\.[chi]pp' -print0; } |
  while IFS= read -r -d '' file; do [[ -f $file ]] && printf '%s\0' "$file"; done |
  xargs -0 -r -n 16 -P "$(nproc)" clang-format-14 "${mode[@]}"
