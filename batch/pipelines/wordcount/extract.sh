#!/bin/sh
# Lists the changelogs and deals them out: extract.sh SHARDS makes shard.1, shard.2, ...
set -eu
export LC_ALL=C

shards=$1
source=${WORDCOUNT_SOURCE:-/usr/share/doc}
mkdir -p "$WORDCOUNT_DIR"
cd "$WORDCOUNT_DIR"

list=$(mktemp list.XXXXXX)
trap 'rm -f "$list" "$list".shard.*' EXIT

find "$source" -name 'changelog*.gz' -type f | sort >"$list"
if [ ! -s "$list" ]; then
  echo "extract: no changelog*.gz under $source" >&2
  exit 1
fi
# One to each in turn, so that neighbours of similar size land in different shards.
awk -v shards="$shards" -v prefix="$list.shard." \
  '{ print > (prefix ((NR - 1) % shards + 1)) }' "$list"

shard=1
while [ "$shard" -le "$shards" ]; do
  touch "$list.shard.$shard"
  mv "$list.shard.$shard" "shard.$shard"
  echo "shard $shard: $(wc -l <"shard.$shard") files"
  shard=$((shard + 1))
done
