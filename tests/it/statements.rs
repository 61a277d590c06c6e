//! How many SQL statements an answer takes. Authentication is off here and the audit of reads only writes, so every
//! statement that is counted belongs to the answer.

use serde_json::json;

use crate::support::app::TestApp;

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

db_test! {
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
