#!/usr/bin/env bash
# Runs the shared conformance harness against this server: real third-party clients and suites.
#   tests/conformance/run.sh [sqlite] [postgres]        both when none is named
# HARNESS   the harness's folder (default ../shared/conformance); it is copied to target/conformance and installed there
# SERVER    the binary (default: built now, dev profile)
# A check that skipped itself, or ran fewer cases than it has, counts as failed. Last line: `conformance: N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
harness=${HARNESS:-$root/../shared/conformance}
copy=$target/conformance
signals=$target/conformance-signals
databases=("$@")
[ $# -gt 0 ] || databases=(sqlite postgres)

# What each check prints when all of it ran and passed.
declare -A expected=(
  [audits]='61 passed, 0 failed, 0 skipped'
  [federation]='23 passed, 0 failed, 0 skipped'
  [lint]='28 passed, 0 failed, 0 skipped'
  [codegen]='8 passed, 0 failed, 0 skipped'
  [clients]='11 passed, 0 failed, 0 skipped'
  [otlp]='32 passed, 0 failed, 0 skipped'
  [otlp-js]='5 passed, 0 failed, 0 skipped'
  [graphiql]='6 passed, 0 failed, 0 skipped'
  [abuse]='38 passed, 0 failed, 0 skipped'
  [schemathesis]='[1-9][0-9]* passed, 0 failed'
)
passed=0 failed=0
server_pid='' cluster='' work=$(mktemp -d)
chmod 755 "$work"

cleanup() {
  stop_server
  [ -z "$cluster" ] || .ci/postgres stop "$cluster"
  rm -rf "$work"
}
trap cleanup EXIT

install_harness() {
  if [ ! -d "$harness" ]; then
    echo "the conformance harness is not at $harness (set HARNESS)" >&2
    exit 1
  fi
  mkdir -p "$copy"
  cp -r "$harness/." "$copy"
  chmod -R u+w "$copy"
  cp -r "$root/tests/conformance/examples.mjs" "$root/tests/conformance/gateway" "$copy"
  local locks
  # The folder counts too: the scripts of Python environments name the one that they were made in.
  locks=$(cat "$copy"/package-lock.json "$copy"/05-otlp/js/package-lock.json "$copy"/requirements-*.txt <(echo "$copy") | sha256sum)
  if [ "$(cat "$copy/installed" 2>/dev/null)" != "$locks" ]; then
    rm -rf "$copy"/.venv*
    (cd "$copy" && ./setup.sh)
    echo "$locks" >"$copy/installed"
  fi
  # The harness has no JavaScript exporters of metrics and logs.
  mkdir -p "$signals"
  cp "$root/tests/conformance/sdk_signals.mjs" "$signals"
  if ! cmp -s "$root/tests/conformance/sdk_signals.package.json" "$signals/package.json"; then
    cp "$root/tests/conformance/sdk_signals.package.json" "$signals/package.json"
    (cd "$signals" && npm install --no-audit --no-fund --ignore-scripts --loglevel=error)
  fi
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_server() { # database url, log file
  local listen grpc
  listen=127.0.0.1:$(free_port) grpc=127.0.0.1:$(free_port)
  export RUNLEDGER_DATABASE_URL=$1 RUNLEDGER_DATA_DIR=$work/data RUNLEDGER_CONFIG=$work/runledger.toml
  : >"$RUNLEDGER_CONFIG"
  rm -rf "$RUNLEDGER_DATA_DIR"
  mkdir -p "$RUNLEDGER_DATA_DIR"
  "$SERVER" migrate up >>"$2" 2>&1
  AUTH="Bearer $("$SERVER" keys create --tenant conformance --name harness --scopes runs:read,runs:write,payloads:read,system:read,system:write,audit:read,audit:write,exports:create,ledger:verify,platform:write,admin 2>>"$2")"
  "$SERVER" serve --listen "$listen" --otlp-grpc-listen "$grpc" --auth required --trace-settle 1s --trace-settle-remote 1s >>"$2" 2>&1 &
  server_pid=$!
  export AUTH BASE_URL=http://$listen OTLP_HTTP=http://$listen OTLP_GRPC=$grpc
  for _ in $(seq 200); do
    curl -sf "$BASE_URL/readyz" >/dev/null && return
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "the server did not become ready:" >&2
  tail -n 40 "$2" >&2
  exit 1
}

stop_server() {
  [ -n "$server_pid" ] || return 0
  kill "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  server_pid=''
}

wait_for_runs() { # until what was sent by OTLP is sealed: at least this many runs, and no more for two seconds
  local query='{"query":"{ llmRuns(first: 1) { totalCount { value } } }"}' count=0 before=-1 still=0
  for _ in $(seq 120); do
    count=$(curl -s -H "Authorization: $AUTH" -H 'content-type: application/json' -d "$query" "$BASE_URL/graphql" \
      | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["llmRuns"]["totalCount"]["value"])' || echo 0)
    if [ "$count" = "$before" ]; then still=$((still + 1)); else still=0; fi
    [ "$count" -ge "$1" ] && [ "$still" -ge 4 ] && return
    before=$count
    sleep 0.5
  done
  report "runs from the fixtures" fail "$count runs after 60 s, and not all sealed or fewer than $1"
}

report() { # name, ok or fail, detail
  if [ "$2" = ok ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
  printf '%-4s %s  %s\n' "$2" "$1" "$3"
}

check() { # database, name of a check in run-all.sh
  local out=$OUT_DIR/log/$2.txt last
  (cd "$copy" && ONLY=$2 ./run-all.sh) || true
  last=$(grep -E '[0-9]+ passed, [0-9]+ failed' "$out" | tail -n 1 || true)
  if [[ $last =~ ^[a-z-]+:\ ${expected[$2]}$ ]]; then
    report "$1 $2" ok "$last"
  else
    report "$1 $2" fail "${last:-no closing line}, wanted ${expected[$2]}; see $out"
  fi
}

signals() { # database, language, command: traces, metrics and logs of an SDK together
  local out=$OUT_DIR/log/signals-$2.txt
  if "${@:3}" >"$out" 2>&1 && tail -n 1 "$out" | grep -qE ': [1-9][0-9]* passed, 0 failed, 0 skipped$'; then
    report "$1 signals of the $2 SDK" ok "$(tail -n 1 "$out")"
  else
    report "$1 signals of the $2 SDK" fail "$(tail -n 1 "$out"); see $out"
  fi
}

run_on() { # database, url
  local database=$1 log
  export OUT_DIR=$target/conformance-out/$database
  rm -rf "$OUT_DIR"
  mkdir -p "$OUT_DIR/log"
  log=$OUT_DIR/server.log
  start_server "$2" "$log"
  local failed_before=$failed
  # What is sent first is what the later checks read.
  check "$database" otlp
  check "$database" otlp-js
  signals "$database" python "$copy/.venv/bin/python" "$root/tests/conformance/sdk_signals.py"
  signals "$database" javascript node "$signals/sdk_signals.mjs"
  wait_for_runs 50
  for name in audits federation lint codegen clients graphiql; do check "$database" "$name"; done
  if (cd "$copy" && EXAMPLES=$root/src/http/assets/graphiql/page/examples.js timeout 60 node examples.mjs) >"$OUT_DIR/log/examples.txt" 2>&1; then
    report "$database examples" ok "$(tail -n 1 "$OUT_DIR/log/examples.txt")"
  else
    report "$database examples" fail "$(grep -h -e FAIL -e Error "$OUT_DIR/log/examples.txt" | head -n 5)"
  fi
  if (cd "$copy" && timeout 60 node gateway/gateway.mjs) >"$OUT_DIR/log/gateway.txt" 2>&1; then
    report "$database gateway" ok "$(tail -n 1 "$OUT_DIR/log/gateway.txt")"
  else
    report "$database gateway" fail "$(grep -h -e FAIL -e Error "$OUT_DIR/log/gateway.txt" | head -n 5)"
  fi
  check "$database" abuse
  check "$database" schemathesis
  if grep -q 'panicked at' "$log"; then
    report "$database no panic" fail "$(grep -m 1 'panicked at' "$log")"
  else
    report "$database no panic" ok ''
  fi
  if [ "$failed" -gt "$failed_before" ]; then
    echo "server log: $log; its last lines:"
    tail -n 20 "$log"
  fi
  stop_server
}

export HARNESS_CONFIG=$root/tests/conformance/service.json
# LINT_ALLOW: `traceId` in `Trace` is the domain's own word.
export SCHEMATHESIS_HOOKS=$root/tests/conformance/schemathesis_hooks.py
export STRICT=1 LINT_ALLOW=no-typename-prefix OTLP_AUTH_REQUIRED=1 REPLAY=all
install_harness
if [ -z "${SERVER:-}" ]; then
  cargo build --bin runledger
  SERVER=$target/debug/runledger
fi
for database in "${databases[@]}"; do
  case "$database" in
    sqlite) run_on sqlite "sqlite://$work/conformance.db" ;;
    postgres)
      cluster=$work/postgres
      run_on postgres "$(.ci/postgres start "$cluster")"
      .ci/postgres stop "$cluster"
      cluster=''
      ;;
    *) echo "sqlite or postgres, not $database" >&2 && exit 2 ;;
  esac
done
echo "conformance: $passed passed, $failed failed"
[ "$failed" = 0 ]
