//! The server's own entries: who was denied, who was allowed, who came for the first time, which keys there are.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use runledger::domain::scope::Permission;
use runledger::facade::access::ENTRIES_A_MINUTE;
use runledger::facade::authorize::{Access, TABLE};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::{Encoding, TestApp};
use crate::support::db::TestDb;
use crate::support::ledger::{audit_entries, system_records};
use crate::support::seed::tenant;
use crate::support::walk::Schema;

const CREATE: &str = "mutation($input: CreateApiKeyInput!) {
    createApiKey(input: $input) { token apiKey { keyId name scopes createdAt expiresAt revokedAt } } }";
const REVOKE: &str =
    "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { keyId revokedAt } } }";

async fn closed(db: &TestDb) -> TestApp {
    TestApp::with(db, AuthSettings::Required(None), GraphqlLimits::default()).await
}

async fn token(app: &TestApp, permissions: &[Permission]) -> String {
    let permissions = permissions.iter().copied().collect();
    app.logs.create_api_key(tenant("ours"), None, permissions, None).await.expect("a key").1
}

fn key_id(token: &str) -> String {
    token.split('_').nth(1).expect("an id").to_owned()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

async fn of_event(db: &TestDb, category: &str, event: &str) -> Vec<Value> {
    audit_entries(db, category).await.into_iter().filter(|entry| entry["event"] == event).collect()
}

const INPUTS: &str = "{ __schema { types { kind name enumValues { name }
    inputFields { name defaultValue type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

/// The least value of an input type that passes validation.
fn least(types: &[Value], reference: &Value) -> Value {
    match reference["kind"].as_str() {
        Some("NON_NULL") => least(types, &reference["ofType"]),
        Some("LIST") => json!([]),
        _ => {
            let name = reference["name"].as_str().expect("a named type");
            let definition = types.iter().find(|each| each["name"] == name).expect("a type");
            match (definition["kind"].as_str(), name) {
                (Some("INPUT_OBJECT"), _) => {
                    let fields = definition["inputFields"].as_array().expect("fields");
                    let needed = fields
                        .iter()
                        .filter(|field| field["type"]["kind"] == "NON_NULL" && field["defaultValue"].is_null())
                        .map(|field| {
                            (field["name"].as_str().expect("a name").to_owned(), least(types, &field["type"]))
                        });
                    Value::Object(needed.collect())
                }
                (Some("ENUM"), _) => definition["enumValues"][0]["name"].clone(),
                (_, "Boolean") => json!(false),
                (_, "Int" | "Float" | "SafeInt") => json!(1),
                (_, "DateTime") => json!("2026-11-21T08:00:00Z"),
                (_, "Sha256") => json!("00".repeat(32)),
                (_, "Decimal" | "BigInt") => json!("1"),
                _ => json!("x"),
            }
        }
    }
}

/// A document that asks for one root field, with arguments that pass validation.
fn document(schema: &Schema, root: &str, field: &Value) -> String {
    let argument = |_: &str, name: &str| match name {
        "by" | "left" | "right" => Some("{ traceId: \"x\" }".to_owned()),
        "input" => Some("$input".to_owned()),
        "representations" => Some("[{ __typename: \"LlmRun\", runId: \"x\" }]".to_owned()),
        "first" => Some("1".to_owned()),
        "runId" | "id" | "key" | "text" | "policyId" | "incidentId" => Some("\"x\"".to_owned()),
        _ => None,
    };
    if field["name"] == "_entities" {
        return "{ _entities(representations: [{ __typename: \"LlmRun\", runId: \"x\" }]) { __typename } }".to_owned();
    }
    let selected = schema.select(field, 1, &argument).unwrap_or_else(|| panic!("{field} has arguments to learn"));
    match root {
        "Query" => format!("{{ {selected} }}"),
        _ => format!("mutation($input: {}!) {{ {selected} }}", input_type(field)["name"].as_str().expect("a name")),
    }
}

fn input_type(field: &Value) -> &Value {
    let argument = &field["args"][0]["type"];
    if argument["kind"] == "NON_NULL" { &argument["ofType"] } else { argument }
}

db_test! {
    async fn every_denial_is_in_the_ledger_for_every_root_field(db: TestDb) {
        let app = closed(&db).await;
        let schema = Schema::of(&TestApp::on(&db).await).await;
        let types = TestApp::on(&db).await.query(INPUTS).await["__schema"]["types"].take();
        let types = types.as_array().expect("types");
        // A key that opens nothing that the table asks for.
        let key = token(&app, &[Permission::PlatformWrite]).await;
        let nobody = app.with_key(&key);
        let mut asked = BTreeSet::new();
        for root in ["Query", "Mutation"] {
            for field in schema.fields(root) {
                let name = field["name"].as_str().expect("a name");
                let needs = TABLE.iter().find(|(listed, _)| *listed == name).expect("in the table").1;
                let Access::Needs(permission) = needs else { continue };
                let input = if root == "Mutation" { least(types, input_type(field)) } else { Value::Null };
                let answer = nobody.raw_query(&document(&schema, root, field), json!({ "input": input })).await;
                assert_eq!(code(&answer), "FORBIDDEN", "{name}: {answer}");
                asked.insert((name.to_owned(), permission.as_str().to_owned()));
            }
        }
        assert_eq!(nobody.post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 403);
        asked.insert(("otlp".to_owned(), "runs:write".to_owned()));

        let denied = of_event(&db, "AUTHORIZATION", "AccessDenied").await;
        let found: BTreeSet<(String, String)> = denied.iter().map(|entry| {
            assert_eq!((&entry["verdict"], &entry["action"], &entry["tenant"]), (&json!("DENY"), &json!("BLOCKED"), &json!("ours")));
            assert_eq!(entry["actor"], json!(format!("key:{}", key_id(&key))));
            let text = |name: &str| entry[name].as_str().expect("a text").to_owned();
            (text("entityId"), text("rule"))
        }).collect();
        assert_eq!(found, asked);
        assert!(asked.len() >= 18, "{asked:?}");
    }

    async fn what_is_denied_below_a_root_field_is_in_the_ledger_too(db: TestDb) {
        let app = closed(&db).await;
        let reader = app.with_key(&token(&app, &[Permission::RunsRead, Permission::RunsWrite]).await);
        let input = json!({ "input": { "traceId": "t", "plan": { "goal": "private" } } });
        reader.query_with("mutation($input: StartTraceInput!) { startTrace(input: $input) { trace { id } } }", input).await;
        let answer = reader.raw_query("query Plan { trace(by: { traceId: \"t\" }) { plan } }", json!({})).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{answer}");
        let denied = of_event(&db, "AUTHORIZATION", "AccessDenied").await;
        assert_eq!(denied.len(), 1, "{denied:#?}");
        assert_eq!((&denied[0]["entityId"], &denied[0]["rule"]), (&json!("Plan"), &json!("payloads:read")));
    }

    async fn who_has_no_valid_key_is_in_the_ledger_too(db: TestDb) {
        let app = closed(&db).await;
        let good = token(&app, &[Permission::RunsRead]).await;
        let id = key_id(&good);
        let wrong = format!("rl_{id}_00");
        for (key, status) in [(&wrong, 401), (&"rl_0011223344556677_hunter2secret".to_owned(), 401), (&"hunter2secret".to_owned(), 401)] {
            assert_eq!(app.with_key(key).ask("{ viewer { actorId } }", json!({})).await.status, status);
        }
        assert_eq!(app.post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 401, "without any");
        let denied = of_event(&db, "AUTHORIZATION", "AccessDenied").await;
        let seen: Vec<_> = denied.iter().map(|entry| (&entry["tenant"], &entry["entity"], &entry["entityId"], &entry["after"]["operation"])).collect();
        let (ours, platform) = (json!("ours"), json!("platform"));
        let (api_key, principal) = (json!("API_KEY"), json!("PRINCIPAL"));
        let (known, unknown) = (json!(id), json!("unknown"));
        let (graphql, otlp) = (json!("/graphql"), json!("otlp"));
        assert_eq!(seen, [
            (&ours, &api_key, &known, &graphql),
            (&platform, &principal, &unknown, &graphql),
            (&platform, &principal, &unknown, &graphql),
            (&platform, &principal, &unknown, &otlp),
        ]);
        let kept: Vec<String> = db.query("SELECT text FROM payload").await.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert!(!kept.concat().contains("hunter2"), "what was sent is not kept: {kept:?}");
    }

    async fn a_flood_of_refusals_is_bounded_and_none_is_lost(db: TestDb) {
        let app = closed(&db).await;
        let flood = ENTRIES_A_MINUTE + 25;
        for _ in 0..flood {
            assert_eq!(app.with_key("rl_0011223344556677_x").ask("{ viewer { actorId } }", json!({})).await.status, 401);
        }
        let denied = async || of_event(&db, "AUTHORIZATION", "AccessDenied").await;
        assert_eq!(denied().await.len() as u64, u64::from(ENTRIES_A_MINUTE));
        // Another caller is not held back by it.
        let other = app.with_key(&token(&app, &[Permission::RunsWrite]).await);
        assert_eq!(code(&other.raw_query("{ llmRun(runId: \"r\") { id } }", json!({})).await), "FORBIDDEN");
        assert_eq!(denied().await.len() as u64, u64::from(ENTRIES_A_MINUTE) + 1);
        app.clock.advance_us(60_000_000);
        app.logs.flush_own_audit(false).await.expect("flushes");
        let counted = denied().await;
        assert_eq!(counted.len() as u64, u64::from(ENTRIES_A_MINUTE) + 2);
        let total: u64 = counted.iter().filter(|entry| entry["tenant"] == "platform")
            .map(|entry| entry["after"]["repeat_count"].as_u64().expect("a count").max(1)).sum();
        assert_eq!(total, u64::from(flood));
    }

    async fn allows_are_recorded_once_a_key_operation_and_minute(db: TestDb) {
        let app = closed(&db).await;
        let key = token(&app, &[Permission::RunsRead, Permission::RunsWrite]).await;
        let caller = app.with_key(&key);
        let ask = async || {
            caller.query("{ a: llmRuns { nodes { id } } b: llmRuns { nodes { id } } viewer { actorId } }").await;
            caller.query("{ traces { nodes { id } } }").await;
            assert_eq!(caller.post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 200);
        };
        ask().await;
        ask().await;
        let allowed = async || of_event(&db, "AUTHORIZATION", "AccessAllowed").await;
        let operations = |entries: &[Value]| entries.iter().map(|entry| entry["entityId"].as_str().expect("text").to_owned()).collect::<Vec<_>>();
        let first = allowed().await;
        assert_eq!(operations(&first), ["llmRuns", "traces", "otlp"]);
        assert_eq!((&first[0]["verdict"], &first[0]["action"]), (&json!("ALLOW"), &json!("ALLOWED")));
        assert_eq!((&first[0]["rule"], &first[0]["actor"]), (&json!("runs:read"), &json!(format!("key:{}", key_id(&key)))));
        app.clock.advance_us(59_999_999);
        ask().await;
        assert_eq!(allowed().await.len(), 3);
        app.clock.advance_us(1);
        ask().await;
        assert_eq!(allowed().await.len(), 6);
    }

    async fn each_key_has_its_own_allows_also_where_requests_come_together(db: TestDb) {
        let app = closed(&db).await;
        let keys = [token(&app, &[Permission::RunsRead]).await, token(&app, &[Permission::RunsRead]).await];
        let allowed = async || {
            let entries = of_event(&db, "AUTHORIZATION", "AccessAllowed").await;
            let mut of_keys: Vec<(String, String)> = entries.iter()
                .map(|entry| (entry["actor"].to_string(), entry["entityId"].to_string())).collect();
            of_keys.sort();
            of_keys
        };
        let ask = async || {
            // Operations in both orders: none waits for another that waits for it.
            let texts = ["{ llmRuns { nodes { id } } traces { nodes { id } } }", "{ traces { nodes { id } } llmRuns { nodes { id } } }"];
            let callers = keys.iter().map(|key| app.with_key(key)).collect::<Vec<_>>();
            let asked = callers.iter().flat_map(|caller| texts.iter().cycle().take(10).map(|text| caller.query(text)));
            join_all(asked).await;
        };
        ask().await;
        let mut once: Vec<(String, String)> = keys.iter()
            .flat_map(|key| ["llmRuns", "traces"].map(|field| (json!(format!("key:{}", key_id(key))).to_string(), json!(field).to_string())))
            .collect();
        once.sort();
        assert_eq!(allowed().await, once);
        app.clock.advance_us(59_999_999);
        ask().await;
        assert_eq!(allowed().await, once);
        app.clock.advance_us(1);
        ask().await;
        let twice: Vec<_> = once.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        assert_eq!(allowed().await, twice, "a minute later each key once more");
    }

    async fn a_principal_is_seen_for_the_first_time_once(db: TestDb) {
        let app = closed(&db).await;
        let key = token(&app, &[Permission::RunsRead]).await;
        for _ in 0..3 {
            app.with_key(&key).query("{ llmRuns { nodes { id } } }").await;
        }
        // A process that starts later knows it, too.
        closed(&db).await.with_key(&key).query("{ llmRuns { nodes { id } } }").await;
        let seen = of_event(&db, "IDENTITY", "PrincipalFirstSeen").await;
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert_eq!((&seen[0]["entity"], &seen[0]["entityId"]), (&json!("PRINCIPAL"), &json!(format!("key:{}", key_id(&key)))));
        assert_eq!(seen[0]["after"]["scopes"], json!(["runs:read"]));
    }

    async fn keys_are_made_and_revoked_by_mutation_and_no_secret_is_kept(db: TestDb) {
        let app = closed(&db).await;
        let admin = app.with_key(&token(&app, &[Permission::Admin]).await);
        let input = json!({ "name": "collector", "scopes": ["runs:write"], "expiresAt": "2030-01-01T00:00:00Z" });
        let made = admin.query_with(CREATE, json!({ "input": input })).await["createApiKey"].take();
        let (made_token, id) = (made["token"].as_str().expect("a token"), made["apiKey"]["keyId"].as_str().expect("an id"));
        assert_eq!((&made["apiKey"]["scopes"], &made["apiKey"]["revokedAt"]), (&json!(["runs:write"]), &Value::Null));
        assert_eq!(app.with_key(made_token).post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 200);

        let revoked = admin.query_with(REVOKE, json!({ "input": { "keyId": id } })).await["revokeApiKey"].take();
        assert!(revoked["apiKey"]["revokedAt"].is_string(), "{revoked}");
        assert_eq!(app.with_key(made_token).post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 401);
        admin.query_with(REVOKE, json!({ "input": { "keyId": id } })).await;
        let missing = admin.raw_query(REVOKE, json!({ "input": { "keyId": "0011223344556677" } })).await;
        assert_eq!(code(&missing), "NOT_FOUND", "{missing}");

        let entries: Vec<Value> = audit_entries(&db, "IDENTITY").await.into_iter().filter(|entry| entry["entityId"] == *id).collect();
        let events: Vec<&Value> = entries.iter().map(|entry| &entry["event"]).collect();
        assert_eq!(events, [&json!("ApiKeyCreated"), &json!("ApiKeyRevoked")], "each once: {entries:#?}");
        assert_eq!(entries[0]["after"]["name"], "collector");
        assert_eq!((&entries[1]["before"]["revoked_at"], entries[1]["after"]["revoked_at"].is_string()), (&Value::Null, true));
        let secret = made_token.rsplit('_').next().expect("a secret");
        let kept: Vec<String> = db.query("SELECT text FROM payload").await.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert!(!kept.concat().contains(secret));

        let changes: Vec<Value> = system_records(&db, "ours").await;
        assert!(changes.iter().all(|record| record["event"] == "AUTH_CHANGE" && record["component"] == "AUTH"), "{changes:#?}");
        assert_eq!(changes.len(), 3, "the admin's key, the new key, its end");
        assert!(system_records(&db, "platform").await.is_empty(), "who has keys is the tenant's business");
    }

    async fn a_key_gives_no_scope_that_it_lacks(db: TestDb) {
        let app = closed(&db).await;
        let admin = app.with_key(&token(&app, &[Permission::Admin]).await);
        let create = async |caller: &TestApp, scopes: &[&str]| {
            caller.raw_query(CREATE, json!({ "input": { "scopes": scopes } })).await
        };
        assert_eq!(code(&create(&admin, &["runs:read", "admin", "audit:write"]).await), "");
        assert_eq!(code(&create(&admin, &["platform:write"]).await), "FORBIDDEN");
        assert_eq!(code(&create(&admin, &["everything"]).await), "BAD_USER_INPUT");
        assert_eq!(code(&create(&admin, &[]).await), "BAD_USER_INPUT");
        let platform = app.with_key(&token(&app, &[Permission::Admin, Permission::PlatformWrite]).await);
        assert_eq!(code(&create(&platform, &["platform:write"]).await), "");
        let long = json!({ "input": { "name": "x".repeat(129), "scopes": ["runs:read"] } });
        assert_eq!(code(&admin.raw_query(CREATE, long).await), "BAD_USER_INPUT");
        let past = json!({ "input": { "scopes": ["runs:read"], "expiresAt": "2020-01-01T00:00:00Z" } });
        assert_eq!(code(&admin.raw_query(CREATE, past).await), "BAD_USER_INPUT");
    }

    async fn the_platform_is_nobodys_tenant(db: TestDb) {
        let app = TestApp::on(&db).await;
        let answer = app.other_tenant("platform").ask("{ viewer { actorId } }", json!({})).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(code(&answer.json()), "BAD_USER_INPUT");
        let reads = [Permission::RunsRead].into_iter().collect();
        let refused = app.logs.create_api_key(tenant("platform"), None, reads, None).await;
        assert_eq!(refused.err().map(|error| error.code().as_str()), Some("BAD_USER_INPUT"));
    }

    async fn idempotency_keys_are_forgotten_after_their_time(db: TestDb) {
        let app = TestApp::on(&db).await;
        let start = async |trace: &str| {
            let input = json!({ "input": { "traceId": trace, "idempotencyKey": "k" } });
            app.raw_query("mutation($input: StartTraceInput!) { startTrace(input: $input) { isReplayed } }", input).await
        };
        assert_eq!(start("t").await["data"]["startTrace"]["isReplayed"], false);
        app.clock.advance_us(86_400_000_000);
        assert_eq!(app.logs.forget_idempotency_keys().await.expect("sweeps"), 0);
        assert_eq!(start("t").await["data"]["startTrace"]["isReplayed"], true);
        assert_eq!(code(&start("u").await), "CONFLICT");
        app.clock.advance_us(1);
        assert_eq!(app.logs.forget_idempotency_keys().await.expect("sweeps"), 1);
        assert_eq!(start("u").await["data"]["startTrace"]["isReplayed"], false);
    }
}
