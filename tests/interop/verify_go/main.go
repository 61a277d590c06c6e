// Verifies receipts and checkpoints with Go's own implementation of transparency logs, and nothing else: note.Open for
// signatures, tlog.CheckRecord for inclusion, tlog.CheckTree for consistency.
//
//	verify_go EVIDENCE.json
//
// EVIDENCE.json: {"keys": [vkey], "nodes": [{"ledgerEntry": {"sequence", "leafHash", "leaf", "receipt"}}],
// "before": note, "after": note, "hashes": [hex]}.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type evidence struct {
	Keys  []string
	Nodes []struct {
		LedgerEntry struct{ Sequence, LeafHash, Leaf, Receipt string }
	}
	Before, After string
	Hashes        []string
}

type checkpoint struct {
	origin string
	size   int64
	root   tlog.Hash
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	must(err)
	var given evidence
	must(json.Unmarshal(data, &given))
	var verifiers []note.Verifier
	for _, key := range given.Keys {
		verifier, err := note.NewVerifier(key)
		must(err)
		verifiers = append(verifiers, verifier)
	}
	known := note.VerifierList(verifiers...)
	if len(given.Nodes) == 0 {
		fail("no records")
	}
	for _, node := range given.Nodes {
		entry := node.LedgerEntry
		leaf, index := record(entry.Receipt, known)
		if string(leaf) != entry.Leaf || index != entry.Sequence || hash(tlog.RecordHash(leaf)) != entry.LeafHash {
			fail("entry %s is not that of its receipt", entry.Sequence)
		}
	}
	before, after := open(given.Before, known), open(given.After, known)
	var proof tlog.TreeProof
	for _, text := range given.Hashes {
		decoded, err := hex.DecodeString(text)
		must(err)
		proof = append(proof, toHash(decoded))
	}
	if before.origin != after.origin || before.size >= after.size {
		fail("two checkpoints of one growing log are needed, got %v and %v", before, after)
	}
	must(tlog.CheckTree(proof, after.size, after.root, before.size, before.root))
	before.root[0] ^= 1
	if tlog.CheckTree(proof, after.size, after.root, before.size, before.root) == nil {
		fail("a wrong root is consistent")
	}
	fmt.Printf("valid: %d receipts, 2 checkpoints, consistent from %d to %d\n", len(given.Nodes), before.size, after.size)
}

// record verifies a receipt and returns its leaf and index.
func record(receipt string, known note.Verifiers) ([]byte, string) {
	head, signed, found := strings.Cut(receipt, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("not a receipt: %q", receipt)
	}
	leaf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	must(err)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	log := open(signed, known)
	must(tlog.CheckRecord(proof, log.size, log.root, index, tlog.RecordHash(leaf)))
	if tlog.CheckRecord(proof, log.size, log.root, index, tlog.RecordHash(append(leaf, ' '))) == nil {
		fail("another leaf is in the log too")
	}
	return leaf, strconv.FormatInt(index, 10)
}

func open(signed string, known note.Verifiers) checkpoint {
	opened, err := note.Open([]byte(signed), known)
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 {
		fail("not a checkpoint: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return checkpoint{lines[0], size, root}
}

func toHash(bytes []byte) (hash tlog.Hash) {
	if copy(hash[:], bytes) != len(hash) || len(bytes) != len(hash) {
		fail("a hash of %d bytes", len(bytes))
	}
	return hash
}

func hash(h tlog.Hash) string { return hex.EncodeToString(h[:]) }

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "INVALID: "+format+"\n", arguments...)
	os.Exit(1)
}
