#!/usr/bin/env bash
# From a fresh clone to a result: installs, builds, starts a cluster, counts words on it, stops it.
#
# The cluster is four nodes on this machine, the work is pipelines/wordcount.toml: ten jobs that
# count the words of all changelogs under /usr/share/doc (WORDCOUNT_SOURCE: another directory).
# RM_BIN_DIR names programs that are built already; RM_QUICKSTART_RESULT a file for the counts.
set -euo pipefail

batch=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$batch")
bin=${RM_BIN_DIR:-$root/build/bin}

if [[ -t 1 && -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m' color=always
else
  bold='' dim='' plain='' color=never
fi

step() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }

# Seconds with one decimal since the $EPOCHREALTIME that is given.
since() {
  local start=${1/[.,]/} now=${EPOCHREALTIME/[.,]/}
  local tenths=$(((now - start + 50000) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

build() {
  step "installing what is missing"
  "$root/tests/install-packages.sh" --runtime-only
  step "building what is not built"
  cd "$root"
  # A build folder that exists may hold the tests as well, and keeps its configuration.
  [[ -f build/CMakeCache.txt ]] || cmake --preset programs >/dev/null
  local quiet=(-- --quiet)
  [[ ! -t 1 ]] || quiet=()  # there it is one line that shows how far it is
  cmake --build build --target programs "${quiet[@]}"
}

# Draws the jobs anew until all are over; without a terminal, only at the end.
watch_jobs() {
  local lines=0 table code
  if [[ -t 1 ]]; then
    COLUMNS=$(stty size </dev/tty | cut -d ' ' -f 2)
    export COLUMNS
  fi
  while :; do
    code=0
    if [[ -t 1 ]]; then
      table=$("$bin/rmctl" jobs --color "$color" "$@")
      ((lines == 0)) || printf '\e[%dA\e[J' "$lines"
      printf '%s\n' "$table"
      lines=$(wc -l <<<"$table")
      "$bin/rmctl" wait --timeout 300ms "$@" 2>/dev/null || code=$?
    else
      "$bin/rmctl" wait --timeout 10m "$@" || code=$?
    fi
    ((code == 6)) || break
  done
  ((lines == 0)) || printf '\e[%dA\e[J' "$lines"
  "$bin/rmctl" jobs --color "$color" "$@"
  return "$code"
}

# Lines of "count word" as a table with bars.
draw_words() {
  awk -v dim="$dim" -v plain="$plain" '
    NR == 1 { most = $1 }
    {
      bar = ""
      for (i = 0; i < 40 * $1 / most; i++) bar = bar "#"
      printf "  %-12s %9d  %s%s%s\n", $2, $1, dim, bar, plain
    }'
}

# Runs inside of the cluster, with RM_MASTER set.
pipeline() {
  local started=$EPOCHREALTIME directory ids code=0
  directory=$(mktemp -d "${TMPDIR:-/tmp}/rmctl-quickstart-XXXXXX")
  # shellcheck disable=SC2064  # the directory of now
  trap "rm -rf '$directory'" EXIT

  step "submitting the word count: ten jobs that depend on each other"
  mapfile -t ids < <("$bin/rmctl" submit "$batch/pipelines/wordcount.toml" \
    --env WORDCOUNT_DIR="$directory" --env WORDCOUNT_SCRIPTS="$batch/pipelines/wordcount" \
    --env WORDCOUNT_SOURCE="${WORDCOUNT_SOURCE:-/usr/share/doc}")
  [[ ${#ids[@]} -eq 10 ]] || return 1
  watch_jobs "${ids[@]}" || code=$?
  if ((code != 0)); then
    "$bin/rmctl" why "${ids[@]}" || true
    return "$code"
  fi

  step "the most frequent words of $(cat "$directory"/shard.* | wc -l) changelogs"
  "$bin/rmctl" logs load | draw_words
  [[ -z ${RM_QUICKSTART_RESULT-} ]] || cp "$directory/top" "$RM_QUICKSTART_RESULT"
  printf '%s\n' "${dim}    the pipeline took $(since "$started")$plain"
}

main() {
  local started=$EPOCHREALTIME
  [[ -n ${RM_BIN_DIR-} ]] || build
  local built=$EPOCHREALTIME
  printf '%s\n' "${dim}    packages and build took $(since "$started")$plain"
  step "starting a cluster of four nodes on this machine"
  local code=0
  "$bin/rmctl" dev --nodes 4 --port 0 -- "$batch/quickstart.sh" --inside "$built" || code=$?
  ((code == 0)) || return "$code"
  step "done in $(since "$started"); everything is stopped"
  cat <<END

Next, a cluster of your own:

  export PATH="$bin:\$PATH"
  rmctl dev                          in this terminal, and in another one:
  rmctl run -- hostname
  rmctl submit --name nap -- sleep 60; rmctl jobs; rmctl show nap
  rmctl submit --mem 100T -- true    what does not fit says so
END
}

case "${1-}" in
  '') main ;;
  --inside)
    printf '%s\n' "${dim}    it was ready after $(since "$2")$plain"
    "$bin/rmctl" nodes --color "$color"
    pipeline
    ;;
  *)
    echo "usage: batch/quickstart.sh" >&2
    exit 2
    ;;
esac
