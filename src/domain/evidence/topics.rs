//! The metadata of incident evidence, policy activations, exports and of the answers that are made of several records.

use super::{EvidenceMetadata, origin};
use crate::domain::export::LogExport;
use crate::domain::ids::{IdKind, TraceId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::policy::PolicyActivation;
use crate::domain::replay::{Inflection, ReplayEvents, ReplayRecord};
use crate::domain::run::{LlmRun, Stored};
use crate::domain::vocabulary::{ActorType, Origin, SourceDomain};

impl EvidenceMetadata {
    /// Nothing but what every record of the ledger has.
    fn of_stored<T>(record: &Stored<T>, source_domain: SourceDomain) -> Self {
        Self {
            tenant_id: record.tenant_id.clone(),
            run_id: None,
            human_actor_id: None,
            agent_id: None,
            system_id: None,
            occurred_at: None,
            recorded_at: Some(record.created_at),
            trace_id: None,
            policy_ids: Vec::new(),
            incident_ids: Vec::new(),
            export_id: None,
            correlation_id: None,
            source_domain,
            source_component: None,
            origin: Origin::System,
            is_immutable: true,
            sequence: Some(record.seq),
            record_id: Some(record.id),
        }
    }

    /// The metadata of incident evidence. It happened when the policy was violated, else when the incident was opened.
    #[must_use]
    pub fn of_incident(evidence: &Stored<IncidentEvidence>) -> Self {
        Self {
            run_id: evidence.source_run_id.clone(),
            occurred_at: Some(evidence.violation_at.unwrap_or(evidence.opened_at)),
            policy_ids: evidence.policy_id.iter().cloned().collect(),
            incident_ids: vec![evidence.incident_id.clone()],
            correlation_id: evidence.correlation_id.clone(),
            source_component: Some(evidence.source_component.clone()),
            ..Self::of_stored(evidence, SourceDomain::Incidents)
        }
    }

    /// The metadata of a policy activation.
    #[must_use]
    pub fn of_activation(activation: &Stored<PolicyActivation>) -> Self {
        let actor = |wanted| if activation.actor_type == Some(wanted) { activation.actor_id.clone() } else { None };
        let is = |wanted| activation.actor_type == Some(wanted);
        Self {
            human_actor_id: actor(ActorType::Human),
            agent_id: actor(ActorType::Agent),
            system_id: actor(ActorType::System),
            occurred_at: Some(activation.activated_at),
            trace_id: activation.loop_trace_id.as_deref().map(TraceId::trusted),
            policy_ids: vec![activation.policy_id.clone()],
            source_component: Some(activation.source_component.clone()),
            origin: origin(is(ActorType::Human), is(ActorType::Agent)),
            ..Self::of_stored(activation, SourceDomain::Policy)
        }
    }

    /// The metadata of an export. It happened when it was done, which is when it was recorded.
    #[must_use]
    pub fn of_export(export: &Stored<LogExport>) -> Self {
        let by = |wanted: Origin| (export.origin == wanted).then(|| export.requested_by.clone());
        Self {
            run_id: export.run_id.clone(),
            human_actor_id: by(Origin::Human),
            agent_id: by(Origin::Agent),
            system_id: by(Origin::System),
            occurred_at: Some(export.created_at),
            incident_ids: export.incident_id.iter().cloned().collect(),
            export_id: Some(export.id.typed(IdKind::Export)),
            correlation_id: export.correlation_id.clone(),
            source_component: Some(export.source_component.clone()),
            origin: export.origin,
            ..Self::of_stored(export, SourceDomain::Logs)
        }
    }

    /// The metadata of a run's replay: the run's, at the inflection. Records that come later may belong to the window, so
    /// it is not immutable, and it is no record, so it has no place in the log.
    #[must_use]
    pub fn of_replay(
        run: &Stored<LlmRun>,
        inflection: Inflection,
        events: &ReplayEvents,
        incident_ids: &[String],
    ) -> Self {
        let of_entry = |event: &ReplayRecord| match event {
            ReplayRecord::Policy(entry) => entry.policy_id.clone(),
            _ => None,
        };
        Self {
            occurred_at: Some(inflection.at),
            policy_ids: sorted(events.events.iter().filter_map(of_entry)),
            incident_ids: sorted(incident_ids.iter().cloned()),
            source_component: None,
            is_immutable: false,
            sequence: None,
            record_id: None,
            ..Self::of_run(run)
        }
    }

    /// The metadata of what can be said about exports of a run: the run's, and the newest export. Null times where nothing
    /// was exported.
    #[must_use]
    pub fn of_run_export(run: &Stored<LlmRun>, exports: &[Stored<LogExport>]) -> Self {
        let newest = exports.first();
        Self {
            occurred_at: newest.map(|export| export.created_at),
            recorded_at: newest.map(|export| export.created_at),
            incident_ids: sorted(exports.iter().filter_map(|export| export.incident_id.clone())),
            export_id: newest.map(|export| export.id.typed(IdKind::Export)),
            source_domain: SourceDomain::Logs,
            source_component: newest.map(|export| export.source_component.clone()),
            is_immutable: false,
            sequence: newest.map(|export| export.seq),
            record_id: newest.map(|export| export.id),
            ..Self::of_run(run)
        }
    }
}

/// In bytewise order, without repeats.
fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}
