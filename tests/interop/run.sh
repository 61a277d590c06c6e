#!/usr/bin/env bash
# Has receipts and checkpoints verified by code that is not ours: Go's transparency logs, OpenSSL, Python's hashes.
#   tests/interop/run.sh              of the vectors beside this file
#   tests/interop/run.sh URL TOKEN    of runs that are written to a server, e.g. http://127.0.0.1:8080/graphql
# Each verifier is also given forged evidence, which it must refuse. Needs python3, openssl, and golang-go with
# golang-golang-x-mod-dev (Debian). Last line: `interop: N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -ge 2 ]; then
  python3 fetch.py "$1" "$2" >"$work/evidence.json"
else
  cp vectors.json "$work/evidence.json"
fi

# Forgeries: another size in every checkpoint, another hash in every proof, another value in every record's first field.
python3 - "$work" <<'PYTHON'
import json, re, sys
work = sys.argv[1]
def forge(name, change):
    evidence = json.load(open(f"{work}/evidence.json"))
    change(evidence)
    json.dump(evidence, open(f"{work}/{name}.json", "w"))
def resize(note):
    return re.sub(r"^(\d+)$", lambda size: str(int(size[1]) + 1), note, flags=re.M)
def receipts(change):
    def all_of(evidence):
        for node in evidence["nodes"]:
            node["ledgerEntry"]["receipt"] = change(node["ledgerEntry"]["receipt"])
    return all_of
def sizes(evidence):
    receipts(resize)(evidence)
    evidence["after"] = resize(evidence["after"])
def shown(evidence):
    for node in evidence["nodes"]:
        node["model"] = "another"
forge("sizes", sizes)
forge("indexes", receipts(lambda text: re.sub(r"^index (\d+)", lambda index: f"index {int(index[1]) ^ 1}", text, flags=re.M)))
forge("leaves", receipts(lambda text: re.sub(r"^extra (.{8})", "extra eyJhYmMi", text, flags=re.M)))
forge("shown", shown)
for name in ("evidence", "sizes"):
    evidence = json.load(open(f"{work}/{name}.json"))
    open(f"{work}/{name}.note", "w").write(evidence["after"])
open(f"{work}/vkey", "w").write(evidence["keys"][0])
PYTHON

GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE=$work/go go build -o "$work/verify_go" ./verify_go
vkey=$(cat "$work/vkey")

passed=0 failed=0
expect() { # valid|refused, what, command...
  local wanted=$1 what=$2 found=refused
  shift 2
  "$@" >"$work/log" 2>&1 && found=valid
  if [ "$found" = "$wanted" ]; then
    passed=$((passed + 1))
    echo "ok   $what is $found"
  else
    failed=$((failed + 1))
    echo "FAIL $what is $found:"
    cat "$work/log"
  fi
}
expect valid 'evidence to Go' "$work/verify_go" "$work/evidence.json"
expect valid 'evidence to Python' python3 verify.py "$work/evidence.json"
expect valid 'a checkpoint to OpenSSL' ./verify_openssl.sh "$vkey" "$work/evidence.note"
for forgery in sizes indexes leaves; do
  expect refused "forged $forgery to Go" "$work/verify_go" "$work/$forgery.json"
  expect refused "forged $forgery to Python" python3 verify.py "$work/$forgery.json"
done
expect refused 'a record that is shown otherwise to Python' python3 verify.py "$work/shown.json"
expect refused 'a forged checkpoint to OpenSSL' ./verify_openssl.sh "$vkey" "$work/sizes.note"
echo "interop: $passed passed, $failed failed"
[ "$failed" = 0 ]
