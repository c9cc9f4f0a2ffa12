#!/bin/sh
# Counts the words of one shard: transform.sh N reads shard.N and makes counts.N.
set -eu
export LC_ALL=C

shard=$1
cd "$WORDCOUNT_DIR"

counts=$(mktemp "counts.$shard.XXXXXX")
trap 'rm -f "$counts" "$counts.broken"' EXIT

# The newline keeps the last word of a file apart from the first of the next.
while IFS= read -r file; do
  zcat "$file" || echo "$file" >>"$counts.broken"
  echo
done <"shard.$shard" |
  tr -cs '[:alpha:]' '\n' |
  tr '[:upper:]' '[:lower:]' |
  awk 'NF { count[$1]++ } END { for (word in count) print count[word], word }' |
  sort -k2 >"$counts"

if [ -e "$counts.broken" ]; then
  echo "transform: cannot be read: $(tr '\n' ' ' <"$counts.broken")" >&2
  exit 1
fi
mv "$counts" "counts.$shard"
awk '{ words += $1 } END { print words + 0, "words,", NR, "different" }' "counts.$shard"
