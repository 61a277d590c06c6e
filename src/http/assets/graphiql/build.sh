#!/usr/bin/env bash
# Builds the page from page/ into dist/, in a temporary folder, from the locked packages. Needs Node 20 and npm.
#   ./build.sh            writes dist/
#   ./build.sh --check    fails when dist/ is not what page/ and the lock file give
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here"/package.json "$here"/package-lock.json "$here"/build.mjs "$here"/page "$work"
cd "$work"
npm ci --no-audit --no-fund --loglevel=error
node build.mjs
if [ "${1:-}" = --check ]; then
  # gzip's bytes depend on the zlib that wrote them, so what counts is what they hold.
  for file in dist/*; do
    name=$(basename "$file")
    case "$name" in
      *.gz) cmp <(gzip -dc "$file") <(gzip -dc "$here/dist/$name") ;;
      *) cmp "$file" "$here/dist/$name" ;;
    esac
  done
  diff <(ls dist) <(ls "$here/dist")
  echo "graphiql: dist/ is up to date"
else
  rm -rf "$here/dist"
  cp -r dist "$here/dist"
  ls -l "$here/dist"
fi
