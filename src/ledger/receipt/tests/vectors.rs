//! The evidence that `tests/interop` is tried on without a server: a log of 700 entries that grows to 1,000, and three
//! runs in it. `UPDATE_VECTORS=1` writes it anew.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::ids::{RecordId, RunId, TenantId};
use crate::domain::record::{RecordHead, RecordRef};
use crate::domain::run::LlmRun;
use crate::domain::samples;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::RecordSource;
use crate::ledger::canonical;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/vectors.json");

fn at(seq: u64) -> Timestamp {
    Timestamp::from_micros_clamped(1_795_249_800_000_001 + seq.cast_signed())
}

fn id(seq: u64) -> Uuid {
    Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0000 + u128::from(seq))
}

fn run(seq: u64) -> LlmRun {
    LlmRun {
        run_id: RunId::trusted(format!("run {seq}")),
        name: Some("Größe \"π\" \\ \u{1}\u{7f}\u{2028}😀\n".to_owned()),
        agent_id: (seq > 0).then(|| "planner".to_owned()),
        tags: vec!["a".to_owned(), "b".to_owned()],
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        operation: Some("chat".to_owned()),
        environment: Some("production".to_owned()),
        prompt_hash: Some(Digest([171; 32])),
        input_tokens: 1_000 + seq.cast_signed(),
        time_to_first_token_us: Some(412_345),
        cost_micros: Some(1_230),
        price_version: Some("2026-11-01".to_owned()),
        started_at: at(seq),
        completed_at: Some(at(seq + 1)),
        source: RecordSource::Api,
        ..samples::run()
    }
}

fn leaf_of(seq: u64) -> Vec<u8> {
    let tenant_id = TenantId::trusted("acme");
    let head = RecordHead { id: RecordId(id(seq)), tenant_id: &tenant_id, created_at: at(seq) };
    canonical::leaf(head, RecordRef::Run(&run(seq)))
}

/// A run as GraphQL answers it where each field has its column's name as an alias.
fn node(log: &[Digest], seq: u64) -> Value {
    let proof = build(log, Plan::inclusion(seq, log.len() as u64));
    let receipt = Receipt { leaf: leaf_of(seq), index: seq, proof, checkpoint: checkpoint(log) };
    let run = run(seq);
    json!({
        "id": format!("run_{}", id(seq)), "created_at": at(seq).to_rfc3339(), "run_id": run.run_id.as_str(),
        "revision": 1, "trace_id": null, "name": run.name, "agent": run.agent_id.map(|agent| json!({"agent_id": agent})),
        "tags": run.tags, "model": run.model, "input_tokens": run.input_tokens, "output_tokens": 0,
        "prompt_hash": run.prompt_hash.map(Digest::to_hex), "cost_usd": "0.001230", "is_synthetic": false,
        "started_at": at(seq).to_rfc3339(), "source": "API",
        "ledgerEntry": {
            "sequence": seq.to_string(),
            "leafHash": leaf_hash(&receipt.leaf).to_hex(),
            "leaf": String::from_utf8(receipt.leaf.clone()).expect("UTF-8"),
            "receipt": receipt.to_text(),
        },
    })
}

fn build(log: &[Digest], plan: Option<Plan>) -> Vec<Digest> {
    let plan = plan.expect("plan");
    plan.hashes(&plan.spans().iter().map(|span| read(log, span)).collect::<Vec<_>>()).expect("complete answers")
}

fn checkpoint(log: &[Digest]) -> String {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: log.len() as u64, root: root(log.iter().copied()) };
    checkpoint.sign(&signer()).expect("note")
}

#[test]
fn the_vectors_of_other_verifiers_are_ours() {
    let log: Vec<Digest> = (0..1_000).map(|seq| leaf_hash(&leaf_of(seq))).collect();
    let made = json!({
        "keys": [signer().key().vkey()],
        "nodes": [node(&log, 0), node(&log, 700), node(&log, 999)],
        "before": checkpoint(&log[..700]),
        "after": checkpoint(&log),
        "hashes": build(&log, Plan::consistency(700, 1_000)).into_iter().map(Digest::to_hex).collect::<Vec<_>>(),
    });
    let made = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(PATH, &made).expect("written");
    }
    assert_eq!(std::fs::read_to_string(PATH).expect("vectors"), made, "UPDATE_VECTORS=1 writes them anew");
}
