#!/usr/bin/env bash
# Checks the signature of a checkpoint with OpenSSL, from nothing but the log's verifier key.
#   tests/interop/verify_openssl.sh VKEY NOTE_FILE
set -euo pipefail
IFS=+ read -r name id key <<<"$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The 32 bytes of the key behind the fixed beginning of every Ed25519 public key in DER; one byte says that it is Ed25519.
base64 -d <<<"$key" >"$work/typed"
[ "$(head -c 1 "$work/typed" | od -An -tx1 | tr -d ' ')" = 01 ] || { echo "not an Ed25519 key" >&2; exit 2; }
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; tail -c +2 "$work/typed"; } >"$work/key"

# The text is everything before the empty line; the signature is that of the line with the key's name and id.
sed '/^$/,$d' "$2" >"$work/text"
while read -r dash signer signature; do
  base64 -d <<<"$signature" >"$work/signature"
  signer_id=$(head -c 4 "$work/signature" | od -An -tx1 | tr -d ' ')
  if [ "$dash $signer $signer_id" = "— $name $id" ]; then
    tail -c +5 "$work/signature" >"$work/bare"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/text" -sigfile "$work/bare"
    exit
  fi
done < <(sed '1,/^$/d' "$2")
echo "no signature of $name" >&2
exit 2
