#!/usr/bin/env bash
# Makes fresh databases with and without the ledger on SQLite and on a PostgreSQL, and runs benches/write.rs on them.
#   POSTGRES_URL=postgres://postgres@127.0.0.1:5432 BENCH_SECONDS=4 benches/write.sh
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'if [ -z "${POSTGRES_URL:-}" ]; then .ci/postgres stop "$folder/postgres"; fi; rm -rf "$folder"' EXIT
server=${POSTGRES_URL:-}
if [ -z "$server" ]; then
  server=$(.ci/postgres start "$folder/postgres")
  server=${server%/*}
fi
for name in runledger_write_on runledger_write_off; do
  psql -q "$server/postgres" -c "DROP DATABASE IF EXISTS $name" -c "CREATE DATABASE $name TEMPLATE template0"
done
BENCH_PAIRS="SQLite=sqlite://$folder/on.db,sqlite://$folder/off.db
  PostgreSQL=$server/runledger_write_on,$server/runledger_write_off" \
  cargo bench --bench write
