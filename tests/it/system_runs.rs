//! The platform around runs: snapshot, events and replay, held against the records themselves, and batched.

use runledger::domain::ids::TenantId;
use runledger::domain::scope::{Actor, Permission, Permissions, Scope};
use runledger::domain::system::SystemRecordInput;
use runledger::domain::vocabulary::{ActorType, SystemComponent, SystemEventType, SystemSeverity};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::seed::at;

/// A record at a second after the clock's start.
fn record(summary: &str, second: i64, severity: SystemSeverity, event_type: SystemEventType) -> SystemRecordInput {
    SystemRecordInput {
        component: SystemComponent::Worker,
        event_type,
        severity: Some(severity),
        summary: summary.to_owned(),
        caused_by: None,
        actor_type: None,
        actor_id: None,
        correlation_id: None,
        service_name: None,
        service_instance_id: None,
        source_component: None,
        occurred_at: Some(at(second)),
        details: None,
    }
}

fn info(summary: &str, second: i64) -> SystemRecordInput {
    record(summary, second, SystemSeverity::Info, SystemEventType::Other)
}

fn warn(summary: &str, second: i64) -> SystemRecordInput {
    record(summary, second, SystemSeverity::Warn, SystemEventType::Error)
}

fn deploy(summary: &str, second: i64, component: SystemComponent, instance: Option<&str>) -> SystemRecordInput {
    let record = record(summary, second, SystemSeverity::Info, SystemEventType::Deploy);
    SystemRecordInput { component, service_instance_id: instance.map(str::to_owned), ..record }
}

async fn write(app: &TestApp, records: Vec<SystemRecordInput>, is_platform_wide: bool) {
    let permissions: Permissions = [Permission::SystemWrite, Permission::PlatformWrite].into_iter().collect();
    let actor = Actor { actor_type: ActorType::System, id: "test".to_owned() };
    let facade = app.logs.facade(Scope { tenant: TenantId::trusted("ours"), actor, permissions });
    let recorded = facade
        .record_system_records(records.into_iter().map(Ok).collect(), is_platform_wide, None)
        .await
        .expect("recorded");
    assert!(
        recorded
            .results
            .iter()
            .all(|result| matches!(result, runledger::facade::capture::SystemRecordResult::Recorded(_)))
    );
}

/// A run from one second to another.
async fn run(app: &TestApp, run_id: &str, seconds: (i64, i64), more: Value) {
    let mut input =
        json!({ "runId": run_id, "startedAt": at(seconds.0).to_rfc3339(), "completedAt": at(seconds.1).to_rfc3339() });
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    app.query_with(
        "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { id } } }",
        json!({ "input": input }),
    )
    .await;
}

async fn system(app: &TestApp, run_id: &str, selection: &str) -> Value {
    app.query(&format!("{{ llmRun(runId: \"{run_id}\") {{ system {{ {selection} }} }} }}")).await["llmRun"]["system"]
        .take()
}

fn summaries(records: &Value) -> Vec<&str> {
    records.as_array().expect("records").iter().map(|record| record["summary"].as_str().expect("text")).collect()
}

db_test! {
    async fn the_snapshot_is_the_newest_change_of_each_component_before_the_run(db: TestDb) {
        let app = TestApp::on(&db).await;
        run(&app, "early", (0, 1), json!({})).await;
        run(&app, "late", (100, 101), json!({})).await;
        run(&app, "of-i1", (100, 101), json!({ "serviceInstanceId": "i1" })).await;
        write(&app, vec![
            deploy("worker 1", 10, SystemComponent::Worker, Some("i1")),
            deploy("worker 2", 90, SystemComponent::Worker, Some("i2")),
            deploy("worker, too late", 101, SystemComponent::Worker, None),
            SystemRecordInput { event_type: SystemEventType::Shutdown, ..deploy("a stop is no baseline", 95, SystemComponent::Worker, None) },
            deploy("database", 100, SystemComponent::Db, None),
        ], false).await;
        write(&app, vec![deploy("platform's api", 50, SystemComponent::Api, None), deploy("platform's database", 100, SystemComponent::Db, None)], true).await;

        let selection = "snapshot { summary } snapshots { runId component eventType summary record { id } metadata { runId tenantId immutable } }";
        let late = system(&app, "late", selection).await;
        assert_eq!(summaries(&late["snapshots"]), ["worker 2", "platform's api", "database"], "of equals the tenant's own");
        assert_eq!(late["snapshot"]["summary"], "database");
        assert_eq!(late["snapshots"][1]["metadata"], json!({ "runId": "late", "tenantId": null, "immutable": true }));
        let of_i1 = system(&app, "of-i1", selection).await;
        assert_eq!(summaries(&of_i1["snapshots"]), ["worker 1", "platform's api", "database"], "not of another instance");
        assert_eq!(system(&app, "early", selection).await, json!({ "snapshot": null, "snapshots": [] }), "nothing is invented");
    }

    async fn a_missing_system_snapshot_is_not_invented(db: TestDb) {
        let app = TestApp::on(&db).await;
        run(&app, "r", (0, 1), json!({})).await;
        let found = system(&app, "r", "snapshot { summary } events { events { id } truncated metadata { occurredAt recordedAt runId } }
            replay { events { id } truncated }").await;
        assert_eq!(found, json!({ "snapshot": null, "replay": { "events": [], "truncated": false },
            "events": { "events": [], "truncated": false, "metadata": { "occurredAt": null, "recordedAt": null, "runId": "r" } } }));
    }

    async fn events_are_correlated_ones_and_warnings_while_the_run_ran(db: TestDb) {
        let app = TestApp::on(&db).await;
        run(&app, "r", (10, 20), json!({ "trace": { "traceId": "t" }, "steps": [] })).await;
        let correlated = |id: &str, record: SystemRecordInput| SystemRecordInput { correlation_id: Some(id.to_owned()), ..record };
        write(&app, vec![
            correlated("r", info("correlated, long after", 500)), correlated("t", info("correlated by trace", 15)),
            correlated("r", warn("correlated and while it ran", 12)), correlated("other", info("another's", 15)),
            warn("at the start", 10), warn("at the end", 20), warn("before", 9), warn("after", 21), info("quiet", 15),
        ], false).await;
        write(&app, vec![warn("platform's", 15), info("platform's, quiet", 15), correlated("r", info("platform's, correlated", 15))], true).await;
        let other = app.other_tenant("other");
        run(&other, "r", (10, 20), json!({})).await;

        let events = system(&app, "r", "events { events { summary } truncated metadata { occurredAt } }").await["events"].take();
        assert_eq!(summaries(&events["events"]), ["at the start", "correlated and while it ran", "correlated by trace", "platform's",
            "at the end", "correlated, long after"]);
        assert_eq!((&events["truncated"], &events["metadata"]["occurredAt"]), (&json!(false), &json!(at(500).to_rfc3339())));
        let theirs = system(&other, "r", "events { events { summary } }").await;
        assert_eq!(summaries(&theirs["events"]["events"]), ["platform's"], "nothing of another tenant");
    }

    async fn events_and_replay_are_capped_and_say_so(db: TestDb) {
        let app = TestApp::on(&db).await;
        run(&app, "r", (0, 1_000), json!({})).await;
        for (count, cap) in [(200, false), (1, true)] {
            let records = (0..count).map(|number| warn(&format!("{number:04}"), number)).collect();
            write(&app, records, false).await;
            let events = system(&app, "r", "events { events { id } truncated }").await["events"].take();
            assert_eq!((events["events"].as_array().map(Vec::len), &events["truncated"]), (Some(200), &json!(cap)));
        }
        let records: Vec<_> = (0..1_000).map(|_| info("x", 1_000)).collect();
        write(&app, records, false).await;
        write(&app, vec![info("x", 1_000)], true).await;
        let replay = system(&app, "r", "replay(windowSeconds: 2) { events { id } truncated }").await["replay"].take();
        assert_eq!((replay["events"].as_array().map(Vec::len), &replay["truncated"]), (Some(1_000), &json!(true)));
    }

    async fn the_replay_window_is_half_open_around_the_completion(db: TestDb) {
        let app = TestApp::on(&db).await;
        run(&app, "r", (0, 100), json!({})).await;
        write(&app, vec![info("first in", 70), info("before", 69), info("after", 130), info("last in", 129)], false).await;
        write(&app, vec![info("platform's", 100)], true).await;
        let selection = "replay { inflectionTimestamp windowStart windowEnd events { summary } truncated } narrow: replay(windowSeconds: 1) { events { summary } }";
        let found = system(&app, "r", selection).await;
        assert_eq!(summaries(&found["replay"]["events"]), ["first in", "platform's", "last in"]);
        assert_eq!((&found["replay"]["windowStart"], &found["replay"]["windowEnd"]), (&json!(at(70).to_rfc3339()), &json!(at(130).to_rfc3339())));
        assert_eq!(summaries(&found["narrow"]["events"]), ["platform's"]);
        for seconds in [0, 601] {
            let query = format!("{{ llmRun(runId: \"r\") {{ system {{ replay(windowSeconds: {seconds}) {{ truncated }} }} }} }}");
            let refused = app.raw_query(&query, json!({})).await;
            assert_eq!(refused["errors"][0]["extensions"]["field"], "windowSeconds", "{refused}");
        }
    }

    async fn a_page_of_fifty_runs_reads_each_relation_once(db: TestDb) {
        let app = TestApp::on(&db).await;
        for number in 0..60_i64 {
            let service = json!({ "serviceName": format!("s{}", number % 3), "serviceInstanceId": format!("i{}", number % 5) });
            run(&app, &format!("run-{number}"), (number * 10, number * 10 + 5), service).await;
        }
        let records = (0..200).map(|number| if number % 2 == 0 { warn("w", number * 3) } else { deploy("d", number * 3, SystemComponent::Db, None) });
        write(&app, records.collect(), false).await;
        let query = "query($first: Int!) { llmRuns(first: $first) { nodes { system {
            snapshot { summary details } events { events { summary } truncated } replay { events { summary } } telemetry { status reason series { name } } } } } }";
        for first in [1, 10, 50] {
            let (answer, statements) = app.counted(query, json!({ "first": first })).await;
            assert_eq!(answer["llmRuns"]["nodes"].as_array().map(Vec::len), Some(first));
            // The runs, baselines, events, series; for the replay incidents and what else decides the inflection, and the
            // windows; records of the platform are three statements of their own. No details were recorded.
            assert!(statements <= 10, "{statements} statements for a page of {first}");
        }
    }
}
