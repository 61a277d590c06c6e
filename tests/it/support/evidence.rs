//! A log with every kind of record in it, and what it takes to tamper with one and to look.

use std::collections::BTreeMap;
use std::sync::Arc;

use runledger::clock::Clock;
use runledger::domain::append::{AppendUnit, New};
use runledger::domain::audit::AuditEntry;
use runledger::domain::export::LogExport;
use runledger::domain::ids::TenantId;
use runledger::domain::incident::IncidentEvidence;
use runledger::domain::ledger::LedgerEvent;
use runledger::domain::payload::{NewPayload, PayloadPart};
use runledger::domain::policy::PolicyActivation;
use runledger::domain::record::NewRecord;
use runledger::domain::run::LlmRun;
use runledger::domain::system::SystemRecord;
use runledger::domain::trace::{Trace, TraceSeal};
use runledger::domain::verification::{Anomaly, AnomalyKind, VerificationMode, VerificationStatus};
use runledger::domain::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExportFormat, ExportScope, ExportStatus, IncidentSeverity,
    LedgerEventKind, Origin, Stream, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity, Verdict,
};
use runledger::facade::verify::look::{Look, Looker, unwatched};
use runledger::facade::verify::trusted::TrustedLog;
use runledger::ledger::commitment::payload;
use sea_orm::DbBackend;

use super::app::TestApp;
use super::db::{TestClock, TestDb};
use super::seed::{self, ROOT, Unit, all_new, at, digest, step, tenant};

/// Tables of records, with the column that names one, in the order in which they are looked at.
pub const RECORDS: [&str; 10] = [
    "llm_run",
    "trace",
    "trace_step",
    "trace_seal",
    "system_record",
    "audit_entry",
    "policy_activation",
    "incident_evidence",
    "log_export",
    "ledger_event",
];

/// Every table that is append-only.
pub const GUARDED: [&str; 17] = [
    "llm_run",
    "trace",
    "trace_step",
    "trace_seal",
    "system_record",
    "audit_entry",
    "policy_activation",
    "incident_evidence",
    "log_export",
    "ledger_event",
    "llm_run_tag",
    "payload",
    "ledger_entry",
    "ledger_node",
    "ledger_checkpoint",
    "ledger_verification",
    "ledger_anomaly",
];

/// The log that is tampered with.
pub const LOG: &str = "(SELECT log_id FROM ledger_log WHERE tenant_id = 'ours' AND stream = 'evidence')";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn part(clock: &TestClock, part: PayloadPart, text: &str) -> NewPayload {
    payload(part, clock.entropy().expect("entropy"), text.to_owned())
}

fn new<T>(clock: &TestClock, record: T, payloads: Vec<NewPayload>) -> Box<New<T>> {
    Box::new(New { id: clock.new_id(), record, payloads })
}

/// An entry of the audit ledger.
pub fn audit(clock: &TestClock, category: AuditCategory) -> NewRecord {
    let payloads = vec![
        part(clock, PayloadPart::ActionReason, "\"because\""),
        part(clock, PayloadPart::BeforeState, "{\"a\":1}"),
        part(clock, PayloadPart::AfterState, "{\"a\":2}"),
    ];
    let commitment = |at: usize| Some(payloads[at].commitment);
    let record = AuditEntry {
        category,
        event_type: "PolicyEvaluated".to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: "rule".to_owned(),
        actor_type: ActorType::Human,
        actor_id: some("jane"),
        verdict: Some(Verdict::Deny),
        action: Some(AuditAction::Blocked),
        policy_id: some("policy"),
        rule_id: None,
        run_id: Some(seed::run_id("run")),
        correlation_id: None,
        source_component: "graphql".to_owned(),
        occurred_at: at(5),
        action_reason_commitment: commitment(0),
        before_state_commitment: commitment(1),
        after_state_commitment: commitment(2),
    };
    NewRecord::Audit(new(clock, record, payloads), None)
}

fn system(clock: &TestClock, summary: &str) -> NewRecord {
    let details = part(clock, PayloadPart::Details, "{\"version\":\"2\"}");
    let record = SystemRecord {
        component: SystemComponent::Api,
        event_type: SystemEventType::Startup,
        severity: SystemSeverity::Info,
        summary: summary.to_owned(),
        caused_by: Some(SystemCausedBy::Human),
        actor_type: Some(ActorType::Human),
        actor_id: some("jane"),
        correlation_id: None,
        service_name: some("checkout"),
        service_instance_id: None,
        source_component: "graphql".to_owned(),
        occurred_at: at(1),
        details_commitment: Some(details.commitment),
    };
    NewRecord::System(new(clock, record, vec![details]))
}

fn policy(clock: &TestClock) -> NewRecord {
    let record = PolicyActivation {
        policy_id: "policy".to_owned(),
        source_pattern_id: "pattern".to_owned(),
        source_recovery_id: None,
        confidence_ppm: 900_000,
        confidence_version: "1".to_owned(),
        approval_path: "auto".to_owned(),
        loop_trace_id: some("loop"),
        actor_type: None,
        actor_id: None,
        source_component: "graphql".to_owned(),
        activated_at: at(2),
    };
    NewRecord::Policy(new(clock, record, Vec::new()))
}

fn incident(clock: &TestClock) -> NewRecord {
    let record = IncidentEvidence {
        incident_id: "incident".to_owned(),
        revision: 1,
        severity: IncidentSeverity::High,
        status: "open".to_owned(),
        title: "Too much".to_owned(),
        source_run_id: Some(seed::run_id("run")),
        policy_id: some("policy"),
        violation_type: None,
        violation_at: Some(at(3)),
        violation_step_index: Some(1),
        threshold: some("1"),
        actual: some("2"),
        inflection_at: None,
        inflection_step_index: None,
        opened_at: at(4),
        resolved_at: None,
        correlation_id: None,
        source_component: "graphql".to_owned(),
    };
    NewRecord::Incident(new(clock, record, Vec::new()))
}

fn export(clock: &TestClock) -> NewRecord {
    let record = LogExport {
        scope: ExportScope::LlmRun,
        run_id: Some(seed::run_id("run")),
        incident_id: None,
        format: ExportFormat::Json,
        filter: "{}".to_owned(),
        requested_by: "jane".to_owned(),
        origin: Origin::Human,
        source_component: "export".to_owned(),
        correlation_id: None,
        record_count: 1,
        byte_count: 2,
        checksum: Some(digest(3)),
        checkpoint_sizes: "{}".to_owned(),
        manifest_hash: None,
        status: ExportStatus::Completed,
    };
    NewRecord::Export(new(clock, record, Vec::new()))
}

/// An event of the ledger.
pub fn event(clock: &TestClock, kind: LedgerEventKind, subject: &str) -> NewRecord {
    let record = LedgerEvent {
        kind,
        subject: subject.to_owned(),
        reason: some("because"),
        detail: "{}".to_owned(),
        actor_type: ActorType::Human,
        actor_id: some("jane"),
    };
    NewRecord::Event(new(clock, record, Vec::new()))
}

/// Writes every kind of record of a tenant: 2 traces with 3 steps each, one of them late, runs, and one of all others.
pub async fn every_kind(app: &TestApp, name: &str) {
    let clock = &app.clock;
    let attributes = Some("{\"gen_ai.system\":\"openai\"}");
    let facts = |byte| runledger::domain::append::StepFacts { digest: digest(byte), text: "{}".to_owned() };
    let mut unit = Unit::of(name, clock)
        .trace(Trace { agent_id: some("agent"), seed: Some(7), ..seed::trace("one") })
        .step_with(step("one", "a"), facts(1), attributes)
        .step_with(step("one", "b"), facts(2), attributes)
        .seal(TraceSeal { reason: some("done"), ..seed::seal("one", 1) })
        .step_with(step("one", "c"), facts(3), attributes)
        .trace(seed::trace("two"))
        .step(step("two", "a"))
        .step(step("two", "b"))
        .step(step("two", "c"))
        .run(LlmRun {
            tags: vec!["blue".to_owned(), "red".to_owned()],
            cost_micros: Some(1_500),
            completed_at: Some(at(9)),
            prompt_hash: Some(digest(4)),
            ..seed::run("run")
        })
        .run(seed::run("other"))
        .touch("one", ROOT);
    unit.unit.records.extend([
        system(clock, "started"),
        system(clock, "started again"),
        audit(clock, AuditCategory::Governance),
        audit(clock, AuditCategory::Governance),
        policy(clock),
        incident(clock),
        export(clock),
        event(clock, LedgerEventKind::Hold, "everything"),
    ]);
    all_new(app.store.append(unit.unit).await.expect("written"));
    let access = vec![audit(clock, AuditCategory::Access), audit(clock, AuditCategory::Access)];
    let unit = AppendUnit { stream: Stream::Access, ..AppendUnit::evidence(tenant(name), access) };
    all_new(app.store.append(unit).await.expect("written"));
}

/// Writes so many small records more.
pub async fn more(app: &TestApp, name: &str, count: usize) {
    let records = (0..count).map(|at| system(&app.clock, &format!("event {at}"))).collect();
    all_new(app.store.append(AppendUnit::evidence(tenant(name), records)).await.expect("written"));
}

/// Takes every guard away, as somebody who owns the database can.
pub async fn drop_guards(db: &TestDb) {
    let triggers = match db.backend {
        DbBackend::Postgres => {
            let tables = GUARDED.map(|table| format!("ALTER TABLE {table} DISABLE TRIGGER USER;"));
            tables.concat()
        }
        _ => {
            let rows = db.query("SELECT name FROM sqlite_master WHERE type = 'trigger'").await;
            let names = rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("a name"));
            names.map(|name| format!("DROP TRIGGER {name};")).collect()
        }
    };
    db.execute(&triggers).await.expect("dropped");
}

/// Tampers.
pub async fn tamper(db: &TestDb, sql: &str) {
    let sql = if db.backend == DbBackend::Postgres { sql.replace("= x'", "= '\\x") } else { sql.to_owned() };
    db.execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Makes nodes, edge and root what the first entries of a log give, as one who knows how it is made would.
pub async fn rechain(db: &TestDb, size: i64) {
    let sql = format!("SELECT leaf_hash FROM ledger_entry WHERE log_id = {LOG} AND seq < {size} ORDER BY seq");
    let mut range = runledger::ledger::tree::CompactRange::empty();
    let mut sql = db.query(&sql).await.iter().fold(String::new(), |mut sql, row| {
        let bytes: Vec<u8> = row.try_get_by_index(0).expect("bytes");
        range.append(runledger::domain::ids::Digest::from_slice(&bytes).expect("a hash"), |node| {
            let (hash, level, idx) = (node.hash.to_hex(), node.level, node.idx);
            sql += &format!(
                "UPDATE ledger_node SET hash = x'{hash}' WHERE log_id = {LOG} AND level = {level} AND idx = {idx};"
            );
        });
        sql
    });
    let (root, edge) = (range.root().to_hex(), hex::encode(range.edge()));
    sql += &format!(
        "UPDATE ledger_log SET size = {size}, root = x'{root}', edge = x'{edge}' \
         WHERE tenant_id = 'ours' AND stream = 'evidence'"
    );
    tamper(db, &sql).await;
}

/// Cuts a log down to its first entries, so that it agrees with itself.
pub async fn cut_off(db: &TestDb, at: i64) {
    tamper(
        db,
        &format!(
            "DELETE FROM payload WHERE record_id IN (SELECT record_id FROM ledger_entry WHERE log_id = {LOG} AND seq >= {at});
             DELETE FROM system_record WHERE tenant_id = 'ours' AND seq >= {at};
             DELETE FROM ledger_entry WHERE log_id = {LOG} AND seq >= {at};
             DELETE FROM ledger_node WHERE log_id = {LOG} AND (idx + 1) * 256 > {at}"
        ),
    )
    .await;
    rechain(db, at).await;
}

/// Deletes everything of a tenant.
pub async fn remove_tenant(db: &TestDb) {
    let mut sql = String::new();
    for table in ["ledger_entry", "ledger_node", "ledger_checkpoint"] {
        sql +=
            &format!("DELETE FROM {table} WHERE log_id IN (SELECT log_id FROM ledger_log WHERE tenant_id = 'ours');");
    }
    for table in GUARDED.into_iter().filter(|table| !table.starts_with("ledger_") || *table == "ledger_event") {
        sql += &format!("DELETE FROM {table} WHERE tenant_id = 'ours';");
    }
    tamper(db, &format!("{sql} DELETE FROM ledger_log WHERE tenant_id = 'ours'")).await;
}

/// A look from the first entry on, without remembering anything.
pub async fn look(app: &TestApp, name: &str) -> Vec<Look> {
    look_with(app, name, BTreeMap::new(), VerificationMode::Full).await
}

/// A look with trusted positions.
pub async fn look_with(
    app: &TestApp,
    name: &str,
    trusted: BTreeMap<uuid::Uuid, TrustedLog>,
    mode: VerificationMode,
) -> Vec<Look> {
    looker(app, trusted, mode).tenant(&TenantId::trusted(name)).await.expect("a look")
}

pub fn looker(app: &TestApp, trusted: BTreeMap<uuid::Uuid, TrustedLog>, mode: VerificationMode) -> Looker {
    let clock: Arc<TestClock> = Arc::clone(&app.clock);
    Looker { store: app.store.clone(), clock, trusted, mode, originals: Vec::new(), progress: unwatched() }
}

/// What makes logs INVALID.
pub fn anomalies(looks: &[Look]) -> Vec<Anomaly> {
    looks.iter().flat_map(|look| &look.findings).filter(|finding| !finding.is_warning).cloned().collect()
}

/// What was found in a tenant's logs.
pub async fn found(app: &TestApp, name: &str) -> Vec<Anomaly> {
    let looks = look(app, name).await;
    let found = anomalies(&looks);
    let is_invalid = looks.iter().any(|look| look.verification.status == VerificationStatus::Invalid);
    assert_eq!(is_invalid, !found.is_empty(), "status and findings agree");
    found
}

/// Whether a kind of finding is among them, at a place.
pub fn has(found: &[Anomaly], kind: AnomalyKind, seq: i64) -> bool {
    found.iter().any(|one| one.kind == kind && one.seq == Some(seq))
}
