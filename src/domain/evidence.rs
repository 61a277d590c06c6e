//! Evidence metadata: who, what, when and from where, filled from the records and never from the clock.

use super::ids::{RunId, TenantId, TraceId};
use super::run::{LlmRun, Stored};
use super::system::StoredSystemRecord;
use super::time::Timestamp;
use super::trace::TraceView;
use super::vocabulary::{ActorType, Origin, RecordSource, SourceDomain, SystemCausedBy};

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
        }
    }
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
