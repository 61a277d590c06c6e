#!/usr/bin/env bash
# Seeds databases of 10 k, 100 k and 1 M runs (of which the newest tenth has traces with ten steps) on a PostgreSQL and
# runs benches/read.rs on them.   POSTGRES_URL=postgres://postgres@127.0.0.1:5432 benches/read.sh
set -euo pipefail
cd "$(dirname "$0")/.."
server=${POSTGRES_URL:-}
if [ -z "$server" ]; then
  folder=$(mktemp -d)
  chmod 755 "$folder"
  server=$(.ci/postgres start "$folder/postgres")
  server=${server%/*}
  trap '.ci/postgres stop "$folder/postgres"; rm -rf "$folder"' EXIT
fi
cargo build --profile dist
urls=()
for runs in 10000 100000 1000000; do
  name=runledger_bench_$runs
  if ! psql -qAt "$server/$name" -c 'SELECT 1' >/dev/null 2>&1; then
    psql -q "$server/postgres" -c "CREATE DATABASE $name TEMPLATE template0"
    target/dist/runledger migrate up --database-url "$server/$name"
    psql -q "$server/$name" -v runs="$runs" -v traced=$((runs / 10)) -f benches/seed.sql
  fi
  urls+=("$server/$name")
done
BENCH_URLS="${urls[*]}" cargo bench --bench read
