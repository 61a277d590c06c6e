//! The real binary: how it stops under load, and what the demo shows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{PATIENCE, Server, post};

const SENDERS: usize = 4;
/// Spans that are acknowledged before the server is told to stop.
const ENOUGH: usize = 100;

fn span_body(trace: &str, span: &str) -> String {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{ "traceId": trace, "spanId": span, "name": "work",
        "startTimeUnixNano": "1795248000000000000", "endTimeUnixNano": "1795248000001000000" }] }] }] })
    .to_string()
}

/// Sends spans of one trace until the server is gone; gives those that were acknowledged.
fn send_until_gone(address: &str, trace: &str, acknowledged: &AtomicUsize) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for number in 1_u64.. {
        let span = format!("{number:016x}");
        match post(address, "/v1/traces", &span_body(trace, &span)) {
            Ok((200, _)) => {
                there.insert(span);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok((status, text)) => assert!(matches!(status, 429 | 503), "{status}: {text}"),
            Err(_) => break,
        }
    }
    there
}

fn stored_spans(server: &Server, trace: &str) -> Vec<String> {
    const STEPS: &str = "query($trace: ID!, $after: String) { trace(by: { traceId: $trace }) {
        steps(first: 200, after: $after) { nodes { spanId } pageInfo { hasNextPage endCursor } } } }";
    let (mut spans, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = server.query(STEPS, &json!({ "trace": trace, "after": after }));
        let steps = &answer["trace"]["steps"];
        let nodes = steps["nodes"].as_array().expect("nodes");
        spans.extend(nodes.iter().filter_map(|step| Some(step["spanId"].as_str()?.to_owned())));
        if steps["pageInfo"]["hasNextPage"] != true {
            return spans;
        }
        after = steps["pageInfo"]["endCursor"].clone();
    }
}

#[test]
fn what_was_acknowledged_survives_sigterm_under_load() {
    const ARGUMENTS: [&str; 4] = ["--auth", "off", "--database-url", "sqlite://test.db"];
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &ARGUMENTS, "http=");
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (1..=SENDERS)
        .map(|number| {
            let (address, acknowledged) = (server.address.clone(), Arc::clone(&acknowledged));
            let trace = format!("{number:032x}");
            std::thread::spawn(move || (trace.clone(), send_until_gone(&address, &trace, &acknowledged)))
        })
        .collect();
    let deadline = Instant::now() + PATIENCE;
    while acknowledged.load(Ordering::Relaxed) < ENOUGH {
        assert!(Instant::now() < deadline, "spans are not acknowledged");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = server.stop();
    assert_eq!(status.code(), Some(0), "{status}");
    let sent: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("a sender")).collect();

    let server = Server::start(folder.path(), &ARGUMENTS, "http=");
    for (trace, acknowledged) in sent {
        let stored = stored_spans(&server, &trace);
        let there: BTreeSet<String> = stored.iter().cloned().collect();
        assert_eq!(there.len(), stored.len(), "a span of {trace} is there twice");
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "acknowledged, but not on record: {lost:?} of {trace}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn the_demo_answers_its_first_example_with_runs_and_steps() {
    let examples = include_str!("../../src/http/assets/graphiql/page/examples.js");
    let first = examples.split('`').nth(1).expect("the first example");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let server = Server::start(folder.path(), &["--demo", "--data-dir", "data"], "GraphQL     http://");
    let answer = server.query(first, &json!({}));
    let runs = answer["llmRuns"]["nodes"].as_array().expect("runs");
    assert_eq!(runs.len(), 10);
    let steps = |run: &Value| run["trace"]["steps"]["nodes"].as_array().map_or(0, Vec::len);
    assert!(runs.iter().all(|run| steps(run) > 0), "{runs:#?}");
    assert!(runs.iter().any(|run| run["costUsd"].is_string()), "no run has a known cost");
    assert_eq!(server.stop().code(), Some(0));
}

/// What the demo's story put on record.
const STORY: &str = r#"{
  llmRuns(first: 20) { nodes { system { telemetry { status } } } }
  incidentEvidence(incidentId: "INC-2041") {
    revision status violationStepIndex revisions { revision } replay { inflectionRule }
    run {
      governance { totalEvents blocked events(first: 10) { nodes { decision } } }
      replay { events { source } }
      system { snapshot { details } events { events { severity } } telemetry { status series { name totalPoints } } }
      incidentEvidence { incidentId }
    }
  }
  policyActivations(policyId: "tool-allowlist", first: 10) { nodes { approvalPath actorId } }
  auditEntries(filter: { category: [GOVERNANCE] }) { nodes { eventType changes { items { path } } } }
  auditAccess { events { nodes { actorId actorType recordIds } } }
  auditIdentity { events { nodes { entry { eventType } } } }
  auditAuthorization { events { nodes { entry { eventType } } } }
  auditIntegrity { integrity { status } }
  systemRecords { nodes { eventType causedBy } }
  traces(filter: { status: [RUNNING] }) { totalCount { value } }
  ledger { checkpoint { size } entries(first: 200) { nodes { kind } } }
  rehearsal: llmRun(runId: "rehearsal-7") {
    revision revisions { revision costUsd } isSynthetic syntheticScenarioId tags
    trace { steps { nodes { idempotencyKey inputHash attributes } } trace { plan planHash seed frozenAt replayMode parentRunId } }
  }
  idempotencyCheck(key: "refund-4711") { executed outputHash }
}"#;

#[test]
fn the_demo_tells_a_whole_story() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let start = || Server::start(folder.path(), &["--demo", "--data-dir", "data"], "GraphQL     http://");
    // It begins anew each time: nothing of the first start makes the second one's logs look rolled back.
    assert_eq!(start().stop().code(), Some(0));
    let server = start();
    let story = server.query(STORY, &json!({}));
    let texts = |at: &str, field: &str| -> BTreeSet<String> {
        let nodes = story.pointer(at).and_then(Value::as_array).unwrap_or_else(|| panic!("no {at}: {story:#}"));
        nodes.iter().filter_map(|node| node.pointer(field)?.as_str().map(str::to_owned)).collect()
    };
    let holds = |at: &str, field: &str, expected: &[&str]| {
        let found = texts(at, field);
        assert!(expected.iter().all(|text| found.contains(*text)), "{at} {field}: {found:?}");
    };
    let incident = &story["incidentEvidence"];
    assert_eq!((&incident["revision"], &incident["status"]), (&json!(2), &json!("RESOLVED")));
    assert_eq!(incident["revisions"].as_array().map(Vec::len), Some(2));
    assert!(incident["violationStepIndex"].is_number(), "{incident}");
    assert_eq!(incident["replay"]["inflectionRule"], "VIOLATION");
    let run = &incident["run"];
    assert_eq!((&run["governance"]["totalEvents"], &run["governance"]["blocked"]), (&json!(4), &json!(true)));
    assert_eq!(run["incidentEvidence"][0]["incidentId"], "INC-2041");
    let sources: BTreeSet<_> =
        run["replay"]["events"].as_array().expect("events").iter().map(|event| event["source"].to_string()).collect();
    assert_eq!(sources.len(), 3, "{sources:?}");
    assert_eq!(run["system"]["snapshot"]["details"]["tool_allowlist"]["mode"], "enforce");
    assert!(run["system"]["events"]["events"].as_array().is_some_and(|events| events.len() >= 2), "{run:#}");
    assert_eq!(run["system"]["telemetry"]["status"], "COLLECTED");
    assert_eq!(run["system"]["telemetry"]["series"].as_array().map(Vec::len), Some(4));
    holds("/llmRuns/nodes", "/system/telemetry/status", &["COLLECTED", "NOT_COLLECTED"]);

    holds("/policyActivations/nodes", "/approvalPath", &["auto", "human:jo.park", "threshold"]);
    holds("/auditEntries/nodes", "/eventType", &["PolicyRuleModified", "PolicyEvaluated", "PolicyActivated"]);
    holds("/auditEntries/nodes", "/changes/items/0/path", &["/mode"]);
    holds("/auditAccess/events/nodes", "/actorId", &["jo.park", "ines.weber"]);
    holds("/auditIdentity/events/nodes", "/entry/eventType", &["ApiKeyCreated", "ApiKeyRevoked", "RoleGranted"]);
    holds("/auditAuthorization/events/nodes", "/entry/eventType", &["AccessDenied", "ReleaseApproved"]);
    holds("/systemRecords/nodes", "/eventType", &["DEPLOY", "CONFIG_CHANGE", "RESTART"]);
    holds("/systemRecords/nodes", "/causedBy", &["HUMAN", "AUTOMATION", "SYSTEM"]);
    assert_eq!(story["auditIntegrity"]["integrity"]["status"], "VALID");
    assert_eq!(story["traces"]["totalCount"]["value"], 0, "a trace is not sealed");
    assert!(story["ledger"]["checkpoint"]["size"].is_string(), "nothing is signed");
    let kinds = texts("/ledger/entries/nodes", "/kind");
    assert!(kinds.len() >= 4, "{kinds:?}");
    has_a_rehearsal(&story);
    assert_eq!(server.stop().code(), Some(0));
}

/// Test data with all that only an application's own records have: a plan, a replay's settings, a revision, a write done once.
fn has_a_rehearsal(story: &Value) {
    let run = &story["rehearsal"];
    assert_eq!((&run["revision"], &run["isSynthetic"]), (&json!(2), &json!(true)), "{run:#}");
    let costs: BTreeSet<_> =
        run["revisions"].as_array().expect("revisions").iter().map(|each| each["costUsd"].to_string()).collect();
    assert_eq!(costs.len(), 2, "the revision corrects the cost: {costs:?}");
    assert!(run["syntheticScenarioId"].is_string() && run["tags"][1].is_string(), "{run:#}");
    let trace = run["trace"]["trace"].as_object().expect("a trace");
    assert!(trace.values().all(|value| !value.is_null()), "{trace:#?}");
    assert_eq!(run["trace"]["steps"]["nodes"][1]["idempotencyKey"], "refund-4711", "{run:#}");
    let check = &story["idempotencyCheck"];
    assert!(check["executed"] == true && check["outputHash"].is_string(), "{check}");
}

/// What the server said of itself: event, severity, and the names of changed settings.
fn said_of_itself(database: &Path) -> Vec<(String, String, String)> {
    let url = format!("sqlite://{}", database.display());
    let sql = "SELECT s.event_type, s.severity, COALESCE((SELECT p.text->>'settings' FROM payload p WHERE \
               p.tenant_id = s.tenant_id AND p.record_id = s.id), '') FROM system_record s \
               WHERE s.tenant_id = 'platform' AND s.event_type <> 'MIGRATION' ORDER BY s.seq";
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let connection = sea_orm::Database::connect(url).await.expect("connects");
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
        let rows = sea_orm::ConnectionTrait::query_all_raw(&connection, statement).await.expect("rows");
        rows.iter().map(|row| row.try_get_many_by_index().expect("three texts")).collect()
    })
}

#[test]
fn a_crash_is_found_by_the_next_start_and_a_stop_in_order_is_not() {
    let arguments = ["--auth", "off", "--database-url", "sqlite://test.db", "--data-dir", "data"];
    let folder = tempfile::tempdir().expect("a folder");
    let start = |more: &[&str]| Server::start(folder.path(), &[&arguments, more].concat(), "http=");
    assert_eq!(start(&[]).stop().code(), Some(0));
    let mut killed = start(&[]);
    killed.process.kill().expect("killed");
    killed.process.wait().expect("ended");
    assert_eq!(start(&["--trace-timeout", "2h"]).stop().code(), Some(0));
    let event =
        |event: &str, severity: &str, settings: &str| (event.to_owned(), severity.to_owned(), settings.to_owned());
    let said = said_of_itself(&folder.path().join("test.db"));
    assert_eq!(
        said,
        [
            event("STARTUP", "INFO", ""),
            event("SHUTDOWN", "INFO", ""),
            event("STARTUP", "INFO", ""),
            event("SHUTDOWN", "CRITICAL", ""),
            event("CONFIG_CHANGE", "INFO", "[\"trace_timeout\"]"),
            event("STARTUP", "INFO", ""),
            event("SHUTDOWN", "INFO", ""),
        ]
    );
}

#[test]
fn commands_leave_a_trace_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runledger"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RUNLEDGER_")) {
            command.env_remove(name);
        }
        let output =
            command.args(arguments).args(["--database-url", "sqlite://test.db"]).current_dir(folder.path()).output();
        output.expect("the binary runs")
    };
    assert!(run(&["migrate", "up"]).status.success());
    assert!(run(&["keys", "create", "--tenant", "acme"]).status.success());
    let refused = run(&["keys", "create", "--tenant", "platform"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("reserved"));
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let count = |sql: &'static str| {
        let url = url.clone();
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async move {
            let connection = sea_orm::Database::connect(url).await.expect("connects");
            let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
            let row = sea_orm::ConnectionTrait::query_one_raw(&connection, statement).await.expect("a row");
            row.expect("a row").try_get_by_index::<i64>(0).expect("a number")
        })
    };
    let migrations = count("SELECT COUNT(*) FROM system_record WHERE event_type = 'MIGRATION' AND caused_by = 'HUMAN'");
    assert_eq!(migrations, count("SELECT COUNT(*) FROM seaql_migrations"));
    let made = "SELECT COUNT(*) FROM audit_entry WHERE event_type = 'ApiKeyCreated' AND tenant_id = 'acme' \
                AND actor_type = 'HUMAN' AND actor_id = 'operator'";
    assert_eq!(count(made), 1);
}
