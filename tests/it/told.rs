//! What writers are told: of what they wrote freely, of anything else only as readers.

use runledger::domain::scope::Permission;
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::ledger::audit_entries;
use crate::support::seed::tenant;

async fn closed(db: &TestDb) -> TestApp {
    TestApp::with(db, AuthSettings::Required(None), GraphqlLimits::default()).await
}

async fn with(app: &TestApp, permissions: &[Permission]) -> TestApp {
    let permissions = permissions.iter().copied().collect();
    app.with_key(&app.logs.create_api_key(tenant("ours"), None, permissions, None).await.expect("a key").1)
}

/// Calls a mutation that takes `<Name>Input`: what it gives, and the code of the first error.
async fn call(app: &TestApp, mutation: &str, input: &Value, selection: &str) -> (Value, Value) {
    let of = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!("mutation($input: {of}!) {{ {mutation}(input: $input) {{ {selection} }} }}");
    let mut answer = app.raw_query(&query, json!({ "input": input })).await;
    let code = answer.pointer("/errors/0/extensions/code").cloned().unwrap_or_default();
    (answer["data"][mutation].take(), code)
}

/// The looks that are on record.
async fn looks(db: &TestDb) -> Vec<Value> {
    audit_entries(db, "ACCESS").await.into_iter().filter(|entry| entry["event"] == "LogViewed").collect()
}

/// The permissions that were found lacking, in order.
async fn denials(db: &TestDb) -> Vec<Value> {
    let entries = audit_entries(db, "AUTHORIZATION").await.into_iter();
    entries.filter(|entry| entry["event"] == "AccessDenied").map(|entry| entry["rule"].clone()).collect()
}

fn step(span: &str) -> Value {
    json!({ "spanId": span, "kind": "LLM", "skillName": "chat", "status": "SUCCESS",
        "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 })
}

db_test! {
    async fn a_write_stands_in_its_answer_whatever_is_selected_below(db: TestDb) {
        let app = closed(&db).await;
        let writer = with(&app, &[Permission::RunsWrite, Permission::AuditWrite]).await;
        for (mutation, input, selection, field) in [
            ("recordLlmRun", json!({ "runId": "r", "steps": [step("a")] }), "run { replay { events { action } } }", "run"),
            ("recordLlmRun", json!({ "runId": "q", "steps": [step("a")] }), "trace { totals { calls } }", "trace"),
            ("recordTrace", json!({ "traceId": "t", "steps": [step("a")] }), "trace { steps { nodes { id } } }", "trace"),
            ("startTrace", json!({ "traceId": "u" }), "trace { totals { calls } }", "trace"),
            ("recordPolicyActivation", json!({ "policyId": "p", "sourcePatternId": "s", "confidence": 0.5, "confidenceVersion": "1", "approvalPath": "auto" }),
                "policyActivation { policy { activations { nodes { id } } } }", "policyActivation"),
        ] {
            let (given, code) = call(&writer, mutation, &input, &format!("isReplayed {selection}")).await;
            assert_eq!((&given["isReplayed"], &given[field], &code), (&json!(false), &Value::Null, &json!("FORBIDDEN")), "{mutation} {selection}: {given}");
        }
    }

    async fn a_gateway_enters_with_what_each_entity_needs(db: TestDb) {
        let app = closed(&db).await;
        let auditor = with(&app, &[Permission::AuditRead, Permission::AuditWrite]).await;
        let input = json!({ "entries": [{ "eventType": "LimitBreached", "entityType": "LIMIT", "entityId": "l" }] });
        let (given, _) = call(&auditor, "appendAuditEntries", &input, "results { entry { id } }").await;
        let id = given["results"][0]["entry"]["id"].clone();
        let query = "query($of: [_Any!]!) { _entities(representations: $of) { __typename ... on AuditEntry { id } ... on Policy { id } } }";
        let of = json!([{ "__typename": "AuditEntry", "id": id }, { "__typename": "Policy", "id": "p" }, { "__typename": "LlmRun", "runId": "r" }]);
        let answer = auditor.raw_query(query, json!({ "of": of })).await;
        assert_eq!(answer["data"]["_entities"], json!([{ "__typename": "AuditEntry", "id": id }, { "__typename": "Policy", "id": "p" }, null]), "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
        assert!(answer["errors"][0]["message"].as_str().expect("a message").contains("runs:read"), "{answer}");
    }

    async fn a_trace_that_an_earlier_call_began_is_read_by_readers_only(db: TestDb) {
        let app = closed(&db).await;
        let owner = with(&app, &[Permission::RunsRead, Permission::RunsWrite]).await;
        let writer = with(&app, &[Permission::RunsWrite]).await;
        for trace in ["one", "two", "three"] {
            assert_eq!(call(&owner, "startTrace", &json!({ "traceId": trace }), "trace { id }").await.1, Value::Null);
        }
        let selection = "isReplayed trace { traceId }";
        let ways = [
            ("recordSteps", json!({ "traceId": "one", "steps": [] })),
            ("recordSteps", json!({ "traceId": "one", "steps": [step("a")] })),
            ("completeTrace", json!({ "traceId": "two" })),
            ("abortTrace", json!({ "traceId": "three" })),
        ];
        for (mutation, input) in &ways {
            let (given, code) = call(&writer, mutation, input, selection).await;
            assert_eq!(code, "FORBIDDEN", "{mutation}");
            assert_eq!(given, json!({ "isReplayed": false, "trace": null }), "the write stands");
        }
        assert!(looks(&db).await.is_empty(), "nothing was read");
        assert_eq!(denials(&db).await, [json!("runs:read"), json!("runs:read"), json!("runs:read"), json!("runs:read")]);
        let statuses = owner.query("{ traces { nodes { traceId status totalSteps } } }").await["traces"]["nodes"].take();
        assert_eq!(statuses, json!([
            { "traceId": "three", "status": "ABORTED", "totalSteps": 0 },
            { "traceId": "two", "status": "COMPLETED", "totalSteps": 0 },
            { "traceId": "one", "status": "RUNNING", "totalSteps": 1 },
        ]));

        let before = looks(&db).await.len();
        let (given, code) = call(&owner, "recordSteps", &json!({ "traceId": "one", "steps": [step("b")] }), "results { step { id } } trace { id totalSteps }").await;
        assert_eq!((&code, &given["trace"]["totalSteps"]), (&Value::Null, &json!(2)), "{given}");
        let looks = looks(&db).await;
        assert_eq!(looks.len(), before + 1, "a reader who selects the trace has looked at it");
        assert_eq!(looks[before]["after"]["record_ids"], json!([given["trace"]["id"]]), "and at nothing of what it wrote itself");
        call(&owner, "recordSteps", &json!({ "traceId": "one", "steps": [step("c")] }), "results { step { id } }").await;
        assert_eq!(self::looks(&db).await.len(), before + 1, "who does not select it has not");
    }

    async fn a_step_that_was_on_record_before_is_shown_to_readers_only(db: TestDb) {
        let app = closed(&db).await;
        let owner = with(&app, &[Permission::RunsRead, Permission::RunsWrite]).await;
        let writer = with(&app, &[Permission::RunsWrite]).await;
        call(&owner, "startTrace", &json!({ "traceId": "t" }), "isReplayed").await;
        let (first, _) = call(&owner, "recordSteps", &json!({ "traceId": "t", "steps": [step("a")] }), "results { step { id } }").await;
        let again = json!({ "traceId": "t", "steps": [step("a"), step("b")] });
        let selection = "results { outcome differs step { spanId } error { code } }";
        let (given, _) = call(&writer, "recordSteps", &again, selection).await;
        assert_eq!(given["results"], json!([
            { "outcome": "EXISTING", "differs": false, "step": null, "error": { "code": "FORBIDDEN" } },
            { "outcome": "RECORDED", "differs": false, "step": { "spanId": "b" }, "error": null },
        ]));
        assert_eq!(denials(&db).await, [json!("runs:read")]);
        assert!(looks(&db).await.is_empty());
        let (given, _) = call(&owner, "recordSteps", &again, selection).await;
        assert_eq!(given["results"][0]["step"]["spanId"], "a", "{given}");
        let looks = looks(&db).await;
        assert_eq!(looks.len(), 1, "{looks:#?}");
        assert!(looks[0]["after"]["record_ids"].to_string().contains(first["results"][0]["step"]["id"].as_str().expect("an id")));
    }

    async fn an_answer_is_given_again_to_whoever_asked_first_and_else_to_readers(db: TestDb) {
        let app = closed(&db).await;
        let run = json!({ "runId": "r", "provider": "p", "model": "m", "executionStatus": "SUCCEEDED", "startedAt": "2026-11-21T08:00:00Z",
            "completedAt": "2026-11-21T08:00:01Z", "idempotencyKey": "k1" });
        let entry = json!({ "eventType": "PolicyEvaluated", "category": "GOVERNANCE", "entityType": "POLICY_RULE", "entityId": "p" });
        let record = json!({ "component": "API", "eventType": "DEPLOY", "summary": "version 7", "occurredAt": "2026-11-21T08:00:00Z" });
        let incident = json!({ "incidentId": "i", "severity": "HIGH", "status": "open", "title": "t", "openedAt": "2026-11-21T08:00:00Z", "idempotencyKey": "k5" });
        let policy = json!({ "policyId": "p", "sourcePatternId": "s", "confidence": 0.5, "confidenceVersion": "1", "approvalPath": "auto",
            "activatedAt": "2026-11-21T08:00:00Z", "idempotencyKey": "k6" });
        let (runs, audit, system) = (Permission::RunsWrite, Permission::AuditWrite, Permission::SystemWrite);
        // The mutation, who may write so, what reading it back needs, and where a record is in the answer.
        let ways = [
            ("recordLlmRun", runs, Permission::RunsRead, run, "run { id }", "/run/id"),
            ("startTrace", runs, Permission::RunsRead, json!({ "traceId": "t", "idempotencyKey": "k2" }), "trace { id }", "/trace/id"),
            ("recordTrace", runs, Permission::RunsRead, json!({ "traceId": "u", "steps": [step("a")], "idempotencyKey": "k3" }), "trace { id } run { id }", "/run/id"),
            ("recordSteps", runs, Permission::RunsRead, json!({ "traceId": "t", "steps": [step("a")], "idempotencyKey": "k4" }), "results { step { id } }", "/results/0/step/id"),
            ("completeTrace", runs, Permission::RunsRead, json!({ "traceId": "t", "idempotencyKey": "k7" }), "run { id }", "/run/id"),
            ("appendAuditEntries", audit, Permission::AuditRead, json!({ "entries": [entry], "idempotencyKey": "k8" }), "results { entry { id } }", "/results/0/entry/id"),
            ("recordIncidentEvidence", audit, Permission::RunsRead, incident, "incidentEvidence { id }", "/incidentEvidence/id"),
            ("recordPolicyActivation", audit, Permission::RunsRead, policy, "policyActivation { id }", "/policyActivation/id"),
            ("recordSystemRecords", system, Permission::SystemRead, json!({ "records": [record], "idempotencyKey": "k9" }), "results { record { id } }", "/results/0/record/id"),
        ];
        let writes = [runs, audit, system];
        let (first, other) = (with(&app, &writes).await, with(&app, &writes).await);
        for (mutation, write, read, input, selection, at) in &ways {
            let seen = looks(&db).await.len();
            let (given, code) = call(&first, mutation, input, &format!("isReplayed {selection}")).await;
            let id = given.pointer(at).unwrap_or_else(|| panic!("{mutation}: {code} {given}")).clone();
            let (again, code) = call(&first, mutation, input, &format!("isReplayed {selection}")).await;
            assert_eq!((again.pointer(at), &again["isReplayed"], &code), (Some(&id), &json!(true), &Value::Null), "{mutation}: {again}");
            assert_eq!(looks(&db).await.len(), seen, "{mutation}: to be told one's own answer again is no read");

            let denied = denials(&db).await.len();
            let (given, _) = call(&other, mutation, input, &format!("isReplayed {selection}")).await;
            assert_eq!(looks(&db).await.len(), seen, "{mutation}");
            assert!(!given.to_string().contains(id.as_str().expect("an id")), "{mutation} shows what another key wrote: {given}");
            let denials = denials(&db).await;
            assert_eq!((denials.len(), &denials[denied]), (denied + 1, &json!(read.as_str())), "{mutation}");

            let reader = with(&app, &[*write, *read]).await;
            let (given, code) = call(&reader, mutation, input, &format!("isReplayed {selection}")).await;
            assert_eq!(given.pointer(at), Some(&id), "{mutation}: {code} {given}");
            let looks = looks(&db).await;
            assert!(looks.last().is_some_and(|look| look["after"]["record_ids"].to_string().contains(id.as_str().expect("an id"))), "{mutation}: {looks:#?}");
        }
    }

    async fn what_lies_behind_a_written_record_needs_its_own_permission(db: TestDb) {
        let app = closed(&db).await;
        let writer = with(&app, &[Permission::RunsWrite, Permission::AuditWrite, Permission::SystemWrite]).await;
        let input = json!({ "runId": "r", "trace": { "traceId": "r" }, "steps": [step("a")] });
        for (mutation, input, selection) in [
            ("recordLlmRun", input, &["run { ledgerEntry { leafHash } }", "receipt", "run { trace { totalSteps } }", "run { governance { totalEvents } }",
                "run { revisions { id } }", "trace { steps { nodes { id } } }", "trace { plan }", "run { system { events { truncated } } }"][..]),
            ("appendAuditEntries", json!({ "entries": [{ "eventType": "PolicyEvaluated", "category": "GOVERNANCE", "entityType": "POLICY_RULE", "entityId": "p" }] }),
                &["results { entry { ledgerEntry { leafHash } } }", "results { receipt }", "results { entry { changes { truncated } } }"][..]),
            ("recordSystemRecords", json!({ "records": [{ "component": "API", "eventType": "DEPLOY", "summary": "s" }] }),
                &["results { record { ledgerEntry { leafHash } } }", "results { receipt }"][..]),
            ("recordIncidentEvidence", json!({ "incidentId": "i", "severity": "HIGH", "status": "o", "title": "t", "openedAt": "2026-11-21T08:00:00Z" }),
                &["incidentEvidence { ledgerEntry { leafHash } }", "receipt", "incidentEvidence { run { id } }"][..]),
            ("recordPolicyActivation", json!({ "policyId": "p", "sourcePatternId": "s", "confidence": 0.5, "confidenceVersion": "1", "approvalPath": "auto" }),
                &["policyActivation { ledgerEntry { leafHash } }", "receipt", "policyActivation { policy { currentActivation { id } } }",
                    "policyActivation { policy { governanceEvents { nodes { id } } } }"][..]),
        ] {
            for (place, selected) in selection.iter().enumerate() {
                let mut input = input.clone();
                for name in ["runId", "incidentId"] {
                    if let Some(id) = input.get_mut(name) {
                        *id = json!(format!("{place}"));
                    }
                }
                if let Some(trace) = input.get_mut("trace") {
                    trace["traceId"] = json!(format!("{place}"));
                }
                if mutation == "recordIncidentEvidence" {
                    input["sourceRunId"] = json!("0");
                }
                let (_, code) = call(&writer, mutation, &input, selected).await;
                assert_eq!(code, "FORBIDDEN", "{mutation} {{ {selected} }}");
            }
        }
        assert!(looks(&db).await.is_empty(), "nothing was read");
    }
}
