//! A secret in every text that a mutation takes, each a secret of its own: free text is redacted before it is stored, and
//! only identifiers are kept as they are. Inputs are found in the schema, so that a new one is tried without a change here.

use std::collections::BTreeSet;

use regex::bytes::Regex;
use serde_json::{Value, json};

use crate::secrets::stored;
use crate::support::alone::{END_ALONE, RUN_ALONE, TRACE_ALONE};
use crate::support::app::{AppSettings, TestApp};
use crate::support::db::TestDb;
use crate::support::seed::tenant;
use crate::support::walk::{Schema, named};

/// Names of inputs that are the caller's own identifiers: who acted or was served, and names by which records are found
/// again. Every other text is redacted, as it is where it comes by OTLP.
const IDENTIFIERS: [&str; 15] = [
    "actorId",
    "approvalPath",
    "endUserId",
    "entityId",
    "idempotencyKey",
    "incidentId",
    "loopTraceId",
    "parentRunId",
    "parentSpanId",
    "runId",
    "sourcePatternId",
    "sourceRecoveryId",
    "sourceRunId",
    "spanId",
    "traceId",
];

/// Its name, the inputs that must be just so, and what it gives.
type Mutation = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// The mutations, in an order in which each finds what it needs, with what must be just so and what they give.
const MUTATIONS: [Mutation; 15] = [
    ("appendAuditEntries", &[("eventType", "\"Happened\""), ("category", "\"GOVERNANCE\"")], RESULTS),
    ("recordSystemRecords", &[("isPlatformWide", "false")], RESULTS),
    ("recordIncidentEvidence", &[], "isReplayed"),
    ("recordPolicyActivation", &[], "isReplayed"),
    ("recordLlmRun", RUN_ALONE, "run { id }"),
    ("recordTrace", TRACE_ALONE, "trace { id }"),
    ("startTrace", &[("traceId", "\"done\"")], "trace { id }"),
    ("recordSteps", &[("traceId", "\"done\"")], RESULTS),
    ("completeTrace", END_ALONE, "trace { id }"),
    ("startTrace", &[("traceId", "\"given-up\"")], "trace { id }"),
    ("abortTrace", &[("traceId", "\"given-up\"")], "trace { id }"),
    ("createApiKey", &[("scopes", "\"runs:read\""), ("expiresAt", "\"2099-01-01T00:00:00Z\"")], "apiKey { keyId }"),
    ("verifyLedger", &[], "verifications { id }"),
    ("erasePayload", &[("recordId", "STEP"), ("part", "\"ATTRIBUTES\"")], "receipt"),
    ("revokeApiKey", &[("keyId", "KEY")], "apiKey { keyId }"),
];
const RESULTS: &str = "results { outcome error { message field } }";

/// A tenant's mutations, tried one by one.
struct Trial<'a> {
    app: &'a TestApp,
    schema: &'a Schema,
    /// Where each secret was put; its number is the secret.
    places: Vec<String>,
}

impl Trial<'_> {
    fn secret(&mut self, place: &str) -> String {
        self.places.push(place.to_owned());
        format!("leak-{}-x@example.test", self.places.len() - 1)
    }

    /// What is put into a place: the secret, in the form that the type and the field ask for.
    fn leaf(&mut self, place: &str, of: &str) -> Value {
        let name = place.rsplit('.').next().unwrap_or(place);
        match (name, of) {
            // They point at other records, or are for other writers than this one.
            ("supersedesRevision" | "source" | "duplicateOf", _) => Value::Null,
            ("approvalPath", _) => json!(format!("human:{}", self.secret(place))),
            (_, "ContentInput") => json!({ "text": format!("write to {}", self.secret(place)) }),
            (_, "JSON") => {
                json!({ "note": [self.secret(place), json!({ "deep": self.secret(place) }).to_string()] })
            }
            (_, "String" | "ID") => json!(self.secret(place)),
            (_, "Boolean") => json!(true),
            (_, "SafeInt") => json!(1),
            (_, "Float") => json!(0.5),
            (_, "BigInt" | "Decimal") => json!("1"),
            (_, "DateTime") => json!("2026-11-21T08:00:00Z"),
            _ => self.schema.first_of(of),
        }
    }

    /// Calls a mutation with a secret in every text of its input; nothing of it may be refused.
    async fn call(&mut self, mutation: &str, fixed: &[(String, Value)], selection: &str) -> Value {
        let schema = self.schema;
        let field = schema.fields("Mutation").iter().find(|field| field["name"] == mutation).expect("a mutation");
        let argument = &field["args"][0]["type"];
        let input = schema.example(mutation, argument, &mut |place, of| {
            let given = fixed.iter().find(|(name, _)| place.ends_with(&format!(".{name}")));
            given.map_or_else(|| self.leaf(place, of), |(_, value)| value.clone())
        });
        let query = format!(
            "mutation($input: {}!) {{ {mutation}(input: $input) {{ {selection} }} }}",
            argument["ofType"]["name"].as_str().expect("a type")
        );
        let answer = self.app.query_with(&query, json!({ "input": input })).await[mutation].take();
        assert!(!answer.to_string().contains("REJECTED"), "{mutation}: {answer}");
        answer
    }
}

/// Every place of which the secret is stored.
async fn kept(db: &TestDb, places: &[String]) -> BTreeSet<String> {
    let search = Regex::new(r"leak-(\d+)-x@example").expect("a pattern");
    let mut found = BTreeSet::new();
    for (_, bytes) in stored(db).await {
        for secret in search.captures_iter(&bytes) {
            let number: usize = std::str::from_utf8(&secret[1]).expect("digits").parse().expect("a number");
            found.insert(places[number].clone());
        }
    }
    found
}

db_test! {
    async fn only_identifiers_are_stored_as_they_are_handed_in(db: TestDb) {
        // Message text is kept, redacted: what is not kept could not leak.
        let app = TestApp::set_up(&db, AppSettings { content_capture: [tenant("ours")].into(), ..AppSettings::default() }).await;
        let schema = Schema::of(&app).await;
        let tried: BTreeSet<_> = MUTATIONS.iter().map(|(name, ..)| *name).collect();
        let there: BTreeSet<_> = schema.fields("Mutation").iter().map(|field| field["name"].as_str().expect("a name")).collect();
        assert_eq!(tried, there, "every mutation is tried");
        let mut trial = Trial { app: &app, schema: &schema, places: Vec::new() };
        let mut key = Value::Null;
        for (mutation, fixed, selection) in MUTATIONS {
            let mut given = Vec::new();
            for (name, text) in fixed {
                given.push(((*name).to_owned(), match *text {
                    "STEP" => app.query("{ trace(by: { traceId: \"done\" }) { steps { nodes { id } } } }").await["trace"]["steps"]["nodes"][0]["id"].clone(),
                    "KEY" => key.clone(),
                    text => serde_json::from_str(text).expect("JSON"),
                }));
            }
            if mutation == "recordSystemRecords" {
                given.push(("eventType".to_owned(), json!("DEPLOY")));
            }
            let answer = trial.call(mutation, &given, selection).await;
            if mutation == "createApiKey" {
                key = answer["apiKey"]["keyId"].clone();
            }
        }
        app.seal_all().await;
        let found = kept(&db, &trial.places).await;
        let is_identifier = |place: &&String| IDENTIFIERS.iter().any(|name| place.rsplit('.').next() == Some(name));
        let leaked: Vec<_> = found.iter().filter(|place| !is_identifier(place)).collect();
        assert!(leaked.is_empty(), "free text is stored with its secrets: {leaked:#?}");
        let names: BTreeSet<_> = found.iter().filter_map(|place| place.rsplit('.').next()).collect();
        assert_eq!(names, BTreeSet::from(IDENTIFIERS), "the search sees what is stored");
        assert!(trial.places.len() - found.len() > 100, "free text was tried: {:?}", trial.places);
    }
}

/// Texts of inputs that are words of a list, in which nothing can hide.
const WORDS: [&str; 2] = ["eventType", "scopes"];

db_test! {
    async fn the_schema_says_of_every_input_whether_it_is_redacted(db: TestDb) {
        let app = TestApp::set_up(&db, AppSettings::default()).await;
        let answer = app
            .query("{ __schema { types { kind name inputFields { name description type { name ofType { name ofType { name } } } } } } }")
            .await;
        let types = answer["__schema"]["types"].as_array().expect("types");
        let schema = Schema::of(&app).await;
        // The inputs of mutations, and what they are made of.
        let mut inputs: Vec<String> = Vec::new();
        let mut open: Vec<String> = schema
            .fields("Mutation")
            .iter()
            .map(|field| named(&field["args"][0]["type"]).to_owned())
            .collect();
        let mut wrong = Vec::new();
        while let Some(name) = open.pop() {
            let of = types.iter().find(|of| of["name"] == name.as_str() && of["kind"] == "INPUT_OBJECT");
            let Some(of) = of.filter(|_| !inputs.contains(&name)) else { continue };
            for field in of["inputFields"].as_array().expect("fields") {
                let kind = [&field["type"], &field["type"]["ofType"], &field["type"]["ofType"]["ofType"]]
                    .into_iter()
                    .filter_map(|of| of["name"].as_str())
                    .next()
                    .unwrap_or_else(|| field["type"]["ofType"]["ofType"]["name"].as_str().unwrap_or_default());
                open.push(kind.to_owned());
                let (own, says) = (field["name"].as_str().expect("a name"), field["description"].as_str().unwrap_or_default());
                let is_kept = IDENTIFIERS.contains(&own) || WORDS.contains(&own) || own == "duplicateOf" || own == "recordId" || own == "keyId";
                let is_right = says.to_lowercase().contains("redacted") && says.to_lowercase().contains("not redacted") == is_kept;
                if matches!(kind, "String" | "ID" | "JSON") && !is_right {
                    wrong.push(format!("{name}.{own}: {says}"));
                }
            }
            inputs.push(name);
        }
        assert!(inputs.len() > 15, "{inputs:?}");
        assert!(wrong.is_empty(), "the schema does not say whether these are redacted, or says it wrongly: {wrong:#?}");
    }
}
