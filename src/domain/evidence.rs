//! Evidence metadata: who, what, when and from where, filled from the records and never from the clock.

use super::audit::{AuditEntry, GovernanceSummary, NAMES_SHOWN};
use super::export::LogExport;
mod topics;

use super::ids::{RecordId, RunId, TenantId, TraceId};
use super::run::{LlmRun, Stored};
use super::system::StoredSystemRecord;
use super::time::Timestamp;
use super::trace::TraceView;
use super::vocabulary::{
    ActorType, AuditCategory, AuditEntityType, Origin, RecordSource, SourceDomain, SystemCausedBy,
};

/// The only timezone there is.
pub const TIMEZONE: &str = "UTC";

/// The metadata of one answer. Whatever the records do not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceMetadata {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The run.
    pub run_id: Option<RunId>,
    /// The person who acted.
    pub human_actor_id: Option<String>,
    /// The agent that acted.
    pub agent_id: Option<String>,
    /// The program that acted.
    pub system_id: Option<String>,
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
    /// When it was recorded.
    pub recorded_at: Option<Timestamp>,
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// Policies that are named.
    pub policy_ids: Vec<String>,
    /// Incidents that are named.
    pub incident_ids: Vec<String>,
    /// The export.
    pub export_id: Option<String>,
    /// The caller's own id for cross-reference.
    pub correlation_id: Option<String>,
    /// The part of the domain.
    pub source_domain: SourceDomain,
    /// The writer: `otlp`, `graphql`, `server`.
    pub source_component: Option<String>,
    /// What kind of actor stands behind it.
    pub origin: Origin,
    /// Whether it can never change.
    pub is_immutable: bool,
    /// Its place in the log.
    pub sequence: Option<i64>,
    /// The record whose leaf hash is the checksum; read only when that is asked for.
    pub record_id: Option<RecordId>,
}

impl EvidenceMetadata {
    /// The metadata of a run.
    #[must_use]
    pub fn of_run(run: &Stored<LlmRun>) -> Self {
        let actor = |wanted| if run.actor_type == Some(wanted) { run.actor_id.clone() } else { None };
        let human = actor(ActorType::Human);
        let agent = actor(ActorType::Agent).or_else(|| run.agent_id.clone());
        let system = actor(ActorType::System).or_else(|| run.service_name.clone());
        Self {
            tenant_id: run.tenant_id.clone(),
            run_id: Some(run.run_id.clone()),
            origin: origin(human.is_some(), agent.is_some()),
            human_actor_id: human,
            agent_id: agent,
            system_id: system,
            occurred_at: Some(run.started_at),
            recorded_at: Some(run.created_at),
            trace_id: run.trace_id.clone(),
            policy_ids: Vec::new(),
            incident_ids: Vec::new(),
            export_id: None,
            correlation_id: run.correlation_id.clone(),
            source_domain: SourceDomain::Activity,
            source_component: Some(component(run.source).to_owned()),
            is_immutable: true,
            sequence: Some(run.seq),
            record_id: Some(run.id),
        }
    }

    /// The metadata of a trace: of its seal where it has one, else of its beginning.
    #[must_use]
    pub fn of_trace(view: &TraceView) -> Self {
        let trace = &view.trace;
        Self {
            tenant_id: trace.tenant_id.clone(),
            run_id: Some(trace.run_id.clone()),
            human_actor_id: None,
            agent_id: trace.agent_id.clone(),
            system_id: trace.service_name.clone(),
            occurred_at: Some(trace.started_at),
            recorded_at: Some(view.seal.as_ref().map_or(trace.created_at, |seal| seal.created_at)),
            trace_id: Some(trace.trace_id.clone()),
            policy_ids: Vec::new(),
            incident_ids: Vec::new(),
            export_id: None,
            correlation_id: trace.correlation_id.clone(),
            source_domain: SourceDomain::Activity,
            source_component: None,
            origin: if trace.replay_mode.is_some() { Origin::Replay } else { origin(false, trace.agent_id.is_some()) },
            is_immutable: view.seal.is_some(),
            sequence: Some(view.seal.as_ref().map_or(trace.seq, |seal| seal.seq)),
            record_id: Some(view.seal.as_ref().map_or(trace.id, |seal| seal.id)),
        }
    }

    /// The metadata of an audit entry.
    #[must_use]
    pub fn of_audit_entry(entry: &Stored<AuditEntry>) -> Self {
        let actor = |wanted| if entry.actor_type == wanted { entry.actor_id.clone() } else { None };
        let entity = |wanted| (entry.entity_type == wanted).then(|| entry.entity_id.clone());
        Self {
            tenant_id: entry.tenant_id.clone(),
            run_id: entry.run_id.clone(),
            human_actor_id: actor(ActorType::Human),
            agent_id: actor(ActorType::Agent),
            system_id: actor(ActorType::System),
            occurred_at: Some(entry.occurred_at),
            recorded_at: Some(entry.created_at),
            trace_id: trace_of(entry),
            policy_ids: entry.policy_id.iter().cloned().collect(),
            incident_ids: entity(AuditEntityType::Incident).into_iter().collect(),
            export_id: entity(AuditEntityType::LogExport),
            correlation_id: entry.correlation_id.clone(),
            source_domain: match (entry.category, entry.entity_type) {
                (_, AuditEntityType::Incident) => SourceDomain::Incidents,
                (AuditCategory::Governance, _) => SourceDomain::Policy,
                _ => SourceDomain::Logs,
            },
            source_component: Some(entry.source_component.clone()),
            // The kind of actor is always known, even where its name is not.
            origin: origin(entry.actor_type == ActorType::Human, entry.actor_type == ActorType::Agent),
            is_immutable: true,
            sequence: Some(entry.seq),
            record_id: Some(entry.id),
        }
    }

    /// The metadata of a run's governance: the run's actors, the times and names of the entries.
    #[must_use]
    pub fn of_governance(run: &Stored<LlmRun>, summary: &GovernanceSummary) -> Self {
        Self {
            occurred_at: summary.first_occurred_at,
            recorded_at: summary.newest_recorded_at,
            policy_ids: summary.policy_ids.iter().take(NAMES_SHOWN).cloned().collect(),
            incident_ids: summary.incident_ids.iter().take(NAMES_SHOWN).cloned().collect(),
            source_domain: SourceDomain::Policy,
            // Several writers may stand behind the entries.
            source_component: None,
            sequence: summary.newest_seq,
            record_id: None,
            ..Self::of_run(run)
        }
    }

    /// The metadata of a list of audit entries: when its newest entry happened and was recorded; nothing of an empty one.
    #[must_use]
    pub fn of_audit_list(tenant_id: &TenantId, newest: Option<&Stored<AuditEntry>>) -> Self {
        Self {
            occurred_at: newest.map(|entry| entry.occurred_at),
            sequence: newest.map(|entry| entry.seq),
            record_id: newest.map(|entry| entry.id),
            ..Self::of_list(tenant_id, newest.map(|entry| entry.created_at))
        }
    }

    /// The metadata of what is known of the logs' integrity.
    #[must_use]
    pub fn of_integrity(tenant_id: &TenantId, last_verified: Option<Timestamp>) -> Self {
        Self {
            occurred_at: last_verified,
            source_component: last_verified.map(|_| "verifier".to_owned()),
            ..Self::of_list(tenant_id, last_verified)
        }
    }

    /// The metadata of a list of exports.
    #[must_use]
    pub fn of_export_list(tenant_id: &TenantId, newest: Option<&Stored<LogExport>>) -> Self {
        Self {
            occurred_at: newest.map(|export| export.created_at),
            sequence: newest.map(|export| export.seq),
            record_id: newest.map(|export| export.id),
            ..Self::of_list(tenant_id, newest.map(|export| export.created_at))
        }
    }

    /// Who acted differs from row to row, so that the list itself names nobody.
    fn of_list(tenant_id: &TenantId, recorded_at: Option<Timestamp>) -> Self {
        Self {
            tenant_id: tenant_id.clone(),
            run_id: None,
            human_actor_id: None,
            agent_id: None,
            system_id: None,
            occurred_at: None,
            recorded_at,
            trace_id: None,
            policy_ids: Vec::new(),
            incident_ids: Vec::new(),
            export_id: None,
            correlation_id: None,
            source_domain: SourceDomain::Logs,
            source_component: None,
            origin: Origin::System,
            is_immutable: true,
            sequence: None,
            record_id: None,
        }
    }

    /// The metadata of a system record; seen from a run, with that run.
    #[must_use]
    pub fn of_system_record(record: &StoredSystemRecord, run: Option<&Stored<LlmRun>>) -> Self {
        let actor = |wanted| if record.actor_type == Some(wanted) { record.actor_id.clone() } else { None };
        let is_human = record.actor_type == Some(ActorType::Human) || record.caused_by == Some(SystemCausedBy::Human);
        Self {
            tenant_id: record.tenant_id.clone(),
            human_actor_id: actor(ActorType::Human),
            agent_id: actor(ActorType::Agent),
            system_id: actor(ActorType::System).or_else(|| record.service_name.clone()),
            occurred_at: Some(record.occurred_at),
            recorded_at: Some(record.created_at),
            correlation_id: record.correlation_id.clone(),
            source_component: Some(record.source_component.clone()),
            origin: origin(is_human, record.actor_type == Some(ActorType::Agent)),
            is_immutable: true,
            sequence: Some(record.seq),
            record_id: Some(record.id),
            ..Self::of_system_answer(&record.tenant_id, run, &[])
        }
    }

    /// The metadata of an answer made of system records: its times are the newest of theirs. It may grow, so it is not
    /// immutable.
    #[must_use]
    pub fn of_system_answer(tenant: &TenantId, run: Option<&Stored<LlmRun>>, records: &[StoredSystemRecord]) -> Self {
        Self {
            tenant_id: tenant.clone(),
            run_id: run.map(|run| run.run_id.clone()),
            human_actor_id: None,
            agent_id: None,
            system_id: None,
            occurred_at: records.iter().map(|record| record.occurred_at).max(),
            recorded_at: records.iter().map(|record| record.created_at).max(),
            trace_id: run.and_then(|run| run.trace_id.clone()),
            policy_ids: Vec::new(),
            incident_ids: Vec::new(),
            export_id: None,
            correlation_id: None,
            source_domain: SourceDomain::System,
            source_component: None,
            origin: Origin::System,
            is_immutable: false,
            sequence: None,
            record_id: None,
        }
    }
}

/// Entries that were made of spans carry the trace's id for cross-reference.
fn trace_of(entry: &AuditEntry) -> Option<TraceId> {
    let trace_id = entry.correlation_id.as_deref().filter(|_| entry.source_component == "otlp")?;
    TraceId::parse(trace_id).ok()
}

/// The writer's name for a source.
const fn component(source: RecordSource) -> &'static str {
    match source {
        RecordSource::Otlp => "otlp",
        RecordSource::Api | RecordSource::Sdk | RecordSource::Synthetic | RecordSource::Worker => "graphql",
        RecordSource::System => "server",
    }
}

/// Precedence: human, then agent, then system.
const fn origin(has_human: bool, has_agent: bool) -> Origin {
    if has_human {
        Origin::Human
    } else if has_agent {
        Origin::Agent
    } else {
        Origin::System
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::RecordId;

    fn entry(actor_type: ActorType, actor_id: Option<&str>, entity_type: AuditEntityType) -> Stored<AuditEntry> {
        let record = AuditEntry {
            category: AuditCategory::Governance,
            event_type: "PolicyEvaluated".to_owned(),
            entity_type,
            entity_id: "e".to_owned(),
            actor_type,
            actor_id: actor_id.map(str::to_owned),
            verdict: None,
            action: None,
            policy_id: Some("p".to_owned()),
            rule_id: None,
            run_id: None,
            correlation_id: Some("t".to_owned()),
            source_component: "otlp".to_owned(),
            occurred_at: Timestamp::from_micros_clamped(1),
            action_reason_commitment: None,
            before_state_commitment: None,
            after_state_commitment: None,
        };
        let (tenant_id, created_at) = (TenantId::trusted("t"), Timestamp::from_micros_clamped(2));
        Stored { id: RecordId(Uuid::from_u128(1)), tenant_id, seq: 3, created_at, record }
    }

    #[test]
    fn an_entry_names_its_actor_policy_incident_and_trace() {
        let found = EvidenceMetadata::of_audit_entry(&entry(ActorType::Human, Some("jo"), AuditEntityType::Incident));
        assert_eq!((found.human_actor_id.as_deref(), found.origin), (Some("jo"), Origin::Human));
        assert_eq!((found.agent_id, found.system_id), (None, None));
        assert_eq!((found.policy_ids, found.incident_ids), (vec!["p".to_owned()], vec!["e".to_owned()]));
        assert_eq!(found.trace_id, Some(TraceId::trusted("t")));
        assert_eq!(found.source_domain, SourceDomain::Incidents);
        let found = EvidenceMetadata::of_audit_entry(&entry(ActorType::Agent, None, AuditEntityType::PolicyRule));
        assert_eq!((found.agent_id, found.origin, found.source_domain), (None, Origin::Agent, SourceDomain::Policy));
    }

    #[test]
    fn an_empty_list_has_no_times() {
        let found = EvidenceMetadata::of_audit_list(&TenantId::trusted("t"), None);
        assert_eq!((found.occurred_at, found.recorded_at, found.sequence), (None, None, None));
    }
}
