//! Audit entries and exports to write, made from as few words as a test needs.

use std::sync::Arc;

use runledger::clock::Clock;
use runledger::domain::append::{AppendUnit, New};
use runledger::domain::audit::AuditEntry;
use runledger::domain::export::LogExport;
use runledger::domain::ids::RecordId;
use runledger::domain::payload::PayloadPart;
use runledger::domain::record::NewRecord;
use runledger::domain::vocabulary::{
    ActorType, AuditCategory, AuditEntityType, ExportFormat, ExportScope, ExportStatus, Origin, Stream,
};
use runledger::ledger::commitment::payload;
use runledger::store::Store;

use super::db::TestClock;
use super::seed::{all_new, at, digest, tenant};

/// An entry with nothing optional in it.
pub fn entry(category: AuditCategory, event_type: &str) -> AuditEntry {
    AuditEntry {
        category,
        event_type: event_type.to_owned(),
        entity_type: AuditEntityType::Principal,
        entity_id: "entity".to_owned(),
        actor_type: ActorType::System,
        actor_id: None,
        verdict: None,
        action: None,
        policy_id: None,
        rule_id: None,
        run_id: None,
        correlation_id: None,
        source_component: "server".to_owned(),
        occurred_at: at(0),
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    }
}

/// An export of everything.
pub fn export(requested_by: &str) -> LogExport {
    LogExport {
        scope: ExportScope::Audit,
        run_id: None,
        incident_id: None,
        format: ExportFormat::Ndjson,
        filter: "{}".to_owned(),
        requested_by: requested_by.to_owned(),
        origin: Origin::Human,
        source_component: "export".to_owned(),
        correlation_id: None,
        record_count: 3,
        byte_count: 300,
        checksum: Some(digest(9)),
        checkpoint_sizes: "{}".to_owned(),
        manifest_hash: None,
        status: ExportStatus::Completed,
    }
}

/// Writes entries as the server itself does, each to the log of its category; an after state goes with the first.
pub async fn write(
    store: &Store,
    clock: &Arc<TestClock>,
    tenant_name: &str,
    entries: Vec<AuditEntry>,
    after: Option<&str>,
) -> Vec<RecordId> {
    let mut written = Vec::new();
    for stream in [Stream::Evidence, Stream::Access] {
        let of_stream = entries.iter().filter(|entry| AuditEntry::stream(entry.category) == stream);
        let records: Vec<_> = of_stream
            .enumerate()
            .map(|(place, entry)| {
                let state = after.filter(|_| place == 0);
                let payloads: Vec<_> = state
                    .map(|text| payload(PayloadPart::AfterState, clock.entropy().expect("entropy"), text.to_owned()))
                    .into_iter()
                    .collect();
                let after_state_commitment = payloads.first().map(|payload| payload.commitment);
                let record = AuditEntry { after_state_commitment, ..entry.clone() };
                NewRecord::Audit(Box::new(New { id: clock.new_id(), record, payloads }), None)
            })
            .collect();
        if !records.is_empty() {
            let unit = AppendUnit { stream, ..AppendUnit::evidence(tenant(tenant_name), records) };
            written.extend(all_new(store.append(unit).await.expect("written")).iter().map(|new| new.id));
        }
    }
    written
}

/// Writes the record of an export.
pub async fn write_export(store: &Store, clock: &Arc<TestClock>, tenant_name: &str, export: LogExport) -> RecordId {
    let new = New { id: clock.new_id(), record: export, payloads: Vec::new() };
    let unit = AppendUnit::evidence(tenant(tenant_name), vec![NewRecord::Export(Box::new(new))]);
    all_new(store.append(unit).await.expect("written"))[0].id
}
