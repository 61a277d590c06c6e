//! Records around runs: system records, governance entries, incidents, activations, exports; and how to write them.

use runledger::clock::Clock;
use runledger::domain::append::{AppendUnit, Appended, New};
use runledger::domain::audit::AuditEntry;
use runledger::domain::export::LogExport;
use runledger::domain::incident::IncidentEvidence;
use runledger::domain::record::NewRecord;
use runledger::domain::system::SystemRecord;
use runledger::domain::time::Timestamp;
use runledger::domain::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExportFormat, ExportScope, ExportStatus, IncidentSeverity,
    Origin, SystemComponent, SystemEventType, SystemSeverity,
};

use super::app::TestApp;
use super::seed::{all_new, at, digest, run_id, tenant};

/// A record without payloads, with an id of the test clock.
pub fn new<T>(app: &TestApp, record: T) -> Box<New<T>> {
    Box::new(New { id: app.clock.new_id(), record, payloads: Vec::new() })
}

/// Appends records to a tenant's evidence log; all must be new.
pub async fn append(app: &TestApp, of: &str, records: Vec<NewRecord>) -> Vec<Appended> {
    let unit = AppendUnit::evidence(tenant(of), records);
    all_new(app.store.append(unit).await.expect("appends"))
}

/// A deploy.
pub fn system(occurred_at: Timestamp) -> SystemRecord {
    SystemRecord {
        component: SystemComponent::Api,
        event_type: SystemEventType::Deploy,
        severity: SystemSeverity::Info,
        summary: "a deploy".to_owned(),
        caused_by: None,
        actor_type: None,
        actor_id: None,
        correlation_id: None,
        service_name: None,
        service_instance_id: None,
        source_component: "test".to_owned(),
        occurred_at,
        details_commitment: None,
    }
}

/// A governance entry of a run, or of none.
pub fn governance(occurred_at: Timestamp, run: Option<&str>, action: Option<AuditAction>) -> AuditEntry {
    AuditEntry {
        category: AuditCategory::Governance,
        event_type: "PolicyEvaluated".to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: "rule".to_owned(),
        actor_type: ActorType::System,
        actor_id: None,
        verdict: None,
        action,
        policy_id: Some("policy".to_owned()),
        rule_id: None,
        run_id: run.map(run_id),
        correlation_id: None,
        source_component: "test".to_owned(),
        occurred_at,
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    }
}

/// An open incident of a run, without a decisive moment.
pub fn incident(name: &str, run: Option<&str>) -> IncidentEvidence {
    IncidentEvidence {
        incident_id: name.to_owned(),
        revision: 1,
        severity: IncidentSeverity::High,
        status: "OPEN".to_owned(),
        title: "an incident".to_owned(),
        source_run_id: run.map(run_id),
        policy_id: None,
        violation_type: None,
        violation_at: None,
        violation_step_index: None,
        threshold: None,
        actual: None,
        inflection_at: None,
        inflection_step_index: None,
        opened_at: at(0),
        resolved_at: None,
        correlation_id: None,
        source_component: "test".to_owned(),
    }
}

/// An export of a run; a finished one has a checksum.
pub fn export(run: &str, format: ExportFormat, status: ExportStatus) -> LogExport {
    let is_finished = status == ExportStatus::Completed;
    LogExport {
        scope: ExportScope::LlmRun,
        run_id: Some(run_id(run)),
        incident_id: None,
        format,
        filter: "{}".to_owned(),
        requested_by: "jo".to_owned(),
        origin: Origin::Human,
        source_component: "export".to_owned(),
        correlation_id: None,
        record_count: 3,
        byte_count: 1_024,
        checksum: is_finished.then(|| digest(format as u8)),
        checkpoint_sizes: "{}".to_owned(),
        manifest_hash: None,
        status,
    }
}

/// Calls a mutation that takes `<Name>Input`; its payload, or `{ errors }`.
pub async fn call(app: &TestApp, mutation: &str, input: serde_json::Value, selection: &str) -> serde_json::Value {
    let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!("mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {selection} }} }}");
    let mut answer = app.raw_query(&query, serde_json::json!({ "input": input })).await;
    match answer.get("errors") {
        None => answer["data"][mutation].take(),
        Some(errors) => serde_json::json!({ "errors": errors }),
    }
}

/// The code of an answer's first error.
pub fn code(answer: &serde_json::Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}
