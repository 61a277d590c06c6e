#!/usr/bin/env python3
"""Verifies records that GraphQL answered with, by their receipts, trusting nothing but the log's verifier keys.

verify.py EVIDENCE.json: {"keys": [vkey], "nodes": [{column: value, ..., "ledgerEntry": {sequence leafHash leaf receipt}}]}.
Each field is named (by an alias) as the column it shows; objects other than ledgerEntry are looked into. Standard library
only; the Ed25519 signature is checked by the openssl command.
"""
import base64, decimal, hashlib, json, subprocess, sys, tempfile

if not __debug__:
    sys.exit("run without -O: the checks are assertions")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def signed_text(note, vkeys):
    """The text of a note that one of the keys has signed."""
    text, lines = note.rsplit("\n\n", 1)
    for name, key_id, key in (vkey.split("+", 2) for vkey in vkeys):
        key = base64.b64decode(key)
        assert key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id, "not a verifier key"
        for line in lines.splitlines():
            dash, signer, signature = line.split(" ")
            signature = base64.b64decode(signature)
            if (dash, signer, signature[:4].hex()) == ("\u2014", name, key_id):
                with tempfile.TemporaryDirectory() as folder:
                    parts = {"key": bytes.fromhex("302a300506032b6570032100") + key[1:], "text": f"{text}\n".encode(), "sig": signature[4:]}
                    for part, data in parts.items():
                        open(f"{folder}/{part}", "wb").write(data)
                    subprocess.run("openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig".split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)
                return text
    raise AssertionError("signed by no key that was given")


def root_of(leaf_hash, index, size, hashes):
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    last = size - 1
    for sibling in hashes:
        assert last > 0, "a hash too many"
        if index & 1 or index == last:
            leaf_hash = sha256(b"\1", sibling, leaf_hash)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            leaf_hash = sha256(b"\1", leaf_hash, sibling)
        index, last = index >> 1, last >> 1
    assert last == 0, "a hash too few"
    return leaf_hash


def verify(receipt, vkeys):
    """The leaf and the index of a receipt (C2SP tlog-proof) that holds."""
    head, note = receipt.split("\n\n", 1)
    first, extra, index, *hashes = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
    origin, size, root = signed_text(note, vkeys).split("\n")
    leaf, index = base64.b64decode(extra[6:]), int(index[6:])
    assert index < int(size), "beyond the end of the log"
    assert root_of(sha256(b"\0", leaf), index, int(size), map(base64.b64decode, hashes)) == base64.b64decode(root), "the proof does not lead to the root"
    return leaf, index


def shown(node):
    """The columns that an answer's fields show, in the leaf's form."""
    for name, value in node.items():
        if isinstance(value, dict) and name != "ledgerEntry":
            yield from shown(value)
        elif name == "id":
            yield name, value.split("_", 1)[1]
        elif name == "cost_usd":
            yield "cost_micros", None if value is None else str(int(decimal.Decimal(value) * 1_000_000))
        elif name != "ledgerEntry" and not (name == "agent" and value is None):
            yield name, str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check(node, vkeys):
    entry = node["ledgerEntry"]
    leaf, index = verify(entry["receipt"], vkeys)
    assert leaf.decode() == entry["leaf"] and sha256(b"\0", leaf).hex() == entry["leafHash"] and index == int(entry["sequence"]), "the entry is not that of its receipt"
    columns = json.loads(leaf)
    for column, value in shown(node):
        assert columns.get(column) == value, f"{column}: {value!r} is shown, {columns.get(column)!r} was recorded"
    return sorted(columns.keys() - {"v", "kind"} - dict(shown(node)).keys())


if __name__ == "__main__":
    evidence = json.load(open(sys.argv[1]))
    assert evidence["nodes"], "no records"
    for node in evidence["nodes"]:
        unseen = check(node, evidence["keys"])
        print(f"valid: entry {node['ledgerEntry']['sequence']}; columns that the answer does not show: {', '.join(unseen) or 'none'}")
