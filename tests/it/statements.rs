//! How many SQL statements an answer takes. Authentication is off here and the audit of reads only writes, so every
//! statement that is counted belongs to the answer.

use runledger::domain::record::NewRecord;
use runledger::domain::vocabulary::{ExportFormat, ExportStatus};
use serde_json::json;

use crate::replay::world;
use crate::support::app::TestApp;
use crate::support::seed::at;
use crate::support::topics::{append, call, export, new};

/// Records `count` runs with a trace of `steps` steps each.
async fn record_runs(app: &TestApp, count: usize, steps: usize) {
    for run in 0..count {
        let steps: Vec<_> = (0..steps)
            .map(|step| {
                json!({ "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "model": "gpt-4o",
                "spanId": format!("{step:016x}"), "inputTokens": 1, "outputTokens": 1,
                "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 })
            })
            .collect();
        app.query_with(
            "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { id } } }",
            json!({ "input": { "runId": format!("run-{run}"), "trace": {}, "steps": steps } }),
        )
        .await;
    }
}

const PAGE: &str = "query($first: Int!) { llmRuns(first: $first) { edges { cursor node {
    runId provider model inputTokens outputTokens costUsd startedAt
    trace { traceId status rootHash totalSteps
      steps(first: 10) { edges { node { spanId kind skillName status startedAt durationMs } } } } } }
    pageInfo { hasNextPage endCursor } } }";

/// A run of every topic.
const EVERY_TOPIC: &str = "query($first: Int!) { llmRuns(first: $first) { nodes { runId
    trace { totalSteps steps(first: 10) { nodes { stepIndex } } }
    governance { totalEvents blocked events(first: 10) { nodes { decision } } metadata { policyIds } }
    incidentEvidence { incidentId severity metadata { incidentIds } }
    replay { inflectionRule truncated events { source timestamp } metadata { occurredAt } }
    export { availableFormats reason checksum complianceTags { tag reason } exports { format } metadata { exportId } }
    system { snapshot { summary details } snapshots { component }
      events { events { summary } truncated } replay { inflectionRule events { summary } }
      telemetry { status series { name points(first: 10) { value } } } } } } }";

/// What it reads: each of these in at most one statement, whatever the size of the page.
const RELATIONS: [&str; 20] = [
    "runs",
    "their traces",
    "steps of the traces",
    "governance entries",
    "what the governance entries come to",
    "incidents, for themselves and for both replays",
    "what else decides the inflection, for both replays",
    "steps in the windows",
    "system records in the windows, of both replays",
    "and the platform's",
    "governance entries in the windows",
    "exports",
    "facts behind the compliance tags",
    "the environment that the runs began in",
    "and the platform's",
    "its details",
    "system records that affected the runs",
    "and the platform's",
    "series of metrics",
    "samples of the series",
];

/// The newest run, which has something of every topic: a page of one reads every relation, too.
async fn record_every_topic(app: &TestApp) {
    let step = json!({ "kind": "LLM", "skillName": "chat", "status": "FAILURE", "startedAt": at(11).to_rfc3339(), "durationMs": 9 });
    let run = json!({ "runId": "full", "serviceName": "chat", "startedAt": at(10).to_rfc3339(), "completedAt": at(20).to_rfc3339(),
        "trace": { "traceId": "full" }, "steps": [step] });
    let deploy = json!({ "component": "API", "eventType": "DEPLOY", "severity": "WARN", "summary": "new", "details": { "version": 2 },
        "occurredAt": at(10).to_rfc3339() });
    let entry = json!({ "eventType": "PolicyEvaluated", "entityType": "POLICY_RULE", "entityId": "rule", "runId": "full",
        "policyId": "p", "action": "BLOCKED", "occurredAt": at(12).to_rfc3339() });
    let incident = json!({ "incidentId": "i", "severity": "HIGH", "status": "open", "title": "one", "sourceRunId": "full",
        "openedAt": at(0).to_rfc3339() });
    for (mutation, input) in [
        ("recordLlmRun", run),
        ("recordSystemRecords", json!({ "records": [deploy] })),
        ("appendAuditEntries", json!({ "entries": [entry] })),
        ("recordIncidentEvidence", incident),
    ] {
        let payload = call(app, mutation, input, "__typename").await;
        assert!(payload.get("errors").is_none(), "{mutation}: {payload}");
    }
    append(app, "ours", vec![NewRecord::Export(new(app, export("full", ExportFormat::Zip, ExportStatus::Completed)))])
        .await;
    let point = json!({ "timeUnixNano": format!("{}000", at(15).as_micros()), "asInt": "1" });
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "chat" } }] });
    let metrics = json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "metrics": [
        { "name": "load", "gauge": { "dataPoints": [point] } }] }] }] });
    assert!(app.post_signal("/v1/metrics", &metrics).await.is_null());
}

db_test! {
    async fn a_page_with_every_topic_takes_one_statement_a_relation(db: TestDb) {
        let app = TestApp::on(&db).await;
        assert_eq!(world(&app, 55).await.run_count(), 55);
        record_every_topic(&app).await;
        for first in [1, 10, 50] {
            let (answer, statements) = app.counted(EVERY_TOPIC, json!({ "first": first })).await;
            let nodes = answer["llmRuns"]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), first);
            let full = &nodes[0];
            for shown in ["/trace/steps/nodes/0", "/governance/events/nodes/0", "/incidentEvidence/0", "/replay/events/0", "/export/exports/0",
                "/system/snapshot/details", "/system/events/events/0", "/system/replay/events/0", "/system/telemetry/series/0/points/0"] {
                assert!(full.pointer(shown).is_some_and(|value| !value.is_null()), "{shown}: {full}");
            }
            let relations = u64::try_from(RELATIONS.len()).expect("small");
            assert_eq!(statements, relations, "for a page of {first}: {RELATIONS:?}");
        }
    }

    async fn a_page_with_traces_and_steps_takes_three_statements_whatever_its_size(db: TestDb) {
        let app = TestApp::on(&db).await;
        record_runs(&app, 60, 12).await;
        for first in [1, 10, 50] {
            let (answer, statements) = app.counted(PAGE, json!({ "first": first })).await;
            let edges = answer["llmRuns"]["edges"].as_array().expect("edges");
            assert_eq!(edges.len(), first);
            assert_eq!(edges[0]["node"]["trace"]["steps"]["edges"].as_array().map(Vec::len), Some(10));
            assert!(statements <= 3, "{statements} statements for a page of {first}");
        }
    }

    async fn aliases_with_other_arguments_cost_a_statement_each_not_one_a_row(db: TestDb) {
        let app = TestApp::on(&db).await;
        record_runs(&app, 20, 3).await;
        let query = "{ llmRuns(first: 20) { nodes { trace {
            a: steps(first: 1) { nodes { spanId } } b: steps(first: 2) { nodes { spanId } }
            failed: steps(status: [FAILURE]) { nodes { spanId } totalCount { value } }
            summary { groups { kind status count } } } } } }";
        let (_, statements) = app.counted(query, json!({})).await;
        assert!(statements <= 7, "{statements} statements for 20 rows");
    }

    async fn lists_side_by_side_start_their_own_traces_and_pages_of_steps(db: TestDb) {
        let app = TestApp::on(&db).await;
        record_runs(&app, 3, 4).await;
        let query = "{ a: llmRuns(first: 3) { nodes { trace { steps(first: 1) { nodes { stepIndex } } } } }
            b: llmRuns(first: 2) { nodes { runId trace { steps(last: 1) { nodes { stepIndex } } } } }
            c: llmRuns(last: 1) { nodes { runId trace { steps(first: 1, kind: [TOOL]) { nodes { stepIndex } } } } } }";
        let (answer, statements) = app.counted(query, json!({})).await;
        let steps = |list: &str, row: usize| answer[list]["nodes"][row]["trace"]["steps"]["nodes"].clone();
        for row in 0..3 {
            assert_eq!(steps("a", row), json!([{ "stepIndex": 0 }]));
        }
        assert_eq!(answer["b"]["nodes"][1]["runId"], "run-1");
        assert_eq!(steps("b", 1), json!([{ "stepIndex": 3 }]));
        assert_eq!(answer["c"]["nodes"][0]["runId"], "run-0");
        assert_eq!(steps("c", 0), json!([]));
        assert_eq!(statements, 9, "three a list");
    }

    async fn totals_are_counted_only_when_selected(db: TestDb) {
        let app = TestApp::on(&db).await;
        record_runs(&app, 5, 1).await;
        let (_, without) = app.counted("{ llmRuns(first: 2) { nodes { runId } pageInfo { hasNextPage } } }", json!({})).await;
        let (answer, with) = app.counted("{ llmRuns(first: 2) { nodes { runId } totalCount { value isExact } } }", json!({})).await;
        assert_eq!((without, with), (1, 2));
        assert_eq!(answer["llmRuns"]["totalCount"], json!({ "value": 5, "isExact": true }));
        let (answer, _) = app.counted("{ llmRuns(first: 2) { totalCount(cap: 3) { value isExact } } }", json!({})).await;
        assert_eq!(answer["llmRuns"]["totalCount"], json!({ "value": 3, "isExact": false }));
    }
}
