#!/usr/bin/env bash
# Fuzzes each parser of outside bytes for some seconds, with coverage feedback, on the stable toolchain.
#   tests/fuzz/run.sh [SECONDS] [TARGET...]      default: 20 seconds each, all targets
# FUZZ_SEED=N repeats a run from a fresh corpus: CI sets it, so that a change is not held up by what it did not touch. By
# hand leave it out.
# Starts from the fixtures; what it learns is kept in target/fuzz/corpus. A finding is kept in target/fuzz/findings and
# replayed with: target/debug/TARGET FILE
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-20}
shift || true
targets=("$@")
[ $# -gt 0 ] || targets=(otlp_protobuf otlp_json graphql_guard redact receipt)
built=${CARGO_TARGET_DIR:-$PWD/target}
fuzz=$built/fuzz

# The very versions that the server is built with; only the engine is added to them.
cp Cargo.lock tests/fuzz/Cargo.lock
RUSTC_WRAPPER=$PWD/tests/fuzz/rustc-with-counters \
  cargo build --manifest-path tests/fuzz/Cargo.toml --target-dir "$built"

seed() { # target: starting points from the fixtures
  local corpus=$fuzz/corpus/$1
  mkdir -p "$corpus" "$fuzz/findings"
  case $1 in
    otlp_protobuf) find tests/fixtures/otlp -name '*.pb' -size -16k -exec cp -n {} "$corpus" \; ;;
    otlp_json | redact) find tests/fixtures/otlp -name '*.json' -size -16k -exec cp -n {} "$corpus" \; ;;
    graphql_guard)
      cp -n src/graphql/root/guard/introspection.graphql "$corpus"
      printf '{ ...A ...A } fragment A on Query { a: __typename @include(if: true) ...B } fragment B on Query { llmRuns(first: 5, filter: { tags: ["x"] }) { nodes { id } } }' >"$corpus/fragments"
      ;;
    receipt)
      python3 - "$corpus" <<'PYTHON'
import json, sys
evidence = json.load(open("tests/interop/vectors.json"))
texts = [node["ledgerEntry"]["receipt"] for node in evidence["nodes"]] + [evidence["after"], evidence["keys"][0]]
for place, text in enumerate(texts + [evidence["after"].split("\n\n")[0] + "\n"]):
    open(f"{sys.argv[1]}/vector-{place}", "w").write(text)
PYTHON
      ;;
  esac
}

failed=0
for target in "${targets[@]}"; do
  seed "$target"
  if "$built/debug/$target" "$fuzz/corpus/$target" -max_total_time="$seconds" -seed="${FUZZ_SEED:-0}" -timeout=5 -rss_limit_mb=2048 \
    -max_len=16384 -artifact_prefix="$fuzz/findings/$target-" -print_final_stats=1 >"$fuzz/$target.log" 2>&1; then
    echo "ok   $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzz/$target.log") inputs, $(grep -oE 'cov: [0-9]+' "$fuzz/$target.log" | tail -n 1)"
  else
    failed=$((failed + 1))
    echo "FAIL $target: see $fuzz/$target.log; its last lines:"
    tail -n 15 "$fuzz/$target.log"
  fi
done
echo "fuzz: $((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" = 0 ]
