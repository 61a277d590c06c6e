//! Proofs of a large log, on PostgreSQL: latency of inclusion and consistency proofs, one after the other.
//!
//!     BENCH_PROOFS_URL=postgres://postgres@127.0.0.1:5432/runledger_proofs cargo bench --bench proofs
//!
//! An empty database is filled with `BENCH_LEAVES` entries first (10,000,000: two minutes and 3 GB). The entries stand
//! for records that do not exist: a proof reads hashes only.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark reports on stdout or fails")]

#[path = "support/open.rs"]
mod open;

use std::time::Instant;

use open::logs;
use runledger::domain::ids::{Digest, RecordId, TenantId};
use runledger::domain::scope::{Actor, Permissions, Scope};
use runledger::domain::vocabulary::{ActorType, Stream};
use runledger::ledger::tree::{CompactRange, Node, leaf_hash};
use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, Value};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHUNK: u64 = 50_000;
const PROOFS: u64 = 2_000;
const TENANT: &str = "bench";
const LOG_ID: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);

fn record_id(seq: u64) -> Uuid {
    Uuid::from_u128((0x0197_0000_0000_7000_8000_u128 << 48) | u128::from(seq))
}

fn array(element: ArrayType, values: impl Iterator<Item = Value>) -> Value {
    Value::Array(element, Some(Box::new(values.collect())))
}

async fn run(db: &DatabaseConnection, sql: &str, values: Vec<Value>) {
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await.expect("written");
}

/// Entries, nodes and the log, as appending would have left them.
async fn fill(db: &DatabaseConnection, leaves: u64) {
    let mut range = CompactRange::empty();
    let mut nodes: Vec<Node> = Vec::new();
    while range.size() < leaves {
        let from = range.size();
        let to = (from + CHUNK).min(leaves);
        let hashes: Vec<Digest> = (from..to).map(|seq| leaf_hash(&seq.to_be_bytes())).collect();
        hashes.iter().for_each(|hash| range.append(*hash, |node| nodes.push(node)));
        let sql = "INSERT INTO ledger_entry (tenant_id, log_id, seq, kind, record_id, leaf_hash) \
                   SELECT $1, $2, s, 'trace_step', r, h \
                   FROM UNNEST($3::bigint[], $4::uuid[], $5::bytea[]) AS rows(s, r, h)";
        let values = vec![
            TENANT.into(),
            LOG_ID.into(),
            array(ArrayType::BigInt, (from..to).map(|seq| seq.cast_signed().into())),
            array(ArrayType::Uuid, (from..to).map(|seq| record_id(seq).into())),
            array(ArrayType::Bytes, hashes.iter().map(|hash| hash.0.to_vec().into())),
        ];
        run(db, sql, values).await;
    }
    let sql = "INSERT INTO ledger_node (tenant_id, log_id, level, idx, hash) \
               SELECT $1, $2, l, i, h FROM UNNEST($3::bigint[], $4::bigint[], $5::bytea[]) AS rows(l, i, h)";
    for nodes in nodes.chunks(50_000) {
        let values = vec![
            TENANT.into(),
            LOG_ID.into(),
            array(ArrayType::BigInt, nodes.iter().map(|node| node.level.into())),
            array(ArrayType::BigInt, nodes.iter().map(|node| node.idx.into())),
            array(ArrayType::Bytes, nodes.iter().map(|node| node.hash.0.to_vec().into())),
        ];
        run(db, sql, values).await;
    }
    let sql = "INSERT INTO ledger_log (tenant_id, log_id, stream, origin, size, root, edge, updated_at) \
               VALUES ($1, $2, 'evidence', 'bench/proofs', $3, $4, $5, 0)";
    let values = vec![
        TENANT.into(),
        LOG_ID.into(),
        range.size().cast_signed().into(),
        range.root().0.to_vec().into(),
        range.edge().into(),
    ];
    run(db, sql, values).await;
    run(db, "ANALYZE", Vec::new()).await;
}

fn report(name: &str, mut latencies: Vec<f64>) {
    latencies.sort_by(f64::total_cmp);
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    println!("{name}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(50), at(99), at(100));
}

fn main() {
    let Ok(url) = std::env::var("BENCH_PROOFS_URL") else {
        return println!("BENCH_PROOFS_URL names no database");
    };
    let leaves = std::env::var("BENCH_LEAVES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let logs = logs(&url, true).await.0;
        let actor = Actor { actor_type: ActorType::System, id: "bench".to_owned() };
        let tenant = TenantId::parse(TENANT).expect("a name");
        let scope = Scope { tenant, actor, permissions: Permissions::all_of_tenant() };
        if logs.facade(scope.clone()).ledger_log(Stream::Evidence).await.expect("read").is_none() {
            fill(&Database::connect(&url).await.expect("a database"), leaves).await;
        }
        let log = logs.facade(scope.clone()).ledger_log(Stream::Evidence).await.expect("read").expect("filled");
        let size = log.size.cast_unsigned();
        let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
        for proof in 0..PROOFS {
            // Places spread over the whole log by a step that shares no factor with its size.
            let seq = proof.wrapping_mul(7_919_000_003) % size;
            let facade = logs.facade(scope.clone());
            let started = Instant::now();
            let found = facade.inclusion_proof(RecordId(record_id(seq)), None).await.expect("read");
            inclusion.push(started.elapsed().as_secs_f64() * 1_000.0);
            assert!(found.is_some(), "no proof of {seq}");
            let started = Instant::now();
            let from = seq.max(1).cast_signed();
            let found = facade.consistency_proof(Stream::Evidence, from, log.size).await.expect("read");
            consistency.push(started.elapsed().as_secs_f64() * 1_000.0);
            assert!(found.is_some(), "no proof from {from}");
        }
        report(&format!("inclusion proofs of {size} leaves"), inclusion);
        report(&format!("consistency proofs of {size} leaves"), consistency);
    });
}
