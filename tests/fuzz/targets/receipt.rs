//! Receipts, notes, checkpoints and verifier keys: whatever is read is written back as it was, and a receipt that verifies
//! is of the one log that the key has signed, whose size nobody can change.
#![no_main]

use std::sync::LazyLock;

use runledger::ledger::checkpoint::Checkpoint;
use runledger::ledger::note::{Note, NoteKey};
use runledger::ledger::receipt::Receipt;

/// The key of `tests/interop/vectors.json`, where the receipts to start from come from.
static KEYS: LazyLock<Vec<NoteKey>> = LazyLock::new(|| {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../interop/vectors.json")).expect("JSON");
    vec![NoteKey::parse(vectors["keys"][0].as_str().expect("text")).expect("vkey")]
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_text(), text);
        if let Ok(proven) = receipt.verify(&KEYS, None) {
            assert_eq!((proven.checkpoint.origin.as_str(), proven.checkpoint.size), ("example.com/log/one", 1_000));
            assert!(proven.index < 1_000 && proven.leaf.starts_with(br#"{"agent_id":"planner","#) || proven.index == 0);
        }
    }
    if let Ok(note) = Note::parse(text) {
        assert!(text.starts_with(note.text()) && note.text().ends_with('\n'));
        if let Ok(key) = note.signed_by(&KEYS) {
            assert!(Checkpoint::parse(note.text()).is_ok_and(|checkpoint| checkpoint.size == 1_000), "{}", key.name());
        }
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
    }
    if let Ok(key) = NoteKey::parse(text) {
        assert_eq!(key.vkey(), text);
    }
});
