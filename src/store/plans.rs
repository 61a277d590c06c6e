//! How SQLite carries out the lists: along their index, from the cursor on, without sorting. (PostgreSQL's planner
//! decides by statistics; the integration tests count the rows that it reads.)

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement};

use super::{Store, StoreConfig};
use crate::clock::SystemClock;
use crate::domain::filter::{
    AuditFilter, AuditOrder, AuditSort, LlmRunFilter, LlmRunOrder, LlmRunSort, TraceFilter, TraceOrder,
};
use crate::domain::ids::{TenantId, TraceId};
use crate::domain::page::{Direction, PageRequest, Position};
use crate::domain::settle::SettlePolicy;
use crate::domain::system::{SystemRecordFilter, SystemRecordOrder, SystemRecordSort};
use crate::domain::trace::StepFilter;
use crate::domain::vocabulary::{AuditCategory, StepKind, TraceStatus};

async fn store(folder: &tempfile::TempDir) -> Store {
    let config = StoreConfig {
        database_url: format!("sqlite://{}", folder.path().join("test.db").display()),
        migrate: true,
        pool_size: 1,
        settle: SettlePolicy { settle_us: 0, settle_remote_us: 0, timeout_us: 0 },
        queue_records: 1,
        ledger: crate::store::LedgerConfig::of("runledger"),
    };
    Store::connect(config, Arc::new(SystemClock)).await.expect("connects")
}

async fn plan(store: &Store, statement: Statement) -> String {
    let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", statement.sql), ..statement };
    let rows = store.db().read.query_all_raw(explain).await.expect("explained");
    let lines: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").expect("text")).collect();
    lines.join("\n")
}

#[tokio::test]
async fn lists_of_runs_follow_their_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let cursor = Some(Position { key: 1, seq: 1 });
    for (sort, asc, desc, range) in [
        (LlmRunSort::Seq, "llm_run_seq", "llm_run_seq", "seq"),
        (LlmRunSort::StartedAt, "llm_run_started", "llm_run_started", "(started_at,seq)"),
        (LlmRunSort::Duration, "llm_run_duration_asc", "llm_run_duration_desc", "(duration_*,seq)"),
        (LlmRunSort::Cost, "llm_run_cost_asc", "llm_run_cost_desc", "(cost_*,seq)"),
        (LlmRunSort::TotalTokens, "llm_run_tokens", "llm_run_tokens", "(total_tokens,seq)"),
    ] {
        for (direction, index) in [(Direction::Asc, asc), (Direction::Desc, desc)] {
            for page in [
                PageRequest { after: cursor, ..PageRequest::first(10) },
                PageRequest { before: cursor, is_backward: true, ..PageRequest::first(10) },
            ] {
                let order = LlmRunOrder { sort, direction };
                let tenant = TenantId::trusted("acme");
                let select = store.select_runs(&tenant, &LlmRunFilter::default(), order, &page, None).expect("built");
                let plan = plan(&store, select.build(DbBackend::Sqlite)).await;
                let is_forward = (direction == Direction::Asc) != page.is_backward;
                let range = range.replace('*', if direction == Direction::Asc { "asc" } else { "desc" });
                let (sign, value) = (if is_forward { '>' } else { '<' }, if range == "seq" { "?" } else { "(?,?)" });
                assert!(
                    plan.contains(&format!("USING INDEX {index} (tenant_id=? AND {range}{sign}{value})")),
                    "{plan}"
                );
                assert!(!plan.contains("ORDER BY"), "{plan}");
            }
        }
    }
    store.close().await;
}

#[tokio::test]
async fn traces_follow_their_index_and_running_ones_are_found_by_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let (tenant, order) = (TenantId::trusted("acme"), TraceOrder::default());
    let page = PageRequest { after: Some(Position { key: 9, seq: 9 }), ..PageRequest::first(10) };
    let all = store.select_traces(&tenant, &TraceFilter::default(), order, &page, None).expect("built");
    let all = plan(&store, all.build(DbBackend::Sqlite)).await;
    assert!(
        all.contains("SEARCH trace USING INDEX trace_seq (tenant_id=? AND seq<?)") && !all.contains("ORDER BY"),
        "{all}"
    );
    let running = TraceFilter { statuses: Some(vec![TraceStatus::Running]), ..TraceFilter::default() };
    let running = store.select_traces(&tenant, &running, order, &page, None).expect("built");
    let running = plan(&store, running.build(DbBackend::Sqlite)).await;
    assert!(running.contains("SEARCH trace USING PRIMARY KEY (tenant_id=? AND trace_id=?)"), "{running}");
    assert!(running.contains("trace_state_running"), "{running}");
    store.close().await;
}

#[tokio::test]
async fn audit_lists_follow_the_index_of_their_log_their_view_and_their_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let tenant = TenantId::trusted("acme");
    let page = PageRequest { after: Some(Position { key: 9, seq: 9 }), ..PageRequest::first(10) };
    let of = |categories: &[AuditCategory]| AuditFilter {
        categories: (!categories.is_empty()).then(|| categories.to_vec()),
        ..AuditFilter::default()
    };
    let occurred = AuditOrder { sort: AuditSort::OccurredAt, direction: Direction::Asc };
    for (filter, order, index) in [
        (of(&[]), AuditOrder::default(), "audit_entry_seq (tenant_id=? AND seq<?)"),
        (
            of(&[AuditCategory::Identity]),
            AuditOrder::default(),
            "audit_entry_category (tenant_id=? AND category=? AND seq<?)",
        ),
        (of(&[]), occurred, "audit_entry_occurred (tenant_id=? AND (occurred_at,seq)>(?,?))"),
    ] {
        let select = store.select_audit_entries(&tenant, &filter, order, &page, None).expect("built");
        let plan = plan(&store, select.build(DbBackend::Sqlite)).await;
        assert!(plan.contains(index) && !plan.contains("ORDER BY"), "{filter:?}: {plan}");
    }
    let access = store.select_audit_entries(&tenant, &of(&[AuditCategory::Access]), AuditOrder::default(), &page, None);
    let access = plan(&store, access.expect("built").build(DbBackend::Sqlite)).await;
    // Either holds the rows of that category only, in the order of the list.
    let is_direct = access.contains("audit_entry_access_seq") || access.contains("audit_entry_category");
    assert!(is_direct && !access.contains("ORDER BY"), "{access}");
    let governance = store.select_governance(&tenant, &["run", "trace"], &page).expect("built");
    let governance = plan(&store, governance).await;
    assert_eq!(governance.matches("USING INDEX audit_entry_run (tenant_id=? AND run_id=?").count(), 2, "{governance}");
    store.close().await;
}

#[tokio::test]
async fn lists_of_system_records_follow_their_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    for (sort, index) in [
        (SystemRecordSort::Seq, "system_record_seq (tenant_id=? AND seq<?)"),
        (SystemRecordSort::OccurredAt, "system_record_occurred (tenant_id=? AND (occurred_at,seq)<(?,?))"),
    ] {
        let order = SystemRecordOrder { sort, direction: Direction::Desc };
        let page = PageRequest { after: Some(Position { key: 9, seq: 9 }), ..PageRequest::first(10) };
        let (tenant, filter) = (TenantId::trusted("acme"), SystemRecordFilter::default());
        let select = store.select_system_records(&tenant, &filter, order, &page, None).expect("built");
        let plan = plan(&store, select.build(DbBackend::Sqlite)).await;
        assert!(plan.contains(&format!("USING INDEX {index}")) && !plan.contains("ORDER BY"), "{plan}");
    }
    store.close().await;
}

#[tokio::test]
async fn pages_of_steps_are_ranges_of_the_primary_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let filtered = StepFilter { kinds: vec![StepKind::Llm], statuses: Vec::new() };
    for filter in [StepFilter::default(), filtered] {
        for is_backward in [false, true] {
            let page = PageRequest { is_backward, ..PageRequest::first(10) };
            let (tenant, traces) = (TenantId::trusted("acme"), [TraceId::trusted("a"), TraceId::trusted("b")]);
            let statement = store.select_steps(&tenant, &traces, &filter, &page).expect("built");
            let plan = plan(&store, statement).await;
            let range =
                "INDEX sqlite_autoindex_trace_step_1 (tenant_id=? AND trace_id=? AND step_index>? AND step_index<?)";
            // Once for the rows, once for the row that bounds them.
            assert_eq!(plan.matches(range).count(), 2, "{plan}");
            assert!(!plan.contains("SCAN c") && !plan.contains("SCAN d"), "{plan}");
        }
    }
    store.close().await;
}
