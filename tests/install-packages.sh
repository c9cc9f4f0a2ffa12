#!/usr/bin/env bash
# Installs the Debian packages that are missing; --runtime-only leaves out those for tests.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

kinds='build|test'
case "${1-}" in
  '') ;;
  --runtime-only) kinds='build' ;;
  *)
    echo "usage: tests/install-packages.sh [--runtime-only]" >&2
    exit 2
    ;;
esac

# Prints each package of the list that dpkg does not call installed.
missing() {
  local wanted installed
  wanted=$(sed -nE "s/^($kinds) +//p" packages.txt | sort)
  # dpkg-query fails when it does not know one of the names; what it knows it prints all the same.
  # shellcheck disable=SC2086
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
    sed -n 's/^installed //p' | sort -u || true)
  comm -23 <(echo "$wanted") <(echo "$installed")
}

if ! command -v dpkg-query >/dev/null; then
  echo "install-packages: this is not Debian; install the equivalents of tests/packages.txt" >&2
  exit 0
fi

mapfile -t packages < <(missing)
if [[ ${#packages[@]} -eq 0 ]]; then
  exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install-packages: missing, and neither root nor sudo to install: ${packages[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

update() {
  "${as_root[@]}" apt-get update -qq </dev/null
}
install_all() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null
}

echo "install-packages: installing ${packages[*]}"
if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
  update
fi
# Lists that are older than the mirror show only when apt fails.
if ! install_all; then
  update
  install_all
fi
