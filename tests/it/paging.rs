//! Lists through GraphQL, page by page: both ways, frozen, and of a trace with thousands of steps.

use serde_json::{Value, json};

use crate::support::app::TestApp;

const RECORD: &str = "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { runId } } }";
const RUNS: &str = "query($first: Int, $after: String, $last: Int, $before: String, $orderBy: LlmRunOrder, $asOf: String,
    $filter: LlmRunFilter) {
    llmRuns(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy, asOf: $asOf, filter: $filter) {
      nodes { runId costUsd } totalCount { value }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
const STEPS: &str =
    "query($first: Int, $after: String, $last: Int, $before: String) { trace(by: { traceId: \"long\" }) {
    totalSteps steps(first: $first, after: $after, last: $last, before: $before) {
      nodes { stepIndex } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

async fn record(app: &TestApp, names: impl Iterator<Item = usize>) {
    for number in names {
        // Every third cost is unknown, and every known one is there twice: ties are not skipped.
        let cost = (number % 3 != 0).then(|| format!("0.{:06}", number / 6));
        let input = json!({ "runId": format!("run-{number}"), "model": "none", "costUsd": cost });
        app.query_with(RECORD, json!({ "input": input })).await;
    }
}

/// Arguments over others.
fn merged(base: &Value, over: Value) -> Value {
    let mut merged = base.clone();
    let fields = over.as_object().expect("an object").clone();
    merged.as_object_mut().expect("an object").extend(fields);
    merged
}

/// Every run that the arguments select, in pages of 4; backward gives the list as forward does.
async fn walk(app: &TestApp, arguments: &Value, is_backward: bool) -> Vec<Value> {
    let (size, cursor, more, next) = match is_backward {
        false => ("first", "after", "hasNextPage", "endCursor"),
        true => ("last", "before", "hasPreviousPage", "startCursor"),
    };
    let (mut all, mut at) = (Vec::new(), Value::Null);
    loop {
        let page = app.query_with(RUNS, merged(arguments, json!({ size: 4, cursor: at }))).await["llmRuns"].take();
        let nodes = page["nodes"].as_array().expect("nodes").clone();
        assert!(nodes.len() <= 4);
        match is_backward {
            false => all.extend(nodes),
            true => drop(all.splice(0..0, nodes)),
        }
        if page["pageInfo"][more] != true {
            return all;
        }
        at = page["pageInfo"][next].clone();
    }
}

fn names(runs: &[Value]) -> Vec<String> {
    runs.iter().map(|run| run["runId"].as_str().expect("a name").to_owned()).collect()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// A trace of so many steps.
async fn record_long(app: &TestApp, count: usize) {
    let start = "mutation { startTrace(input: { traceId: \"long\", runId: \"long\" }) { trace { id } } }";
    app.query(start).await;
    let all: Vec<Value> = (0..count)
        .map(|number| {
            json!({ "kind": "TOOL", "skillName": "x", "status": "SUCCESS", "spanId": format!("{number:016x}"),
                "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 })
        })
        .collect();
    let query = "mutation($input: RecordStepsInput!) { recordSteps(input: $input) { trace { totalSteps } } }";
    for steps in all.chunks(1_000) {
        app.query_with(query, json!({ "input": { "traceId": "long", "steps": steps } })).await;
    }
}

db_test! {
    async fn both_ways_give_the_same_list_and_unknown_costs_come_last(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, 0..30).await;
        let newest_first: Vec<String> = (0..30).rev().map(|number| format!("run-{number}")).collect();
        assert_eq!(names(&walk(&app, &json!({}), false).await), newest_first);
        assert_eq!(names(&walk(&app, &json!({}), true).await), newest_first);
        for (direction, is_rising) in [("ASC", true), ("DESC", false)] {
            let arguments = json!({ "orderBy": { "field": "COST", "direction": direction } });
            let forward = walk(&app, &arguments, false).await;
            assert_eq!(forward, walk(&app, &arguments, true).await, "{direction}");
            let mut seen = names(&forward);
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 30, "{direction}: a run is missing or twice");
            let costs: Vec<Option<&str>> = forward.iter().map(|run| run["costUsd"].as_str()).collect();
            let (known, unknown) = costs.split_at(20);
            assert!(unknown.iter().all(Option::is_none), "{direction}: {costs:?}");
            assert!(known.iter().all(Option::is_some), "{direction}: {costs:?}");
            assert!(if is_rising { known.is_sorted() } else { known.is_sorted_by(|left, right| left >= right) });
        }
    }

    async fn a_cursor_belongs_to_its_list(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, 0..6).await;
        let page = app.query_with(RUNS, json!({ "first": 2 })).await;
        let cursor = page["llmRuns"]["pageInfo"]["endCursor"].clone();
        let same = app.raw_query(RUNS, json!({ "first": 2, "after": cursor })).await;
        assert!(same.get("errors").is_none(), "{same}");
        for other in [
            json!({ "filter": { "isSynthetic": false } }),
            json!({ "orderBy": { "field": "COST" } }),
            json!({ "orderBy": { "field": "SEQUENCE", "direction": "ASC" } }),
        ] {
            let answer = app.raw_query(RUNS, merged(&other, json!({ "first": 2, "after": cursor }))).await;
            assert_eq!(code(&answer), "BAD_CURSOR", "{other}: {answer}");
        }
        for broken in ["", "nonsense", "AAAA"] {
            assert_eq!(code(&app.raw_query(RUNS, json!({ "before": broken })).await), "BAD_CURSOR", "{broken:?}");
            assert_eq!(code(&app.raw_query(RUNS, json!({ "asOf": broken })).await), "BAD_CURSOR", "asOf {broken:?}");
        }
        let of_traces = format!("{{ traces(after: {cursor}) {{ nodes {{ id }} }} }}");
        assert_eq!(code(&app.raw_query(&of_traces, json!({})).await), "BAD_CURSOR", "a cursor of runs for traces");
    }

    async fn as_of_freezes_a_list(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, 0..10).await;
        let now = app.query("{ ledger { now } }").await["ledger"]["now"].take();
        let frozen = json!({ "asOf": now });
        let before = walk(&app, &frozen, false).await;
        record(&app, 10..20).await;
        // A later revision does not take its run out of the past.
        let revision = json!({ "runId": "run-3", "supersedesRevision": 1, "model": "none", "name": "corrected" });
        app.query_with(RECORD, json!({ "input": revision })).await;
        assert_eq!(before.len(), 10);
        assert_eq!(walk(&app, &frozen, false).await, before);
        assert_eq!(walk(&app, &frozen, true).await, before);
        let page = app.query_with(RUNS, merged(&frozen, json!({ "first": 1 }))).await;
        assert_eq!(page["llmRuns"]["totalCount"]["value"], 10);
        assert_eq!(walk(&app, &json!({}), false).await.len(), 20);
    }

    async fn a_long_trace_pages_both_ways_at_the_same_price(db: TestDb) {
        const STEPS_OF_TRACE: usize = 3_000;
        let app = TestApp::on(&db).await;
        record_long(&app, STEPS_OF_TRACE).await;
        for (size, cursor, more, next, is_backward) in
            [("first", "after", "hasNextPage", "endCursor", false), ("last", "before", "hasPreviousPage", "startCursor", true)]
        {
            let (mut seen, mut at, mut prices) = (Vec::new(), Value::Null, std::collections::BTreeSet::new());
            loop {
                let (answer, statements) = app.counted(STEPS, json!({ size: 200, cursor: at })).await;
                prices.insert(statements);
                let steps = &answer["trace"]["steps"];
                assert_eq!(answer["trace"]["totalSteps"], STEPS_OF_TRACE);
                let nodes = steps["nodes"].as_array().expect("nodes").iter();
                let indexes = nodes.map(|step| step["stepIndex"].as_u64().expect("an index"));
                match is_backward {
                    false => seen.extend(indexes),
                    true => seen.extend(indexes.rev()),
                }
                if steps["pageInfo"][more] != true {
                    break;
                }
                at = steps["pageInfo"][next].clone();
            }
            if is_backward {
                seen.reverse();
            }
            assert_eq!(seen, (0..STEPS_OF_TRACE as u64).collect::<Vec<_>>(), "{size}");
            assert_eq!(prices.len(), 1, "{size}: statements of a page: {prices:?}");
        }
    }
}
