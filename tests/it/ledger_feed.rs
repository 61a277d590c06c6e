//! The ledger as a feed: every record once, in order, with a leaf that says what the other fields say.

use runledger::clock::Clock;
use runledger::domain::append::{AppendUnit, New};
use runledger::domain::audit::AuditEntry;
use runledger::domain::record::NewRecord;
use runledger::domain::scope::Permission;
use runledger::domain::vocabulary::{ActorType, AuditCategory, AuditEntityType};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::seed;

/// A run with a trace of two steps and a plan, and a trace that is still open.
pub async fn record(app: &TestApp, name: &str) -> Value {
    app.query_with(
        "mutation($run: RecordLlmRunInput!, $open: StartTraceInput!) {
           recordLlmRun(input: $run) { run { id } trace { id seals { id } steps { nodes { id } } } }
           startTrace(input: $open) { trace { id } } }",
        json!({ "run": { "runId": name, "provider": "openai", "model": "gpt-4o", "tags": ["b", "a"], "inputTokens": 3,
                "trace": { "traceId": format!("{name}-trace"), "plan": { "goal": "look it up" }, "seed": "-7" },
                "steps": [
                    { "spanId": "a", "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "durationMs": 5,
                      "startedAt": "2026-11-21T08:00:00.25Z", "attributes": { "note": "kept \u{e9}", "n": 1.5 } },
                    { "spanId": "b", "kind": "TOOL", "skillName": "search", "status": "FAILURE", "durationMs": 7,
                      "startedAt": "2026-11-21T08:00:01Z", "outcomeCode": "timeout" }] },
            "open": { "traceId": format!("{name}-open"), "runId": format!("{name}-open") } }),
    )
    .await
}

const PAGE: &str = "query($after: BigInt, $first: Int, $kinds: [RecordKind!]) { ledger { size
    entries(after: $after, first: $first, kinds: $kinds) { nodes { sequence kind } resumeAfter
      pageInfo { hasNextPage hasPreviousPage endCursor } } } }";

/// Pages through the feed, `first` entries at a time; the sequences, and where it ended.
async fn follow(app: &TestApp, mut after: Value, first: u32, kinds: Value) -> (Vec<i64>, Value) {
    let mut seen = Vec::new();
    loop {
        let variables = json!({ "after": after, "first": first, "kinds": kinds });
        let page = app.query_with(PAGE, variables).await["ledger"]["entries"].clone();
        for node in page["nodes"].as_array().expect("nodes") {
            seen.push(node["sequence"].as_str().expect("text").parse().expect("a number"));
        }
        after = page["resumeAfter"].clone();
        if page["pageInfo"]["hasNextPage"] != true {
            return (seen, after);
        }
    }
}

db_test! {
    async fn the_feed_is_resumed_without_a_gap(db: TestDb) {
        let app = TestApp::on(&db).await;
        let empty = app.query("{ ledger { size logId root entries { nodes { sequence } resumeAfter } entry(sequence: \"0\") { kind } } }").await;
        assert_eq!(empty["ledger"], json!({ "size": "0", "logId": null, "root": null,
            "entries": { "nodes": [], "resumeAfter": null }, "entry": null }));
        record(&app, "one").await;
        let (seen, after) = follow(&app, Value::Null, 2, Value::Null).await;
        assert_eq!((seen, &after), ((0..6).collect(), &json!("5")));
        // Nothing new: the same place again. Then news, from there on.
        assert_eq!(follow(&app, after.clone(), 2, Value::Null).await, (vec![], json!("5")));
        record(&app, "two").await;
        assert_eq!(follow(&app, after, 3, Value::Null).await, ((6..12).collect(), json!("11")));
        // A database that was set back is no empty feed.
        let beyond = app.raw_query(PAGE, json!({ "after": "12" })).await;
        assert_eq!(beyond["errors"][0]["extensions"]["code"], "BAD_CURSOR", "{beyond}");
        for (first, code) in [(-1, "BAD_USER_INPUT"), (201, "LIMIT_EXCEEDED")] {
            let refused = app.raw_query(PAGE, json!({ "first": first })).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], code, "{refused}");
        }
    }

    async fn kinds_are_filtered_and_the_feed_goes_on_behind_what_was_left_out(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        record(&app, "two").await;
        let all = app.query("{ ledger { entries { nodes { kind } } } }").await;
        let kinds: Vec<&str> = all["ledger"]["entries"]["nodes"].as_array().expect("nodes").iter()
            .map(|node| node["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds[..6], ["TRACE", "TRACE_STEP", "TRACE_STEP", "TRACE_SEAL", "LLM_RUN", "TRACE"]);
        assert_eq!(follow(&app, Value::Null, 1, json!(["LLM_RUN", "TRACE_SEAL"])).await, (vec![3, 4, 9, 10], json!("11")));
        assert_eq!(follow(&app, Value::Null, 1, json!(["ERASE"])).await, (vec![], json!("11")));
        assert_eq!(follow(&app, json!("4"), 50, json!(["LLM_RUN"])).await, (vec![10], json!("11")));
    }

    async fn a_page_with_leaves_and_records_takes_a_statement_a_kind(db: TestDb) {
        let app = TestApp::on(&db).await;
        for name in ["one", "two", "three", "four", "five"] {
            record(&app, name).await;
        }
        let page = "{ ledger { entries(first: 30) { nodes { leaf record { __typename ... on LlmRun { runId ledgerEntry { sequence } metadata { checksum } } } } } } }";
        let (answer, statements) = app.counted(page, json!({})).await;
        let nodes = answer["ledger"]["entries"]["nodes"].as_array().expect("nodes");
        assert!(nodes.len() == 30 && nodes.iter().all(|node| node["leaf"].is_string() && node["record"].is_object()), "{answer}");
        // The log, its page, four kinds of records, the entries of the runs.
        assert!(statements <= 7, "{statements}");
        let (_, statements) = app.counted("{ llmRuns { nodes { runId metadata { tenantId } } } }", json!({})).await;
        assert_eq!(statements, 1, "a checksum that is not asked for is not read");
    }
}

fn seed_audit(db: &TestDb) -> New<AuditEntry> {
    let record = AuditEntry {
        category: AuditCategory::Governance,
        event_type: "PolicyEvaluated".to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: "rule".to_owned(),
        actor_type: ActorType::System,
        actor_id: None,
        verdict: None,
        action: None,
        policy_id: None,
        rule_id: None,
        run_id: None,
        correlation_id: None,
        source_component: "test".to_owned(),
        occurred_at: db.clock.now(),
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    };
    New { id: db.clock.new_id(), record, payloads: Vec::new() }
}

/// Takes `leaf` apart and checks every member against the field of the API that shows it.
fn check_leaf(leaf: &Value, record: &Value, members: &[(&str, &str)]) {
    let text = leaf.as_str().expect("a leaf");
    let parsed: serde_json::Map<String, Value> = serde_json::from_str(text).expect("JSON");
    let mut named: Vec<&str> = parsed.keys().map(String::as_str).collect();
    named.retain(|name| !matches!(*name, "v" | "kind" | "id" | "tenant_id") && !name.ends_with("_commitment"));
    let mut known: Vec<&str> =
        members.iter().map(|(member, _)| *member).filter(|member| parsed.contains_key(*member)).collect();
    known.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, known, "{text}");
    for (member, field) in members {
        let shown = match &record[field] {
            Value::Number(number) => json!(number.to_string()),
            other => other.clone(),
        };
        assert_eq!(parsed.get(*member).cloned().unwrap_or(Value::Null), shown, "{member} of {text} against {record}");
    }
    let id = record["id"].as_str().expect("an id");
    assert_eq!(parsed["id"], id[4..], "{id}");
}

const ENTRY: &str = "ledgerEntry { sequence kind leafHash leaf recordId record { __typename } }";

db_test! {
    async fn a_leaf_says_what_the_other_fields_say_and_hashes_to_its_entry(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        let answer = app.query(&format!("{{ llmRun(runId: \"one\") {{ id runId revision traceId name tags provider model inputTokens outputTokens
            executionStatus errorType startedAt completedAt source isSynthetic stepCount traceRootHash createdAt sequence metadata {{ checksum sequence }} {ENTRY}
            trace {{ trace {{ id traceId runId seed schemaVersion isSynthetic startedAt createdAt sequence metadata {{ checksum }} {ENTRY}
              seals {{ id traceId revision status stepCount rootHash endedAt createdAt sequence {ENTRY} }}
              steps {{ nodes {{ id traceId spanId attempt kind skillName status outcomeCategory outcomeCode startedAt createdAt sequence durationMs {ENTRY} }} }} }} }} }} }}")).await;
        let run = &answer["llmRun"];
        let trace = &run["trace"]["trace"];
        let (seal, step) = (&trace["seals"][0], &trace["steps"]["nodes"][1]);
        check_leaf(&run["ledgerEntry"]["leaf"], run, &[("run_id", "runId"), ("revision", "revision"), ("trace_id", "traceId"), ("name", "name"), ("tags", "tags"),
            ("provider", "provider"), ("model", "model"), ("input_tokens", "inputTokens"), ("output_tokens", "outputTokens"),
            ("execution_status", "executionStatus"), ("error_type", "errorType"), ("started_at", "startedAt"), ("completed_at", "completedAt"), ("source", "source"),
            ("is_synthetic", "isSynthetic"), ("step_count", "stepCount"), ("trace_root_hash", "traceRootHash"), ("created_at", "createdAt")]);
        check_leaf(&trace["ledgerEntry"]["leaf"], trace, &[("trace_id", "traceId"), ("run_id", "runId"), ("seed", "seed"),
            ("schema_version", "schemaVersion"), ("is_synthetic", "isSynthetic"), ("started_at", "startedAt"), ("created_at", "createdAt")]);
        check_leaf(&seal["ledgerEntry"]["leaf"], seal, &[("revision", "revision"), ("status", "status"), ("step_count", "stepCount"),
            ("root_hash", "rootHash"), ("ended_at", "endedAt"), ("created_at", "createdAt"), ("trace_id", "traceId")]);
        let mut timed = step.clone();
        timed["durationUs"] = json!("7000");
        check_leaf(&step["ledgerEntry"]["leaf"], &timed, &[("trace_id", "traceId"), ("span_id", "spanId"), ("attempt", "attempt"), ("step_kind", "kind"),
            ("skill_name", "skillName"), ("status", "status"), ("outcome_category", "outcomeCategory"), ("outcome_code", "outcomeCode"),
            ("started_at", "startedAt"), ("created_at", "createdAt"), ("duration_us", "durationUs")]);
        for record in [run, trace, seal, step] {
            let entry = &record["ledgerEntry"];
            let mut hash = Sha256::new();
            hash.update([0]);
            hash.update(entry["leaf"].as_str().expect("a leaf"));
            assert_eq!(entry["leafHash"], hex::encode(hash.finalize()), "{entry}");
            assert_eq!((&entry["sequence"], &entry["recordId"]), (&record["sequence"], &record["id"]));
            let by_place = app.query_with("query($at: BigInt!) { ledger { entry(sequence: $at) { leafHash recordId } } }", json!({ "at": record["sequence"] })).await;
            assert_eq!(by_place["ledger"]["entry"], json!({ "leafHash": entry["leafHash"], "recordId": record["id"] }));
        }
        assert_eq!(run["metadata"]["checksum"], run["ledgerEntry"]["leafHash"]);
        assert_eq!(trace["metadata"]["checksum"], seal["ledgerEntry"]["leafHash"], "a sealed trace's metadata is its seal's");
        let node = app.query_with("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": seal["id"] })).await;
        assert_eq!(node["node"], json!({ "__typename": "TraceSeal", "id": seal["id"] }));
    }

    async fn leaf_hashes_are_the_same_on_both_databases(db: TestDb) {
        let app = TestApp::on(&db).await;
        // Digests of content are keyed by fresh entropy; none is in these records, and everything else is injected.
        record(&app, "one").await;
        let answer = app.query("{ ledger { size root entries { nodes { sequence kind leafHash leaf } } } }").await;
        insta::assert_json_snapshot!("leaf_hashes", answer["ledger"]);
    }

    async fn a_tenant_sees_its_own_log_only(db: TestDb) {
        let ours = TestApp::on(&db).await;
        let theirs = ours.other_tenant("other");
        record(&ours, "one").await;
        let recorded = record(&theirs, "two").await;
        let read = "{ ledger { logId root size entries { nodes { recordId leafHash } } } }";
        let (our_log, their_log) = (ours.query(read).await["ledger"].clone(), theirs.query(read).await["ledger"].clone());
        assert_eq!(our_log["size"], "6");
        for field in ["logId", "root"] {
            assert_ne!(our_log[field], their_log[field]);
        }
        let ids = |log: &Value| log["entries"]["nodes"].as_array().expect("nodes").iter().map(|node| node["recordId"].to_string()).collect::<Vec<_>>();
        assert!(ids(&our_log).iter().all(|id| !ids(&their_log).contains(id)));
        let seal = &recorded["recordLlmRun"]["trace"]["seals"][0]["id"];
        assert!(seal.is_string(), "{recorded}");
        let node = "query($id: ID!) { node(id: $id) { id } }";
        assert_eq!(ours.query_with(node, json!({ "id": seal })).await["node"], Value::Null);
        assert_eq!(&theirs.query_with(node, json!({ "id": seal })).await["node"]["id"], seal);
        // The access log is another log: what was read before is in it.
        let access = ours.query("{ ledger(stream: ACCESS) { size stream logId entries { nodes { kind } } } }").await["ledger"].clone();
        assert_eq!((&access["size"], &access["stream"]), (&json!("1"), &json!("ACCESS")));
        assert_eq!(access["entries"]["nodes"], json!([{ "kind": "AUDIT_ENTRY" }]));
        assert_ne!(access["logId"], our_log["logId"]);
    }

    async fn what_one_may_not_read_one_may_not_read_in_the_ledger(db: TestDb) {
        let app = TestApp::with(&db, AuthSettings::Required(None), GraphqlLimits::default()).await;
        let ours = seed::tenant("ours");
        let mut keyed = Vec::new();
        for permissions in [vec![Permission::RunsRead], vec![Permission::RunsRead, Permission::AuditRead]] {
            let permissions = permissions.into_iter().collect();
            let (_, token) = app.logs.create_api_key(ours.clone(), None, permissions, None).await.expect("a key");
            keyed.push(app.with_key(&token));
        }
        let refused = keyed[0].raw_query("{ ledger(stream: ACCESS) { size } }", json!({})).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
        assert!(keyed[1].raw_query("{ ledger(stream: ACCESS) { size } }", json!({})).await.get("errors").is_none());
        // An audit entry in the feed: its place is for all, what it says is for those who may read it.
        let unit = AppendUnit::evidence(ours, vec![NewRecord::Audit(Box::new(seed_audit(&db)), None)]);
        app.store.append(unit).await.expect("appended");
        let feed = "{ ledger { entries(kinds: [AUDIT_ENTRY]) { nodes { kind leafHash leaf } } } }";
        let hidden = keyed[0].raw_query(feed, json!({})).await;
        assert_eq!(hidden["errors"][0]["extensions"]["code"], "FORBIDDEN", "{hidden}");
        let node = &hidden["data"]["ledger"]["entries"]["nodes"][0];
        assert_eq!((&node["kind"], &node["leaf"]), (&json!("AUDIT_ENTRY"), &Value::Null));
        let told = keyed[1].query(feed).await["ledger"]["entries"]["nodes"].clone();
        let leaves = told.as_array().expect("nodes").iter().filter_map(|node| node["leaf"].as_str());
        assert_eq!(leaves.filter(|leaf| leaf.contains("PolicyEvaluated")).count(), 1);
    }
}
