//! Replay: what the API answers against what the raw records come to by another way.

use std::collections::{BTreeMap, BTreeSet};

use runledger::domain::append::Appended;
use runledger::domain::audit::AuditEntry;
use runledger::domain::incident::IncidentEvidence;
use runledger::domain::record::NewRecord;
use runledger::domain::run::LlmRun;
use runledger::domain::system::SystemRecord;
use runledger::domain::time::Timestamp;
use runledger::domain::trace::TraceStep;
use runledger::domain::vocabulary::{AuditAction, AuditCategory, StepStatus};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::seed::{self, Unit, all_new, at, run, step, trace_id};
use crate::support::topics::{append, code, governance, incident, new, system};

const OURS: &str = "ours";

/// The raw records of a world, with what the ledger assigned to them.
#[derive(Default)]
pub struct World {
    runs: Vec<LlmRun>,
    steps: Vec<(Appended, TraceStep)>,
    systems: Vec<(Appended, SystemRecord)>,
    entries: Vec<(Appended, AuditEntry)>,
    incidents: Vec<(Appended, IncidentEvidence)>,
}

/// Small numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A multiple of ten seconds around the start, so that instants are often equal and often at a window's edge.
    fn instant(&mut self) -> Timestamp {
        at(i64::try_from(self.roll(24)).expect("small") * 10 - 120)
    }

    fn maybe<T>(&mut self, one_in: u64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(one_in) == 0).then(|| value(self))
    }
}

/// A trace with its steps, some of them late, some tries of others; and its run.
async fn live(app: &TestApp, dice: &mut Dice, name: &str, world: &mut World) {
    let mut record = LlmRun {
        completed_at: dice.maybe(2, Dice::instant),
        started_at: dice.instant(),
        service_name: Some("chat".to_owned()),
        ..run(name)
    };
    if dice.roll(5) > 0 {
        record.trace_id = Some(trace_id(&format!("trace-{name}")));
        let mut unit = Unit::of(OURS, &app.clock).trace(seed::trace(&format!("trace-{name}")));
        let count = dice.roll(6);
        let mut steps = Vec::new();
        let mut attempt = 0;
        for place in 0..count {
            let status = [StepStatus::Success, StepStatus::Retry, StepStatus::Success, StepStatus::Failure];
            let status = status[usize::try_from(dice.roll(4)).expect("small")];
            attempt += 1;
            let one = TraceStep {
                status,
                attempt,
                started_at: dice.instant(),
                duration_us: [0, 0, 10, 20, 100][usize::try_from(dice.roll(5)).expect("small")] * 1_000_000,
                ..step(&format!("trace-{name}"), &format!("{place}"))
            };
            // What stands behind a seal is late.
            if place == 2 {
                unit = unit.seal(seed::seal(&format!("trace-{name}"), 1));
                steps.push(None);
            }
            unit = unit.step(one.clone());
            steps.push(Some(one));
            // A further try follows only what is to be tried again.
            attempt = if status == StepStatus::Retry { attempt } else { 0 };
        }
        let assigned = all_new(app.store.append(unit.unit).await.expect("appends"));
        world
            .steps
            .extend(assigned.into_iter().skip(1).zip(steps).filter_map(|(assigned, step)| Some((assigned, step?))));
    }
    append(app, OURS, vec![NewRecord::Run(new(app, record.clone()))]).await;
    for number in 0..dice.roll(3) {
        let evidence = IncidentEvidence {
            violation_at: dice.maybe(3, Dice::instant),
            violation_step_index: dice.maybe(3, |dice| i64::try_from(dice.roll(6)).expect("small")),
            inflection_at: dice.maybe(3, Dice::instant),
            ..incident(&format!("{name}-{number}"), Some(name))
        };
        let assigned = append(app, OURS, vec![NewRecord::Incident(new(app, evidence.clone()))]).await;
        world.incidents.push((assigned[0], evidence));
    }
    for _ in 0..dice.roll(3) {
        let of = [name.to_owned(), format!("trace-{name}"), "another".to_owned()];
        let of = dice.maybe(2, |dice| of[usize::try_from(dice.roll(3)).expect("small")].clone());
        let action = dice.maybe(3, |dice| {
            [AuditAction::Blocked, AuditAction::Modified, AuditAction::Allowed]
                [usize::try_from(dice.roll(3)).expect("small")]
        });
        let mut entry = governance(dice.instant(), of.as_deref(), action);
        if dice.roll(6) == 0 {
            entry.category = AuditCategory::Identity;
        }
        let assigned = append(app, OURS, vec![NewRecord::Audit(new(app, entry.clone()), None)]).await;
        world.entries.push((assigned[0], entry));
    }
    world.runs.push(record);
}

pub async fn world(app: &TestApp, count: u64) -> World {
    let (mut dice, mut world) = (Dice(7), World::default());
    for number in 0..count {
        live(app, &mut dice, &format!("run-{number}"), &mut world).await;
        let of = ["ours", "platform", "other"][usize::try_from(dice.roll(3)).expect("small")];
        let record = system(dice.instant());
        let assigned = append(app, of, vec![NewRecord::System(new(app, record.clone()))]).await;
        if of != "other" {
            world.systems.push((assigned[0], record));
        }
    }
    world
}

impl World {
    /// How many runs there are.
    pub fn run_count(&self) -> usize {
        self.runs.len()
    }

    fn is_of(&self, run: &LlmRun, step: &TraceStep) -> bool {
        run.trace_id.as_ref() == Some(&step.trace_id)
    }

    /// (rule, instant): each rule asked in its turn, each by sorting everything that it may choose from.
    fn inflection(&self, run: &LlmRun) -> (&'static str, i64) {
        let ends: BTreeMap<i64, i64> = self
            .steps
            .iter()
            .filter(|(_, step)| self.is_of(run, step))
            .map(|(assigned, step)| {
                (assigned.step_index.expect("a step"), step.started_at.as_micros() + step.duration_us)
            })
            .collect();
        let theirs =
            || self.incidents.iter().filter(|(_, incident)| incident.source_run_id.as_ref() == Some(&run.run_id));
        let first = |mut all: Vec<(i64, i64)>| {
            all.sort_unstable();
            all.first().map(|(instant, _)| *instant)
        };
        let violation = theirs()
            .filter_map(|(assigned, incident)| {
                let by_step = incident.violation_step_index.and_then(|index| ends.get(&index).copied());
                Some((incident.violation_at.map(Timestamp::as_micros).or(by_step)?, assigned.seq))
            })
            .collect();
        let decisive = theirs()
            .filter_map(|(assigned, incident)| Some((incident.inflection_at?.as_micros(), assigned.seq)))
            .collect();
        let blocked = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                entry.category == AuditCategory::Governance
                    && matches!(entry.action, Some(AuditAction::Blocked | AuditAction::Modified))
                    && entry.run_id.as_ref().is_some_and(|of| self.names(run).contains(&of.as_str().to_owned()))
            })
            .map(|(assigned, entry)| (entry.occurred_at.as_micros(), assigned.seq))
            .collect();
        let failed = self
            .steps
            .iter()
            .filter(|(_, step)| self.is_of(run, step) && step.status == StepStatus::Failure)
            .map(|(assigned, step)| (step.started_at.as_micros() + step.duration_us, assigned.seq))
            .collect();
        let rules =
            [("VIOLATION", violation), ("INCIDENT", decisive), ("GOVERNANCE", blocked), ("FAILED_STEP", failed)];
        let decided = rules.into_iter().find_map(|(rule, candidates)| Some((rule, first(candidates)?)));
        decided
            .or(run.completed_at.map(|instant| ("COMPLETION", instant.as_micros())))
            .unwrap_or(("START", run.started_at.as_micros()))
    }

    fn names(&self, run: &LlmRun) -> Vec<String> {
        std::iter::once(run.run_id.to_string()).chain(run.trace_id.iter().map(ToString::to_string)).collect()
    }

    /// The answer that the records come to.
    fn replay(&self, run: &LlmRun, seconds: i64) -> Value {
        let (rule, instant) = self.inflection(run);
        let (from, to) = (instant - seconds * 500_000, instant + seconds * 500_000);
        let shared = |start: i64, took: i64| start.max(from) < (start + took.max(1)).min(to);
        let mut events = Vec::new();
        for (assigned, step) in self.steps.iter().filter(|(_, step)| self.is_of(run, step)) {
            let start = step.started_at.as_micros();
            if shared(start, step.duration_us) {
                let event = json!({ "source": "LLM", "timestamp": step.started_at.to_rfc3339(),
                    "stepIndex": assigned.step_index, "action": step.skill_name, "outcome": step.status.as_str() });
                events.push(((start, 0, assigned.id), event));
            }
        }
        for (assigned, record) in &self.systems {
            let start = record.occurred_at.as_micros();
            if shared(start, 0) {
                let event = json!({ "source": "SYSTEM", "timestamp": record.occurred_at.to_rfc3339(),
                    "stepIndex": null, "action": "DEPLOY", "outcome": "INFO" });
                events.push(((start, 1, assigned.id), event));
            }
        }
        for (assigned, entry) in &self.entries {
            let start = entry.occurred_at.as_micros();
            let is_theirs = entry.run_id.as_ref().is_none_or(|of| self.names(run).contains(&of.to_string()));
            if shared(start, 0) && is_theirs && entry.category == AuditCategory::Governance {
                let event = json!({ "source": "POLICY", "timestamp": entry.occurred_at.to_rfc3339(), "stepIndex": null,
                    "action": "PolicyEvaluated", "outcome": entry.action.map(AuditAction::as_str) });
                events.push(((start, 2, assigned.id), event));
            }
        }
        events.sort_by_key(|(key, _)| *key);
        let text = |micros| Timestamp::from_micros_clamped(micros).to_rfc3339();
        json!({ "runId": run.run_id.as_str(), "inflectionRule": rule, "inflectionTimestamp": text(instant),
            "windowStart": text(from), "windowEnd": text(to), "truncated": false,
            "events": events.into_iter().map(|(_, event)| event).collect::<Vec<_>>() })
    }
}

/// What makes a replay hard, as far as it is in this one.
fn hardships(world: &World, run: &LlmRun, seconds: i64, replay: &Value) -> BTreeSet<&'static str> {
    let mut met = BTreeSet::new();
    let events = replay["events"].as_array().expect("events");
    if events.is_empty() {
        met.insert("an empty window");
    }
    if events.windows(2).any(|pair| pair[0]["timestamp"] == pair[1]["timestamp"]) {
        met.insert("a tie");
    }
    let (_, instant) = world.inflection(run);
    let (from, to) = (instant - seconds * 500_000, instant + seconds * 500_000);
    for (assigned, step) in world.steps.iter().filter(|(_, step)| world.is_of(run, step)) {
        let is_shown = events.iter().any(|event| event["stepIndex"] == json!(assigned.step_index));
        let start = step.started_at.as_micros();
        let traits = [
            ("a late step", assigned.is_late),
            ("a retry", step.attempt > 1),
            ("a step that the window's beginning clips", start < from),
            ("a step that the window's end clips", start + step.duration_us > to),
        ];
        met.extend(traits.into_iter().filter(|(_, is_so)| is_shown && *is_so).map(|(name, _)| name));
    }
    met
}

const REPLAY: &str =
    "replay(windowSeconds: $w) { runId inflectionRule inflectionTimestamp windowStart windowEnd truncated
    events { source timestamp stepIndex action outcome } }";

db_test! {
    async fn replays_agree_with_the_raw_records(db: TestDb) {
        let app = TestApp::on(&db).await;
        let world = world(&app, 40).await;
        let (mut rules, mut met, mut seen) = (BTreeMap::new(), BTreeSet::new(), 0);
        for seconds in [1, 20, 60, 600] {
            let query = format!("query($w: Int!) {{ llmRuns(first: 50) {{ nodes {{ runId {REPLAY} }} }} }}");
            let answer = app.query_with(&query, json!({ "w": seconds })).await;
            let nodes = answer["llmRuns"]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), world.runs.len());
            for (node, run) in nodes.iter().zip(world.runs.iter().rev()) {
                assert_eq!(node["replay"], world.replay(run, seconds), "{} in {seconds} s", run.run_id);
                *rules.entry(node["replay"]["inflectionRule"].to_string()).or_insert(0) += 1;
                met.append(&mut hardships(&world, run, seconds, &node["replay"]));
                seen += node["replay"]["events"].as_array().expect("events").len();
            }
        }
        assert_eq!(rules.len(), 6, "every rule decides somewhere: {rules:?}");
        assert_eq!(met.len(), 6, "each hardship is met somewhere: {met:?}");
        assert!(seen > 500, "{seen} events prove little");
    }

    async fn inflection_was_simply_the_completion_time(db: TestDb) {
        let app = TestApp::on(&db).await;
        let whole = LlmRun { completed_at: Some(at(100)), trace_id: Some(trace_id("t")), ..run("r") };
        let failing = TraceStep { status: StepStatus::Failure, started_at: at(20), duration_us: 5_000_000, ..step("t", "a") };
        let unit = Unit::of(OURS, &app.clock).trace(seed::trace("t")).step(failing).run(whole);
        all_new(app.store.append(unit.unit).await.expect("appends"));
        let ask = || app.query("{ llmRun(runId: \"r\") { replay { inflectionRule inflectionTimestamp } } }");
        let told = |answer: &Value| answer["llmRun"]["replay"].clone();
        let is = |rule: &str, second: i64| json!({ "inflectionRule": rule, "inflectionTimestamp": at(second).to_rfc3339() });
        assert_eq!(told(&ask().await), is("FAILED_STEP", 25), "the end of the failed step, not the completion");
        append(&app, OURS, vec![NewRecord::Audit(new(&app, governance(at(40), Some("t"), Some(AuditAction::Blocked))), None)]).await;
        assert_eq!(told(&ask().await), is("GOVERNANCE", 40), "an entry that names the trace is the run's");
        let opened = IncidentEvidence { violation_step_index: Some(0), ..incident("i", Some("r")) };
        append(&app, OURS, vec![NewRecord::Incident(new(&app, opened))]).await;
        assert_eq!(told(&ask().await), is("VIOLATION", 25));
        let corrected = IncidentEvidence { revision: 2, inflection_at: Some(at(7)), ..incident("i", Some("r")) };
        append(&app, OURS, vec![NewRecord::Incident(new(&app, corrected))]).await;
        assert_eq!(told(&ask().await), is("INCIDENT", 7), "only the newest revision counts");
    }

    async fn trace_steps_and_replay_were_read_without_a_tenant_predicate(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (of, failing_at) in [(OURS, 10), ("other", 5)] {
            let whole = LlmRun { trace_id: Some(trace_id("t")), ..run("r") };
            let failing = TraceStep { status: StepStatus::Failure, started_at: at(failing_at), skill_name: of.to_owned(), ..step("t", "a") };
            let unit = Unit::of(of, &app.clock).trace(seed::trace("t")).step(failing).run(whole);
            all_new(app.store.append(unit.unit).await.expect("appends"));
            let entry = AuditEntry { event_type: format!("Seen{of}"), ..governance(at(9), None, None) };
            append(&app, of, vec![NewRecord::System(new(&app, system(at(8)))), NewRecord::Audit(new(&app, entry), None)]).await;
        }
        append(&app, "platform", vec![NewRecord::System(new(&app, system(at(7))))]).await;
        let answer = app.query("{ llmRun(runId: \"r\") { replay { inflectionTimestamp events { source action } } } }").await;
        let events = json!([{ "source": "SYSTEM", "action": "DEPLOY" }, { "source": "SYSTEM", "action": "DEPLOY" },
            { "source": "POLICY", "action": "Seenours" }, { "source": "LLM", "action": "ours" }]);
        assert_eq!(answer["llmRun"]["replay"]["events"], events, "ours and the platform's, none of the other tenant");
    }

    async fn windows_have_1_to_600_seconds(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, OURS, vec![NewRecord::Run(new(&app, run("r")))]).await;
        for wrong in [0, -1, 601] {
            let query = format!("{{ llmRun(runId: \"r\") {{ replay(windowSeconds: {wrong}) {{ truncated }} }} }}");
            let answer = app.raw_query(&query, json!({})).await;
            assert_eq!(code(&answer), "BAD_USER_INPUT", "{wrong}: {answer}");
            assert_eq!(answer["errors"][0]["extensions"]["field"], "windowSeconds");
        }
        let odd = app.query("{ llmRun(runId: \"r\") { replay(windowSeconds: 1) { windowStart windowEnd events { source } } } }").await;
        assert_eq!(odd["llmRun"]["replay"], json!({ "windowStart": "2026-11-21T07:59:59.500000Z",
            "windowEnd": "2026-11-21T08:00:00.500000Z", "events": [] }), "an empty window");
    }

    async fn a_crowded_window_holds_a_thousand_events_and_says_that_there_are_more(db: TestDb) {
        let app = TestApp::on(&db).await;
        let crowd = (0..1_001).map(|place| NewRecord::System(new(&app, system(at(place % 7))))).collect();
        append(&app, OURS, crowd).await;
        append(&app, OURS, vec![NewRecord::Run(new(&app, run("r")))]).await;
        let answer = app.query("{ llmRun(runId: \"r\") { replay { truncated events { timestamp } } } }").await;
        let replay = &answer["llmRun"]["replay"];
        assert_eq!((replay["events"].as_array().map(Vec::len), &replay["truncated"]), (Some(1_000), &json!(true)));
        assert_eq!(replay["events"][999]["timestamp"], at(6).to_rfc3339(), "the last one is left out");
    }

    async fn the_evidence_metadata_fields_were_never_filled(db: TestDb) {
        let app = TestApp::on(&db).await;
        let whole = LlmRun { trace_id: Some(trace_id("t")), correlation_id: Some("c".to_owned()), ..run("r") };
        append(&app, OURS, vec![NewRecord::Run(new(&app, whole)), NewRecord::Incident(new(&app, incident("i", Some("r")))),
            NewRecord::Audit(new(&app, governance(at(3), Some("r"), Some(AuditAction::Blocked))), None)]).await;
        let answer = app.query("{ llmRun(runId: \"r\") { replay { metadata { tenantId runId traceId occurredAt policyIds
            incidentIds correlationId immutable sequence sourceDomain } } } }").await;
        assert_eq!(answer["llmRun"]["replay"]["metadata"], json!({ "tenantId": "ours", "runId": "r", "traceId": "t",
            "occurredAt": at(3).to_rfc3339(), "policyIds": ["policy"], "incidentIds": ["i"], "correlationId": "c",
            "immutable": false, "sequence": null, "sourceDomain": "ACTIVITY" }));
    }
}
