use proptest::prelude::*;

use super::*;
use crate::domain::samples::{self, stored};
use crate::domain::vocabulary::{
    ActorType, AuditAction, AuditEntityType, IncidentSeverity, RecordSource, StepStatus, SystemComponent,
    SystemEventType, SystemSeverity,
};

const SECOND: i64 = MICROS_PER_SECOND;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros_clamped(micros)
}

fn run(completed_at: Option<i64>) -> LlmRun {
    LlmRun {
        trace_id: Some(TraceId::trusted("trace")),
        started_at: at(7),
        completed_at: completed_at.map(at),
        source: RecordSource::Api,
        ..samples::run()
    }
}

fn step(id: u128, start: i64, duration_us: i64) -> ReplayRecord {
    ReplayRecord::Step(Arc::new(ReplayStep {
        id: RecordId(uuid::Uuid::from_u128(id)),
        step_index: 0,
        skill_name: "s".to_owned(),
        status: StepStatus::Success,
        started_at: at(start),
        duration_us,
    }))
}

fn system(id: u128, occurred_at: i64) -> ReplayRecord {
    let record = SystemRecord {
        component: SystemComponent::Api,
        event_type: SystemEventType::Deploy,
        severity: SystemSeverity::Info,
        summary: "s".to_owned(),
        caused_by: None,
        actor_type: None,
        actor_id: None,
        correlation_id: None,
        service_name: None,
        service_instance_id: None,
        source_component: "graphql".to_owned(),
        occurred_at: at(occurred_at),
        details_commitment: None,
    };
    ReplayRecord::System(Arc::new(stored(id, 0, record)))
}

fn policy(id: u128, occurred_at: i64, run_id: Option<&str>, category: AuditCategory) -> ReplayRecord {
    let record = AuditEntry {
        category,
        event_type: "PolicyEvaluated".to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: "p".to_owned(),
        actor_type: ActorType::System,
        actor_id: None,
        verdict: None,
        action: Some(AuditAction::Blocked),
        policy_id: None,
        rule_id: None,
        run_id: run_id.map(RunId::trusted),
        correlation_id: None,
        source_component: "graphql".to_owned(),
        occurred_at: at(occurred_at),
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    };
    ReplayRecord::Policy(Arc::new(stored(id, 0, record)))
}

fn incident(
    seq: i64,
    violation: (Option<i64>, Option<i64>),
    inflection: (Option<i64>, Option<i64>),
) -> Stored<IncidentEvidence> {
    let record = IncidentEvidence {
        incident_id: format!("i{seq}"),
        revision: 1,
        severity: IncidentSeverity::High,
        status: "OPEN".to_owned(),
        title: "t".to_owned(),
        source_run_id: Some(RunId::trusted("r")),
        policy_id: None,
        violation_type: None,
        violation_at: violation.0.map(at),
        violation_step_index: violation.1,
        threshold: None,
        actual: None,
        inflection_at: inflection.0.map(at),
        inflection_step_index: inflection.1,
        opened_at: at(0),
        resolved_at: None,
        correlation_id: None,
        source_component: "graphql".to_owned(),
    };
    stored(9, seq, record)
}

#[test]
fn the_first_rule_that_applies_decides_and_is_named() {
    let candidate = |micros, seq| Some(Candidate { at: at(micros), seq });
    let mut facts =
        InflectionFacts { blocked: candidate(40, 3), failed: candidate(30, 4), ..InflectionFacts::default() };
    facts.step_ends.insert(2, at(60));
    let decided = |run: &LlmRun, incidents: &[Stored<IncidentEvidence>], facts: &InflectionFacts| {
        let found = inflection(run, incidents, facts);
        (found.rule, found.at.as_micros())
    };
    let (done, none) = (run(Some(10)), InflectionFacts::default());
    let by_instant = incident(2, (Some(55), Some(2)), (Some(1), None));
    let by_step = incident(1, (None, Some(2)), (Some(1), None));
    assert_eq!(decided(&done, &[by_instant.clone(), by_step.clone()], &facts), (InflectionRule::Violation, 55));
    assert_eq!(decided(&done, std::slice::from_ref(&by_step), &facts), (InflectionRule::Violation, 60));
    assert_eq!(
        decided(&done, &[by_step], &none),
        (InflectionRule::Incident, 1),
        "a step that is not there says nothing"
    );
    assert_eq!(decided(&done, &[incident(1, (None, None), (None, Some(2)))], &facts), (InflectionRule::Incident, 60));
    assert_eq!(decided(&done, &[incident(1, (None, None), (None, None))], &facts), (InflectionRule::Governance, 40));
    facts.blocked = None;
    assert_eq!(decided(&done, &[], &facts), (InflectionRule::FailedStep, 30));
    assert_eq!(decided(&done, &[], &none), (InflectionRule::Completion, 10));
    assert_eq!(decided(&run(None), &[], &none), (InflectionRule::Start, 7));
}

#[test]
fn windows_are_half_open_and_bounded() {
    let window = Window::around(at(100 * SECOND), 60).expect("valid");
    assert_eq!((window.from_us, window.to_us), (70 * SECOND, 130 * SECOND));
    assert!(window.holds(at(70 * SECOND)) && !window.holds(at(130 * SECOND)) && !window.holds(at(70 * SECOND - 1)));
    assert_eq!(Window::around(at(0), 1).expect("odd"), Window { from_us: -500_000, to_us: 500_000 });
    assert!(Window::around(Timestamp::MAX, 1).expect("the end of time").holds(Timestamp::MAX));
    for wrong in [0, -1, WINDOW_SECONDS_MAX + 1, i64::MAX] {
        assert!(Window::around(at(0), wrong).is_err(), "{wrong}");
    }
}

#[test]
fn work_overlaps_unless_it_only_touches() {
    let window = Window { from_us: 10, to_us: 20 };
    for (start, duration, is_inside) in [
        (0, 10, false), // ends where the window begins
        (0, 11, true),
        (0, 100, true), // spans it
        (10, 0, true),  // an instant at its beginning
        (19, 0, true),
        (20, 0, false), // an instant at its end
        (20, 5, false),
        (9, 0, false),
        (9, 1, false),
        (9, 2, true),
    ] {
        assert_eq!(window.overlaps(at(start), duration), is_inside, "{start} + {duration}");
    }
}

#[test]
fn a_crowded_window_is_cut_and_says_so() {
    let window = Window { from_us: 0, to_us: 10_000 };
    let many = |count: u128| (0..count).map(|id| system(id, i64::try_from(id).expect("small")));
    let whole = merge(window, &run(None), many(1_000));
    assert_eq!((whole.events.len(), whole.is_truncated), (1_000, false));
    let cut = merge(window, &run(None), many(1_001));
    assert_eq!((cut.events.len(), cut.is_truncated), (1_000, true));
    assert_eq!(cut.events, whole.events, "the first ones stay");
}

/// The same by another way: microsecond by microsecond, source by source.
fn naive(window: Window, records: &[ReplayRecord]) -> Vec<ReplayRecord> {
    let mut events = Vec::new();
    let begin = records.iter().map(|record| record.at().as_micros()).min().unwrap_or(0);
    let touched = |start: i64, duration: i64| {
        let instants = start..start + duration.max(1);
        (window.from_us..window.to_us).any(|instant| instants.contains(&instant))
    };
    for instant in begin..window.to_us {
        for source in ["step", "system", "policy"] {
            let mut here: Vec<&ReplayRecord> = records
                .iter()
                .filter(|record| match (record, source) {
                    (ReplayRecord::Step(step), "step") => {
                        step.started_at.as_micros() == instant && touched(instant, step.duration_us)
                    }
                    (ReplayRecord::System(record), "system") => {
                        record.occurred_at.as_micros() == instant && touched(instant, 0)
                    }
                    (ReplayRecord::Policy(entry), "policy") => {
                        let names = entry.run_id.as_ref().map(RunId::as_str);
                        entry.occurred_at.as_micros() == instant
                            && touched(instant, 0)
                            && matches!(names, None | Some("r" | "trace"))
                            && entry.category == AuditCategory::Governance
                    }
                    _ => false,
                })
                .collect();
            here.sort_by_key(|record| record.id().0.as_u128());
            events.extend(here.into_iter().cloned());
        }
    }
    events
}

fn any_record() -> impl Strategy<Value = ReplayRecord> {
    let run_id = prop_oneof![Just(None), Just(Some("r")), Just(Some("trace")), Just(Some("other"))];
    let category = prop_oneof![Just(AuditCategory::Governance), Just(AuditCategory::Identity)];
    prop_oneof![
        (0..8_u128, -30..60_i64, prop_oneof![Just(0), 1..50_i64]).prop_map(|(id, start, took)| step(id, start, took)),
        (0..8_u128, -30..60_i64).prop_map(|(id, instant)| system(id, instant)),
        (0..8_u128, -30..60_i64, run_id, category).prop_map(|(id, instant, run, of)| policy(id, instant, run, of)),
    ]
}

proptest! {
    #[test]
    fn the_merge_agrees_with_a_naive_one(
        records in prop::collection::vec(any_record(), 0..40),
        from_us in -20..40_i64,
        width in 1..40_i64,
    ) {
        let window = Window { from_us, to_us: from_us + width };
        let mut records = records;
        let key = |record: &ReplayRecord| (record.source(), record.id());
        records.sort_by_key(key);
        records.dedup_by_key(|record| key(record));
        let merged = merge(window, &run(None), records.clone());
        prop_assert_eq!(&merged.events, &naive(window, &records));
        prop_assert!(!merged.is_truncated);
        let reversed = merge(window, &run(None), records.into_iter().rev());
        prop_assert_eq!(merged, reversed, "the order of reading does not matter");
    }

    #[test]
    fn the_first_of_several_incidents_is_the_smallest_by_instant_then_seq(
        said in prop::collection::vec((prop::option::of(0..5_i64), prop::option::of(0..4_i64)), 0..6),
        ends in prop::collection::btree_map(0..4_i64, 0..5_i64, 0..4),
    ) {
        let facts = InflectionFacts {
            step_ends: ends.iter().map(|(index, end)| (*index, at(*end))).collect(),
            ..InflectionFacts::default()
        };
        let incidents: Vec<_> = (0..).zip(&said).map(|(seq, said)| incident(seq, *said, (None, None))).collect();
        let expected = said.iter().filter_map(|(instant, index)| {
            instant.or_else(|| index.and_then(|index| ends.get(&index).copied()))
        }).min();
        let found = inflection(&run(Some(99)), &incidents, &facts);
        prop_assert_eq!(found.at.as_micros(), expected.unwrap_or(99));
        prop_assert_eq!(found.rule == InflectionRule::Violation, expected.is_some());
    }
}
