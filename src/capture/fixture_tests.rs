//! What must hold of every fixture.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use proptest::prelude::*;
use regex::Regex;

use super::CaptureContext;
use super::fixtures::{Fixture, all};
use super::otlp::{OtlpDraft, map_spans};
use super::pricing::PriceTable;
use super::seal::{SealOptions, parse_seal_metadata, seal, wanted_run_id};
use crate::domain::draft::{DraftSeal, DraftStep, SealSource};
use crate::domain::ids::{Digest, RecordId, RunId, TenantId};
use crate::domain::run::Stored;
use crate::domain::settle::TraceSignals;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceTotals};

pub(super) fn context(keeps_content: bool) -> CaptureContext {
    CaptureContext {
        content_key: [7; 32],
        keeps_content,
        prices: Arc::new(PriceTable::embedded().expect("the embedded table")),
    }
}

/// The steps by (trace, span), first truth first, with the record of each trace's beginning.
#[derive(Default)]
struct Recorded {
    steps: BTreeMap<(String, String), DraftStep>,
    traces: BTreeMap<String, (Trace, TraceSignals)>,
}

impl Recorded {
    fn add(&mut self, draft: OtlpDraft) {
        assert_eq!(draft.rejected, Vec::<String>::new());
        for trace in draft.traces {
            let name = trace.trace.trace_id.as_str().to_owned();
            let known = self.traces.entry(name.clone()).or_insert((trace.trace, TraceSignals::default()));
            known.1 = known.1.union(trace.signals);
            for step in trace.steps {
                self.steps.entry((name.clone(), step.step.span_id.clone())).or_insert(step);
            }
        }
    }

    fn seals(&self, ctx: &CaptureContext) -> BTreeMap<String, DraftSeal> {
        self.traces
            .iter()
            .map(|(name, (trace, signals))| (name.clone(), self.seal(ctx, name, trace, *signals)))
            .collect()
    }

    fn seal(&self, ctx: &CaptureContext, name: &str, trace: &Trace, signals: TraceSignals) -> DraftSeal {
        let of_trace = self.steps.iter().filter(|((trace, _), _)| trace == name);
        let steps = of_trace.map(|(_, draft)| (draft.step.clone(), draft.facts.text.clone())).collect();
        let source = SealSource {
            trace: stored(trace.clone()),
            steps,
            first: 0,
            seal_revision: 0,
            run: None,
            signals,
            version: 1,
        };
        let run_id = wanted_run_id(&source).unwrap_or_else(|| RunId::trusted(name));
        let options = SealOptions {
            status: None,
            reason: None,
            ended_at: None,
            metadata: None,
            run: None,
            run_id,
            conflicting_run_id: None,
        };
        seal(ctx, &source, Digest([1; 32]), options).expect("a seal")
    }
}

pub(super) fn stored<T>(record: T) -> Stored<T> {
    let id = RecordId(uuid::Uuid::from_u128(1));
    Stored { id, tenant_id: TenantId::trusted("t"), seq: 0, created_at: Timestamp::default(), record }
}

/// Requests of one span each.
fn split(request: &ExportTraceServiceRequest) -> Vec<ExportTraceServiceRequest> {
    let mut requests = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let scope_spans = vec![ScopeSpans { spans: vec![span.clone()], ..scope.clone() }];
                requests.push(ExportTraceServiceRequest {
                    resource_spans: vec![ResourceSpans { scope_spans, ..resource.clone() }],
                });
            }
        }
    }
    requests
}

fn whole(ctx: &CaptureContext, fixtures: &[Fixture]) -> Recorded {
    let mut recorded = Recorded::default();
    fixtures.iter().for_each(|fixture| recorded.add(map_spans(ctx, fixture.request())));
    recorded
}

#[test]
fn protobuf_and_json_give_the_same_drafts() {
    let ctx = context(true);
    for fixture in all() {
        let protobuf = map_spans(&ctx, fixture.request());
        let json = map_spans(&ctx, fixture.request_from_json());
        assert_eq!(protobuf.traces, json.traces, "{}", fixture.name);
        assert_eq!(protobuf.rejected, json.rejected);
    }
}

#[test]
fn order_batching_and_repetition_do_not_matter() {
    let ctx = context(false);
    let fixtures = all();
    let expected = whole(&ctx, &fixtures);
    let expected_seals = expected.seals(&ctx);
    let singles: Vec<ExportTraceServiceRequest> =
        fixtures.iter().flat_map(|fixture| split(&fixture.request())).collect();
    proptest!(ProptestConfig::with_cases(3), |(order in Just((0..singles.len()).chain(0..singles.len()).collect::<Vec<_>>()).prop_shuffle())| {
        let mut shuffled = Recorded::default();
        for place in order {
            shuffled.add(map_spans(&ctx, singles[place].clone()));
        }
        prop_assert_eq!(&shuffled.steps, &expected.steps);
        prop_assert_eq!(&shuffled.seals(&ctx), &expected_seals);
    });
}

#[test]
fn payloads_are_canonical_json_within_their_caps() {
    for fixture in all() {
        for trace in map_spans(&context(true), fixture.request()).traces {
            for payload in trace.steps.iter().flat_map(|step| &step.payloads) {
                let value: serde_json::Value = serde_json::from_str(&payload.text).expect("JSON");
                assert_eq!(super::json::canonical(&value).expect("canonical"), payload.text, "{}", fixture.name);
                assert!(payload.text.len() <= super::otlp::CONTENT_BYTES_MAX);
            }
        }
    }
}

/// The invented secrets of all fixtures, found in their raw text.
fn secrets(fixtures: &[Fixture]) -> BTreeSet<String> {
    let pattern = Regex::new(
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}|\bsk-[A-Za-z0-9-]{4,}|4111[ -]?1111[ -]?1111[ -]?1111",
    )
    .expect("a pattern");
    let text = |fixture: &Fixture| String::from_utf8(fixture.json.clone()).expect("UTF-8");
    let found = |fixture| pattern.find_iter(&text(fixture)).map(|found| found.as_str().to_owned()).collect::<Vec<_>>();
    fixtures.iter().flat_map(found).collect()
}

/// The text that stays the same in base64 wherever in the encoded bytes the secret begins.
fn base64_forms(secret: &str) -> Vec<String> {
    (0..3)
        .map(|shift| {
            let encoded = STANDARD.encode(format!("{}{secret}", "\0".repeat(shift)));
            encoded.trim_end_matches('=')[4.min(shift * 2)..].trim_end_matches('=').to_owned()
        })
        .map(|form| form[..form.len().saturating_sub(2)].to_owned())
        .collect()
}

#[test]
fn no_invented_secret_is_in_any_output() {
    let fixtures = all();
    let secrets = secrets(&fixtures);
    for known in ["jane.doe@example.test", "auditor@example.test", "sk-live-abc123", "sk-fake", "4111 1111 1111 1111"] {
        assert!(secrets.contains(known), "{known} is not in the fixtures");
    }
    let forbidden: Vec<String> =
        secrets.iter().flat_map(|secret| base64_forms(secret)).chain(secrets.iter().cloned()).collect();
    for keeps_content in [false, true] {
        let ctx = context(keeps_content);
        let recorded = whole(&ctx, &fixtures);
        let steps = recorded.steps.values().map(|draft| {
            let payloads: String = draft.payloads.iter().map(|payload| payload.text.as_str()).collect();
            format!("{:?} {} {payloads}", draft.step, draft.facts.text)
        });
        let runs = recorded.seals(&ctx).into_values().map(|seal| format!("{seal:?}")).collect::<Vec<_>>();
        let traces = recorded.traces.values().map(|trace| format!("{trace:?}"));
        for output in steps.chain(runs).chain(traces) {
            for secret in &forbidden {
                assert!(!output.contains(secret.as_str()), "{secret} (content kept: {keeps_content}) in {output}");
            }
        }
    }
}

#[test]
fn no_message_text_is_kept_unless_the_tenant_wants_it() {
    let fixtures = all();
    let texts = [
        "You are a careful auditor",
        "What does retention mean",
        "You may use tools",
        "retention policy",
        "You are an auditor",
    ];
    for fixture in &fixtures {
        for trace in map_spans(&context(false), fixture.request()).traces {
            for draft in trace.steps {
                let [payload] = &draft.payloads[..] else { panic!("{}: only attributes", fixture.name) };
                for text in texts {
                    assert!(!payload.text.contains(text), "{}: {text} in {}", fixture.name, payload.text);
                    assert!(!draft.facts.text.contains(text));
                }
            }
        }
    }
    let kept = whole(&context(true), &fixtures);
    assert!(
        kept.steps
            .values()
            .any(|draft| draft.payloads.iter().any(|payload| payload.text.contains("You are a careful auditor")))
    );
}

struct Raw {
    id: Vec<u8>,
    parent: Vec<u8>,
    scope: String,
    start: u64,
    end: u64,
    input: i64,
    output: i64,
}

fn raw_spans(fixtures: &[Fixture]) -> HashMap<String, Vec<Raw>> {
    let mut traces: HashMap<String, Vec<Raw>> = HashMap::new();
    for request in fixtures.iter().map(Fixture::request) {
        for scope in request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans) {
            let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
            for span in scope.spans {
                let count = |names: [&str; 4]| {
                    let said =
                        names.iter().find_map(|name| span.attributes.iter().find(|attribute| attribute.key == *name));
                    said.and_then(|attribute| super::genai::value::integer(attribute.value.as_ref()?)).unwrap_or(0)
                };
                let raw = Raw {
                    input: count([
                        "gen_ai.usage.input_tokens",
                        "llm.token_count.prompt",
                        "ai.usage.inputTokens",
                        "ai.usage.tokens",
                    ]),
                    output: count([
                        "gen_ai.usage.output_tokens",
                        "llm.token_count.completion",
                        "ai.usage.outputTokens",
                        "-",
                    ]),
                    scope: name.clone(),
                    start: span.start_time_unix_nano,
                    end: span.end_time_unix_nano,
                    parent: span.parent_span_id,
                    id: span.span_id,
                };
                traces.entry(hex::encode(&span.trace_id)).or_default().push(raw);
            }
        }
    }
    traces
}

fn is_below(spans: &[Raw], span: &Raw, top: &Raw) -> bool {
    let mut parent = &span.parent;
    while let Some(above) = spans.iter().find(|other| other.id == *parent) {
        if above.id == top.id {
            return true;
        }
        parent = &above.parent;
    }
    false
}

/// Token sums by the plainest reading of the raw spans: usage counts where nothing below bears any; of two scopes' spans of one call,
/// siblings with the same counts that overlap, one.
fn independent_sums(fixtures: &[Fixture]) -> HashMap<String, (i64, i64)> {
    let sums = raw_spans(fixtures).into_iter().map(|(trace, spans)| {
        let mut counted: Vec<&Raw> = Vec::new();
        for span in spans.iter().filter(|span| span.input + span.output > 0) {
            let wraps = spans.iter().any(|other| other.input + other.output > 0 && is_below(&spans, other, span));
            let repeats = counted.iter().any(|other| {
                other.scope != span.scope
                    && other.parent == span.parent
                    && (other.input, other.output) == (span.input, span.output)
                    && other.start <= span.end
                    && span.start <= other.end
            });
            if !wraps && !repeats {
                counted.push(span);
            }
        }
        let sum = counted.iter().fold((0, 0), |sum, span| (sum.0 + span.input, sum.1 + span.output));
        (trace, sum)
    });
    sums.collect()
}

#[test]
fn token_sums_agree_with_an_independent_count() {
    let ctx = context(false);
    let fixtures = all();
    let independent = independent_sums(&fixtures);
    let mut total = 0;
    for (trace, seal) in whole(&ctx, &fixtures).seals(&ctx) {
        let (totals, _) = parse_seal_metadata(&seal.payloads[0].text).expect("our own metadata");
        assert_eq!((totals.input_tokens, totals.output_tokens), independent[&trace], "{trace}");
        if let Some(run) = &seal.run {
            assert_eq!((run.input_tokens, run.output_tokens), independent[&trace], "{trace}");
        }
        let TraceTotals { calls, .. } = totals;
        assert!(calls > 0 || seal.run.is_none() || seal.run.as_ref().is_some_and(|run| run.input_tokens == 0));
        total += totals.input_tokens + totals.output_tokens;
    }
    assert!(total > 5_000, "{total}");
}

#[test]
fn every_set_has_models_providers_and_runs() {
    let ctx = context(false);
    let fixtures = all();
    let mut sets: BTreeMap<&str, Recorded> = BTreeMap::new();
    for fixture in &fixtures {
        sets.entry(fixture.set()).or_default().add(map_spans(&ctx, fixture.request()));
    }
    assert_eq!(sets.len(), 10);
    for (set, recorded) in sets {
        let seals = recorded.seals(&ctx);
        let runs: Vec<_> = seals.values().filter_map(|seal| seal.run.as_ref()).collect();
        assert!(!runs.is_empty(), "{set}");
        let anonymous = runs.iter().filter(|run| run.provider == "unknown" || run.model == "unknown").count();
        assert!(anonymous * 5 <= runs.len(), "{set}: {anonymous} of {} runs name no provider or model", runs.len());
        assert!(runs.iter().any(|run| run.cost_micros.is_some_and(|cost| cost > 0)), "{set} has no priced run");
        assert!(runs.iter().any(|run| run.prompt_hash.is_some()) || set == "openai-v2", "{set} has no prompt hash");
        assert!(runs.iter().all(|run| run.service_name.as_deref().is_some_and(|name| name.starts_with("fixture-"))));
    }
}
