//! A run's governance: everything that is on record for it, whoever wrote it, and nothing twice.

use std::collections::BTreeSet;

use runledger::domain::audit::AuditEntry;
use runledger::domain::run::LlmRun;
use runledger::domain::vocabulary::{AuditAction, AuditCategory, AuditEntityType, Verdict};
use serde_json::{Value, json};

use crate::support::app::{Encoding, TestApp};
use crate::support::audit::{entry, write};
use crate::support::seed::{self, Unit, all_new, at, run_id, trace_id};

/// A governance entry that names a run.
fn governed(run: &str, event_type: &str) -> AuditEntry {
    let run = Some(run_id(run));
    AuditEntry { run_id: run, entity_type: AuditEntityType::Limit, ..entry(AuditCategory::Governance, event_type) }
}

fn attribute(key: &str, text: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": text } })
}

/// An OTLP span in JSON.
fn span(id: u8, parent: Option<u8>, name: &str, attributes: &[Value]) -> Value {
    json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": format!("{id:016x}"), "name": name, "kind": 1,
        "parentSpanId": parent.map_or(String::new(), |id| format!("{id:016x}")), "flags": 0x101,
        "startTimeUnixNano": (1_800_000_000_000_000_000_u64 + u64::from(id) * 1_000_000).to_string(),
        "endTimeUnixNano": (1_800_000_000_500_000_000_u64 + u64::from(id) * 1_000_000).to_string(),
        "attributes": attributes,
    })
}

async fn export(app: &TestApp, spans: &[Value]) {
    let resource = json!({ "attributes": [attribute("service.name", "shop")] });
    let body = json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": { "name": "t" }, "spans": spans }] }] });
    let answer = app.post_otlp(Encoding::Json, body.to_string().into_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

db_test! {
    async fn governance_is_not_the_newest_100_rows_filtered_in_memory(db: TestDb) {
        let app = TestApp::on(&db).await;
        let run = LlmRun { trace_id: Some(trace_id("trace")), ..seed::run("run") };
        let runs = Unit::of("ours", &db.clock).run(run).run(seed::run("other"));
        all_new(app.store.append(runs.unit).await.expect("written"));
        // 250 of the run, under either of its names, among three times as many of others.
        let mut entries = Vec::new();
        for n in 0..250_i64 {
            let mine = if n % 3 == 0 { "trace" } else { "run" };
            entries.push(AuditEntry { entity_id: format!("e{n}"), occurred_at: at(n), ..governed(mine, "LimitBreached") });
            entries.push(governed("other", "LimitBreached"));
            entries.push(AuditEntry { run_id: None, ..governed("run", "LimitBreached") });
            entries.push(AuditEntry { category: AuditCategory::Identity, ..governed("run", "RoleGranted") });
        }
        for some in entries.chunks(400) {
            write(&app.store, &db.clock, "ours", some.to_vec(), None).await;
        }
        write(&app.store, &db.clock, "theirs", vec![governed("run", "LimitBreached")], None).await;
        for (way, edge, cursor, more) in [("first", "after", "endCursor", "hasNextPage"), ("last", "before", "startCursor", "hasPreviousPage")] {
            let query = format!("query($cursor: String) {{ llmRun(runId: \"run\") {{ governance {{ totalEvents
                events({way}: 60, {edge}: $cursor) {{ nodes {{ entityId entry {{ sequence runId }} }} pageInfo {{ {cursor} {more} }}
                  totalCount {{ value isExact }} }} }} }} }}");
            let (mut found, mut at): (Vec<Value>, Value) = (Vec::new(), Value::Null);
            loop {
                let mut answer = app.query_with(&query, json!({ "cursor": at })).await;
                let governance = answer["llmRun"]["governance"].take();
                assert_eq!((&governance["totalEvents"], &governance["events"]["totalCount"]), (&json!(250), &json!({ "value": 250, "isExact": true })));
                let page = governance["events"]["nodes"].as_array().expect("nodes").clone();
                if way == "first" { found.extend(page) } else { found.splice(0..0, page).for_each(drop) }
                if governance["events"]["pageInfo"][more] != true {
                    break;
                }
                at = governance["events"]["pageInfo"][cursor].clone();
            }
            let sequences: Vec<i64> = found.iter().map(|event| event["entry"]["sequence"].as_str().expect("text").parse().expect("a number")).collect();
            assert!(sequences.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {sequences:?}");
            let entities: BTreeSet<&str> = found.iter().map(|event| event["entityId"].as_str().expect("text")).collect();
            assert_eq!((found.len(), entities.len()), (250, 250));
        }
    }

    async fn blocked_and_metadata_come_from_all_entries(db: TestDb) {
        let app = TestApp::on(&db).await;
        let runs = Unit::of("ours", &db.clock).run(seed::run("run")).run(seed::run("quiet"));
        all_new(app.store.append(runs.unit).await.expect("written"));
        let incident = AuditEntry { entity_type: AuditEntityType::Incident, entity_id: "inc".to_owned(), occurred_at: at(3), ..governed("run", "IncidentResolved") };
        let stopped = AuditEntry {
            policy_id: Some("p2".to_owned()), verdict: Some(Verdict::Warn), action: Some(AuditAction::Blocked), occurred_at: at(2),
            ..governed("run", "PolicyEvaluated")
        };
        let allowed = AuditEntry { policy_id: Some("p1".to_owned()), verdict: Some(Verdict::Allow), occurred_at: at(9), ..governed("run", "PolicyEvaluated") };
        write(&app.store, &db.clock, "ours", vec![incident, stopped, allowed], None).await;
        let query = "query($run: ID!) { llmRun(runId: $run) { governance { runId totalEvents blocked
            events(last: 2) { nodes { eventType policyId decision verdict action } }
            metadata { runId policyIds incidentIds occurredAt sequence sourceDomain } } } }";
        let governance = app.query_with(query, json!({ "run": "run" })).await["llmRun"]["governance"].take();
        assert_eq!(governance, json!({ "runId": "run", "totalEvents": 3, "blocked": true,
            "events": { "nodes": [
                { "eventType": "PolicyEvaluated", "policyId": "p2", "decision": "DENY", "verdict": "WARN", "action": "BLOCKED" },
                { "eventType": "IncidentResolved", "policyId": null, "decision": null, "verdict": null, "action": null } ] },
            "metadata": { "runId": "run", "policyIds": ["p1", "p2"], "incidentIds": ["inc"], "occurredAt": at(2).to_rfc3339(),
                "sequence": "4", "sourceDomain": "POLICY" } }));
        let quiet = app.query_with(query, json!({ "run": "quiet" })).await["llmRun"]["governance"].take();
        assert_eq!((&quiet["totalEvents"], &quiet["blocked"], &quiet["metadata"]["occurredAt"]), (&json!(0), &json!(false), &Value::Null));
    }

    async fn a_guardrail_span_is_governance_of_its_run_and_a_re_export_is_nothing_new(db: TestDb) {
        let app = TestApp::on(&db).await;
        let guardrail = span(2, Some(1), "check", &[
            attribute("openinference.span.kind", "GUARDRAIL"), attribute("gen_ai.guardrail.name", "pii"),
            attribute("gen_ai.security.policy.id", "p"), attribute("gen_ai.security.decision.type", "deny"),
            attribute("gen_ai.security.decision.reason", "a secret of jane.doe@example.test"),
        ]);
        let call = span(3, Some(1), "chat", &[
            attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.provider.name", "openai"),
            attribute("gen_ai.request.model", "gpt-4o"), attribute("gen_ai.response.finish_reasons", "content_filter"),
        ]);
        let root = span(1, None, "ask", &[attribute("runledger.run_id", "named"), attribute("gen_ai.operation.name", "invoke_agent"),
            attribute("gen_ai.agent.name", "helper")]);
        // The guardrail comes before the run's name is known, the call together with it; then everything again.
        export(&app, std::slice::from_ref(&guardrail)).await;
        export(&app, &[call.clone(), root.clone()]).await;
        export(&app, &[root, call, guardrail]).await;
        app.seal_all().await;
        let answer = app.query("{ llmRun(runId: \"named\") { traceId governance { totalEvents blocked events { nodes {
            eventType entityType entityId policyId ruleId verdict action decision
            entry { runId correlationId actorType actorId sourceComponent reason after metadata { traceId } } } } } }
            auditEntries { totalCount { value } } }").await;
        let trace = answer["llmRun"]["traceId"].clone();
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        let governance = &answer["llmRun"]["governance"];
        assert_eq!((&governance["totalEvents"], &governance["blocked"]), (&json!(2), &json!(true)), "{answer}");
        assert_eq!(answer["auditEntries"]["totalCount"]["value"], 2);
        let events = governance["events"]["nodes"].as_array().expect("nodes");
        assert_eq!(events[0]["entityId"], "openai.content_filter");
        assert_eq!((&events[0]["entry"]["runId"], &events[1]["entry"]["runId"]), (&json!("named"), &trace));
        let mut guarded = events[1].clone();
        let entry = guarded["entry"].take();
        assert_eq!(guarded, json!({ "eventType": "PolicyEvaluated", "entityType": "POLICY_RULE", "entityId": "pii", "policyId": "p",
            "ruleId": null, "verdict": "DENY", "action": "BLOCKED", "decision": "DENY", "entry": null }));
        assert_eq!((&entry["correlationId"], &entry["metadata"]["traceId"], &entry["sourceComponent"]), (&trace, &trace, &json!("otlp")));
        assert_eq!((&entry["actorType"], &entry["actorId"]), (&json!("SYSTEM"), &json!("shop")));
        assert_eq!(entry["reason"], "a secret of [REDACTED]");
        assert_eq!(entry["after"]["span_id"], "0000000000000002");
    }

    async fn a_page_of_50_runs_with_governance_takes_three_statements(db: TestDb) {
        let app = TestApp::on(&db).await;
        let runs = (0..60).fold(Unit::of("ours", &db.clock), |unit, n| {
            unit.run(LlmRun { trace_id: Some(trace_id(&format!("t{n}"))), ..seed::run(&format!("r{n}")) })
        });
        all_new(app.store.append(runs.unit).await.expect("written"));
        let entries: Vec<_> = (0..60)
            .flat_map(|n| [governed(&format!("r{n}"), "LimitBreached"), governed(&format!("t{n}"), "LimitUpdated")])
            .collect();
        write(&app.store, &db.clock, "ours", entries, None).await;
        let query = "query($first: Int!) { llmRuns(first: $first) { nodes { runId governance { totalEvents blocked
            events(first: 10) { nodes { timestamp eventType decision entry { id } } pageInfo { hasNextPage } } metadata { policyIds } } } } }";
        for first in [1, 10, 50] {
            let (answer, statements) = app.counted(query, json!({ "first": first })).await;
            let nodes = answer["llmRuns"]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), first);
            for node in nodes {
                assert_eq!(node["governance"]["totalEvents"], 2);
                let events: Vec<_> = node["governance"]["events"]["nodes"].as_array().expect("nodes").iter().map(|event| event["eventType"].as_str()).collect();
                assert_eq!(events, [Some("LimitUpdated"), Some("LimitBreached")]);
            }
            assert!(statements <= 3, "{statements} statements for a page of {first}");
        }
    }
}
