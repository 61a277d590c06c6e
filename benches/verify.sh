#!/usr/bin/env bash
# Makes fresh databases on SQLite and on a PostgreSQL, fills them, and runs benches/verify.rs on them.
#   POSTGRES_URL=postgres://postgres@127.0.0.1:5432 BENCH_ENTRIES=200000 benches/verify.sh
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
psql -q "$server/postgres" -c "DROP DATABASE IF EXISTS runledger_verify" \
  -c "CREATE DATABASE runledger_verify TEMPLATE template0"
BENCH_DATABASES="SQLite=sqlite://$folder/verify.db PostgreSQL=$server/runledger_verify" \
  cargo bench --bench verify
