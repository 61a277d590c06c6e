//! Capture alone: decoding, mapping and redaction of the OTLP fixtures, in spans a second; and the leaves of their steps.
//!
//! `cargo bench --bench capture`; `OTLP_FIXTURES` names another folder of fixtures.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use runledger::capture::CaptureContext;
use runledger::capture::otlp::{decode_json, decode_protobuf, map_spans};
use runledger::capture::pricing::PriceTable;
use runledger::capture::redact::redact_text;
use runledger::domain::ids::{RecordId, TenantId};
use runledger::domain::record::{RecordHead, RecordRef};
use runledger::domain::time::Timestamp;
use runledger::domain::trace::TraceStep;
use runledger::ledger::{canonical, tree};

fn files(extension: &str) -> Vec<Vec<u8>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/otlp");
    let folder = std::env::var_os("OTLP_FIXTURES").map_or(own, PathBuf::from);
    let entries = |folder: &Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let sets = entries(&folder).into_iter().filter(|path| path.is_dir());
    let mut paths: Vec<PathBuf> = sets
        .flat_map(|set| entries(&set))
        .filter(|path| {
            path.extension().is_some_and(|own| own == extension) && !path.to_string_lossy().ends_with("meta.json")
        })
        .collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

fn count(requests: &[ExportTraceServiceRequest]) -> u64 {
    let spans = requests.iter().flat_map(|request| &request.resource_spans).flat_map(|resource| &resource.scope_spans);
    spans.map(|scope| scope.spans.len() as u64).sum()
}

fn capture(criterion: &mut Criterion) {
    let protobuf = files("pb");
    let json = files("json");
    let requests: Vec<_> = protobuf.iter().filter_map(|bytes| decode_protobuf(bytes).ok()).collect();
    let Ok(prices) = PriceTable::embedded() else { return };
    let prices = Arc::new(prices);
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Elements(count(&requests)));
    group.bench_function("decode protobuf", |bencher| {
        bencher.iter(|| {
            protobuf
                .iter()
                .filter_map(|bytes| decode_protobuf::<ExportTraceServiceRequest>(black_box(bytes)).ok())
                .count()
        });
    });
    group.bench_function("decode json", |bencher| {
        bencher.iter(|| {
            json.iter().filter_map(|bytes| decode_json::<ExportTraceServiceRequest>(black_box(bytes)).ok()).count()
        });
    });
    for (name, keeps_content) in [("map spans", false), ("map spans, content kept", true)] {
        let ctx = CaptureContext { content_key: [7; 32], keeps_content, prices: Arc::clone(&prices) };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || requests.clone(),
                |requests| requests.into_iter().map(|request| map_spans(&ctx, request).traces.len()).sum::<usize>(),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
    leaves(criterion, &requests, &prices);
    let text =
        "an ordinary line of an attribute, with numbers 12 and 2026-11-21T08:30:00Z and an id 01a1fbe7-365f-77e3 "
            .repeat(10);
    let mut group = criterion.benchmark_group("redact");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("text without secrets", |bencher| bencher.iter(|| redact_text(black_box(&text)).len()));
    group.finish();
}

/// Leaves of the steps that the requests map to: our writer, and a general canonicaliser on a value that is ready.
fn leaves(criterion: &mut Criterion, requests: &[ExportTraceServiceRequest], prices: &Arc<PriceTable>) {
    let ctx = CaptureContext { content_key: [7; 32], keeps_content: false, prices: Arc::clone(prices) };
    let traces = requests.iter().flat_map(|request| map_spans(&ctx, request.clone()).traces);
    let steps: Vec<TraceStep> = traces.flat_map(|trace| trace.steps).map(|step| step.step).collect();
    let tenant_id = TenantId::trusted("acme");
    let head = RecordHead { id: RecordId(uuid::Uuid::nil()), tenant_id: &tenant_id, created_at: Timestamp::default() };
    let leaf = |step: &TraceStep| canonical::leaf(head, RecordRef::Step(black_box(step)));
    let values: Vec<serde_json::Value> =
        steps.iter().filter_map(|step| serde_json::from_slice(&leaf(step)).ok()).collect();
    let mut group = criterion.benchmark_group("leaf");
    group.throughput(Throughput::Elements(steps.len() as u64));
    group.bench_function("of a step", |bencher| {
        bencher.iter(|| steps.iter().map(|step| leaf(step).len()).sum::<usize>())
    });
    group.bench_function("of a step, hashed", |bencher| {
        bencher.iter(|| steps.iter().map(|step| tree::leaf_hash(&leaf(step)).0[0]).fold(0, |all, one| all ^ one));
    });
    group.bench_function("of a step, by a general canonicaliser", |bencher| {
        let canonical = |value| serde_json_canonicalizer::to_vec(black_box(value)).unwrap_or_default();
        bencher.iter(|| values.iter().map(|value| canonical(value).len()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, capture);
criterion_main!(benches);
