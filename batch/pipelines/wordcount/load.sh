#!/bin/sh
# Merges the counts of all shards and prints the most frequent words: load.sh HOW_MANY.
set -eu
export LC_ALL=C

how_many=$1
cd "$WORDCOUNT_DIR"

all=$(mktemp all.XXXXXX)
trap 'rm -f "$all" "$all.top"' EXIT

set --
for shard in shard.*; do
  counts=counts.${shard#shard.}
  if [ ! -f "$counts" ]; then
    echo "load: $counts is missing: $shard was not counted" >&2
    exit 1
  fi
  set -- "$@" "$counts"
done

cat "$@" |
  awk '{ count[$2] += $1 } END { for (word in count) print count[word], word }' |
  sort -k1,1nr -k2,2 >"$all"
sed "${how_many}q" "$all" >"$all.top"

mv "$all" words
mv "$all.top" top
cat top
