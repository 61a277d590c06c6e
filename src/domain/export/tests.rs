use super::*;
use crate::domain::ids::TraceId;
use crate::domain::samples::{run, stored};
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceSeal};
use crate::domain::vocabulary::{ExecutionStatus, IncidentSeverity};

fn trace(steps: i64, sealed: Option<i64>) -> TraceView {
    let trace = Trace {
        trace_id: TraceId::trusted("t"),
        run_id: RunId::trusted("r"),
        agent_id: None,
        parent_run_id: None,
        correlation_id: None,
        plan_hash: None,
        seed: None,
        frozen_at: None,
        schema_version: "1".to_owned(),
        replay_mode: None,
        is_synthetic: false,
        synthetic_scenario_id: None,
        service_name: None,
        service_instance_id: None,
        service_version: None,
        environment: None,
        started_at: Timestamp::default(),
        plan_commitment: None,
    };
    let seal = |step_count| {
        let seal = TraceSeal {
            trace_id: TraceId::trusted("t"),
            revision: 2,
            status: ExecutionStatus::Succeeded,
            reason: None,
            step_count,
            root_hash: Digest([0; 32]),
            ended_at: Timestamp::default(),
            metadata_commitment: None,
        };
        stored(0, 0, seal)
    };
    TraceView { trace: stored(0, 0, trace), seal: sealed.map(seal), step_count: steps }
}

fn incident() -> Stored<IncidentEvidence> {
    let incident = IncidentEvidence {
        incident_id: "INC-1".to_owned(),
        revision: 1,
        severity: IncidentSeverity::High,
        status: "OPEN".to_owned(),
        title: "t".to_owned(),
        source_run_id: Some(RunId::trusted("r")),
        policy_id: None,
        violation_type: None,
        violation_at: None,
        violation_step_index: None,
        threshold: None,
        actual: None,
        inflection_at: None,
        inflection_step_index: None,
        opened_at: Timestamp::default(),
        resolved_at: None,
        correlation_id: None,
        source_component: "graphql".to_owned(),
    };
    stored(0, 0, incident)
}

/// `(tag, reason)` of each.
fn tags(run: &LlmRun, trace: Option<&TraceView>, facts: &RunExportFacts) -> Vec<(ComplianceTag, String)> {
    compliance_tags(run, trace, &[], &GovernanceSummary::default(), facts)
        .into_iter()
        .map(|tag| (tag.tag, tag.reason))
        .collect()
}

fn has(tags: &[(ComplianceTag, String)], tag: ComplianceTag) -> bool {
    tags.iter().any(|(each, _)| *each == tag)
}

#[test]
fn nothing_on_record_gives_no_tag_but_that_no_content_is_stored() {
    let found = tags(&run(), None, &RunExportFacts::default());
    assert_eq!(found, [(ComplianceTag::ContentNotStored, "none of 0 steps holds message content".to_owned())]);
}

#[test]
fn each_fact_gives_its_own_tag_with_its_reason() {
    let synthetic = LlmRun {
        source: RecordSource::Otlp,
        is_synthetic: true,
        synthetic_scenario_id: Some("load".to_owned()),
        ..run()
    };
    let governance = GovernanceSummary { total: 3, enforced: 1, ..GovernanceSummary::default() };
    let facts = RunExportFacts { ledger_seq: Some(12), content_steps: 2, content_kept: 1 };
    let found = compliance_tags(&synthetic, Some(&trace(5, Some(5))), &[incident()], &governance, &facts);
    let words: Vec<String> = found.iter().map(|tag| format!("{}: {}", tag.tag.as_str(), tag.reason)).collect();
    assert_eq!(
        words,
        [
            "REDACTED_AT_INGEST: the source is OTLP, whose texts are redacted before storage",
            "TAMPER_EVIDENT: the run is entry 12 of the evidence log",
            "SEALED_TRACE: seal 2 covers all 5 steps",
            "POLICY_EVALUATED: governance entries of the run: 3",
            "POLICY_ENFORCED: governance entries that blocked or modified: 1",
            "INCIDENT_LINKED: incidents that the run caused: 1, the newest is INC-1",
            "SYNTHETIC_DATA: the run is test data of the scenario load",
            "CONTENT_STORED: steps whose message content is kept: 1",
            "CONTENT_ERASED: steps whose message content was removed: 1",
        ]
    );
}

#[test]
fn a_seal_that_does_not_cover_every_step_is_not_called_a_sealed_trace() {
    let facts = RunExportFacts::default();
    let late = tags(&run(), Some(&trace(5, Some(3))), &facts);
    assert!(has(&late, ComplianceTag::LateSteps) && !has(&late, ComplianceTag::SealedTrace), "{late:?}");
    let open = tags(&run(), Some(&trace(5, None)), &facts);
    assert!(has(&open, ComplianceTag::UnsealedTrace) && !has(&open, ComplianceTag::SealedTrace), "{open:?}");
}

#[test]
fn content_is_stored_erased_or_never_was() {
    let with = |content_steps, content_kept| {
        tags(
            &run(),
            Some(&trace(4, None)),
            &RunExportFacts { content_steps, content_kept, ..RunExportFacts::default() },
        )
    };
    assert!(has(&with(0, 0), ComplianceTag::ContentNotStored));
    assert!(has(&with(2, 2), ComplianceTag::ContentStored) && !has(&with(2, 2), ComplianceTag::ContentErased));
    assert!(has(&with(2, 0), ComplianceTag::ContentErased) && !has(&with(2, 0), ComplianceTag::ContentStored));
    assert!(!has(&with(2, 0), ComplianceTag::ContentNotStored), "it was stored once");
}
