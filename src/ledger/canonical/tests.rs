mod samples;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sea_orm::{EntityTrait, Iden, Iterable};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::ids::{Digest, TraceId};
use crate::domain::ledger::LedgerEvent;
use crate::domain::record::Field;
use crate::domain::run::LlmRun;
use crate::domain::trace::TraceStep;
use crate::domain::vocabulary::{LedgerEventKind, OutcomeCategory, StepKind, StepStatus};
use crate::entity;

const GOLDEN: &str = include_str!("tests/leaves.jsonl");

fn leaf_of(record: RecordRef<'_>) -> String {
    let tenant_id = TenantId::trusted("acme");
    let id = RecordId(Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001));
    let created_at = Timestamp::from_micros_clamped(1_795_249_800_000_001);
    let leaf = leaf(RecordHead { id, tenant_id: &tenant_id, created_at }, record);
    String::from_utf8(leaf).expect("UTF-8")
}

fn every_kind(check: &mut dyn FnMut(RecordRef<'_>)) {
    check(RecordRef::Run(&samples::run()));
    check(RecordRef::Trace(&samples::trace()));
    check(RecordRef::Step(&samples::step()));
    check(RecordRef::Seal(&samples::seal()));
    check(RecordRef::System(&samples::system()));
    check(RecordRef::Audit(&samples::audit()));
    check(RecordRef::Policy(&samples::policy()));
    check(RecordRef::Incident(&samples::incident()));
    check(RecordRef::Export(&samples::export()));
    check(RecordRef::Event(&samples::event()));
}

fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).expect("canonical")
}

macro_rules! columns {
    ($($variant:ident($record:ty) in $table:ident $(, read $read:ty)? $(, with $with:ty)?;)+) => {
        /// The columns of a record's table, but for those that the ledger assigns when it appends.
        fn columns_of(record: RecordRef<'_>) -> BTreeSet<String> {
            match record { $(
                RecordRef::$variant(_) => {
                    let names = <entity::$table::Entity as EntityTrait>::Column::iter().map(|column| column.unquoted().to_owned());
                    names.filter(|name| name != "seq" && !<$record>::ASSIGNED.contains(&name.as_str())).collect()
                }
            )+ }
        }
    };
}
each_record!(columns);

#[test]
fn a_leaf_has_every_column_of_its_table_and_no_other() {
    every_kind(&mut |record| {
        let leaf = leaf_of(record);
        let members: serde_json::Map<String, Value> = serde_json::from_str(&leaf).expect("object");
        let mut expected = columns_of(record);
        if matches!(record, RecordRef::Step(_)) {
            expected.insert("step_kind".to_owned());
        }
        expected.extend(["v", "kind"].map(str::to_owned));
        assert_eq!(members.keys().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(members["v"], json!(1));
        assert_eq!(members["kind"], json!(record.kind().as_str()));
        assert_eq!(canonical(&Value::Object(members)), leaf);
    });
}

#[test]
fn leaves_are_the_documented_bytes() {
    let mut lines = GOLDEN.lines();
    every_kind(&mut |record| assert_eq!(leaf_of(record), lines.next().expect("a line for each kind")));
    assert_eq!(lines.next(), None);
}

#[test]
fn a_ledger_events_kind_is_its_records_kind() {
    for kind in LedgerEventKind::ALL {
        let event = LedgerEvent { kind: *kind, ..samples::event() };
        assert_eq!(kind.as_str(), RecordRef::Event(&event).kind().as_str());
    }
}

fn written(value: &impl Field) -> String {
    let mut out = Vec::new();
    write(&mut out, value.datum());
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn strings_are_escaped_as_the_rfc_shows() {
    // RFC 8785, section 3.2.2: the member `string` of its example.
    assert_eq!(written(&"\u{20ac}$\u{f}\nA'B\"\\\\\"/".to_owned()), r#""€$\u000f\nA'B\"\\\\\"/""#);
    let controls: String = (0..=0x20_u8).map(char::from).chain(['\u{7f}', '\u{2028}', '\u{fb33}', '😀']).collect();
    assert_eq!(written(&controls), canonical(&json!(controls)));
}

prop_compose! {
    fn any_step()(
        trace_id in ".*",
        span_id in any::<String>(),
        skill_name in any::<String>(),
        texts in prop::array::uniform8(prop::option::of(any::<String>())),
        numbers in prop::array::uniform4(prop::option::of(any::<i64>())),
        attempt in any::<i64>(),
        duration_us in any::<i64>(),
        started_at in any::<i64>(),
        digests in prop::array::uniform4(prop::option::of(any::<[u8; 32]>())),
        kind in prop::sample::select(StepKind::ALL),
        status in prop::sample::select(StepStatus::ALL),
        outcome_category in prop::sample::select(OutcomeCategory::ALL),
    ) -> TraceStep {
        let [parent_span_id, outcome_code, provider, model, response_id, idempotency_key, duplicate_of, _] = texts;
        let [caller_index, input_tokens, output_tokens, cost_micros] = numbers;
        let [input_hash, output_hash, attributes_commitment, content_commitment] =
            digests.map(|digest| digest.map(Digest));
        TraceStep {
            trace_id: TraceId::trusted(trace_id), caller_index, span_id, parent_span_id, attempt, kind, skill_name,
            status, outcome_category, outcome_code, provider, model, response_id, input_tokens, output_tokens,
            cost_micros, started_at: Timestamp::from_micros_clamped(started_at), duration_us, input_hash, output_hash,
            idempotency_key, duplicate_of, attributes_commitment, content_commitment,
        }
    }
}

/// The object of the documentation, built without the writer.
fn step_object(head: RecordHead<'_>, step: &TraceStep) -> Value {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let hash = |digest: Option<Digest>| digest.map(Digest::to_hex);
    let mut object = json!({
        "v": 1, "kind": "trace_step", "id": head.id.to_string(), "tenant_id": head.tenant_id.as_str(),
        "created_at": head.created_at.to_rfc3339(), "trace_id": step.trace_id.as_str(),
        "caller_index": number(step.caller_index), "span_id": step.span_id, "parent_span_id": step.parent_span_id,
        "attempt": step.attempt.to_string(), "step_kind": step.kind.as_str(), "skill_name": step.skill_name,
        "status": step.status.as_str(), "outcome_category": step.outcome_category.as_str(),
        "outcome_code": step.outcome_code, "provider": step.provider, "model": step.model,
        "response_id": step.response_id, "input_tokens": number(step.input_tokens),
        "output_tokens": number(step.output_tokens), "cost_micros": number(step.cost_micros),
        "started_at": step.started_at.to_rfc3339(), "duration_us": step.duration_us.to_string(),
        "input_hash": hash(step.input_hash), "output_hash": hash(step.output_hash),
        "idempotency_key": step.idempotency_key, "duplicate_of": step.duplicate_of,
        "attributes_commitment": hash(step.attributes_commitment),
        "content_commitment": hash(step.content_commitment),
    });
    object.as_object_mut().expect("object").retain(|_, value| !value.is_null());
    object
}

proptest! {
    #[test]
    fn a_step_is_what_the_general_canonicaliser_makes_of_its_object(
        step in any_step(),
        tenant in any::<String>(),
        created_at in any::<i64>(),
        id in any::<u128>(),
    ) {
        let tenant_id = TenantId::trusted(tenant);
        let created_at = Timestamp::from_micros_clamped(created_at);
        let head = RecordHead { id: RecordId(Uuid::from_u128(id)), tenant_id: &tenant_id, created_at };
        let leaf = leaf(head, RecordRef::Step(&step));
        prop_assert_eq!(String::from_utf8(leaf).expect("UTF-8"), canonical(&step_object(head, &step)));
    }

    #[test]
    fn values_are_written_as_the_general_canonicaliser_writes_them(
        text in any::<String>(),
        tags in prop::collection::vec(any::<String>(), 0..4),
        number in any::<i64>(),
        micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros(),
        bytes in any::<[u8; 32]>(),
    ) {
        let instant = Timestamp::from_micros_clamped(micros);
        prop_assert_eq!(written(&text), canonical(&json!(text)));
        prop_assert_eq!(written(&tags), canonical(&json!(tags)));
        prop_assert_eq!(written(&number), canonical(&json!(number.to_string())));
        prop_assert_eq!(written(&instant), canonical(&json!(instant.to_rfc3339())));
        prop_assert_eq!(written(&Digest(bytes)), canonical(&json!(hex::encode(bytes))));
    }

    #[test]
    fn every_run_keeps_its_texts_apart(name in any::<String>(), tags in prop::collection::vec(any::<String>(), 0..4)) {
        let run = LlmRun { name: Some(name.clone()), tags: tags.clone(), ..samples::run() };
        let leaf = leaf_of(RecordRef::Run(&run));
        let value: Value = serde_json::from_str(&leaf).expect("JSON");
        prop_assert_eq!((&value["name"], &value["tags"]), (&json!(name), &json!(tags)));
        prop_assert_eq!(canonical(&value), leaf);
    }
}

#[test]
fn instants_at_the_ends_of_months_and_years() {
    let days = (-719_162..=2_932_896).step_by(97).chain([-719_162, -1, 0, 58, 59, 60, 364, 365, 2_932_896]);
    for day in days {
        let instant = Timestamp::from_micros_clamped(day * 86_400_000_000 + 86_399_999_999);
        assert_eq!(written(&instant), format!("\"{}\"", instant.to_rfc3339()));
    }
}
