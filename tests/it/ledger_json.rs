//! JSON that readers disagree about, at both doors: it is refused, or what is stored differs where what was sent differs;
//! it never crashes the server.

use serde_json::{Value, json};

use crate::support::app::{Answer, Encoding, TestApp};

const RECORD: &str = "mutation($input: RecordTraceInput!) { recordTrace(input: $input) {
    trace { plan steps { nodes { attributes } } seals { metadata } } } }";

/// A body for `recordTrace` with the given JSON text in its attributes.
fn request(trace: &str, attributes: &str) -> Vec<u8> {
    let input = format!(
        "{{\"traceId\":\"{trace}\",\"steps\":[{{\"kind\":\"TOOL\",\"skillName\":\"s\",\"status\":\"SUCCESS\",\
         \"startedAt\":\"2026-11-21T08:00:00Z\",\"durationMs\":1,\"attributes\":{{\"v\":{attributes}}}}}]}}"
    );
    format!("{{\"query\":{},\"variables\":{{\"input\":{input}}}}}", json!(RECORD)).into_bytes()
}

/// What a step's attributes became; `None` where they were refused.
async fn by_variable(app: &TestApp, trace: &str, attributes: &str) -> Option<Value> {
    let trace = trace.replace('"', "");
    let answer = app.post("/graphql", "application/json", request(&trace, attributes)).await;
    stored(&answer, &["recordTrace", "trace", "steps", "nodes", "0", "attributes"])
}

/// The same, written into the document.
async fn by_literal(app: &TestApp, trace: &str, attributes: &str) -> Option<Value> {
    let document = format!(
        "mutation {{ recordTrace(input: {{ traceId: \"{trace}\", steps: [{{ kind: TOOL, skillName: \"s\", status: SUCCESS, \
         startedAt: \"2026-11-21T08:00:00Z\", durationMs: 1, attributes: {{ v: {attributes} }} }}] }}) \
         {{ trace {{ steps {{ nodes {{ attributes }} }} }} }} }}"
    );
    stored(&app.ask(&document, json!({})).await, &["recordTrace", "trace", "steps", "nodes", "0", "attributes"])
}

fn stored(answer: &Answer, path: &[&str]) -> Option<Value> {
    assert!(answer.status < 500, "{} {}", answer.status, answer.text());
    let answer = answer.json();
    if answer.get("errors").is_some() {
        let code = answer["errors"][0]["extensions"]["code"].as_str().expect("a code");
        assert!(
            ["BAD_USER_INPUT", "LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"].contains(&code),
            "{answer}"
        );
        return None;
    }
    let at =
        path.iter().fold(&answer["data"], |value, step| step.parse::<usize>().map_or(&value[*step], |at| &value[at]));
    assert!(at.is_object(), "{answer}");
    Some(at.clone())
}

/// What an attribute of a span became; `None` where the request was refused.
async fn by_otlp(app: &TestApp, trace: &str, value: &str) -> Option<Value> {
    let body = format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{trace}\",\"spanId\":\"00f067aa0ba902b7\",\
         \"name\":\"s\",\"startTimeUnixNano\":\"1795248000000000000\",\"endTimeUnixNano\":\"1795248000001000000\",\
         \"attributes\":[{value}]}}]}}]}}]}}"
    );
    let answer = app.post_otlp(Encoding::Json, body.into_bytes()).await;
    assert!(answer.status < 500, "{} {}", answer.status, answer.text());
    if answer.status != 200 {
        return None;
    }
    let query = "query($id: ID!) { trace(by: { traceId: $id }) { steps { nodes { attributes } } } }";
    let found = app.query_with(query, json!({ "id": trace })).await;
    Some(found["trace"]["steps"]["nodes"][0]["attributes"].clone())
}

/// Everything that was stored differs from everything else that was.
fn assert_distinct(what: &str, stored: &[Option<Value>]) {
    for (at, one) in stored.iter().enumerate() {
        for other in &stored[at + 1..] {
            assert!(one.is_none() || one != other, "{what}: {one:?} twice");
        }
    }
}

fn deep(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

db_test! {
    async fn mutations_refuse_what_would_become_equal(db: TestDb) {
        let app = TestApp::on(&db).await;
        let families: &[&[&str]] = &[
            &["9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0", "9.007199254740993e15", "18446744073709551615", "18446744073709551616"],
            &["0", "-0", "-0.0", "\"0\"", "0e0x"],
            &["1e400", "1e401", "-1e400", "1e308", "null"],
            &[r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, r#"{"a":1}"#, r#"{"a":2}"#],
            &[r#""\ud800""#, r#""\udc00""#, r#""\ufffd""#, r#""\ud83d\ude00""#],
            &[r#""a\u0000b""#, r#""ab""#, r#""a\ufffdb""#],
        ];
        for (family, values) in families.iter().enumerate() {
            let mut all = Vec::new();
            for (at, value) in values.iter().enumerate() {
                all.push(by_variable(&app, &format!("v{family}-{at}"), value).await);
                // A document has no quoted names.
                let literal = value.replace("\"a\":", "a:");
                let by_literal = by_literal(&app, &format!("l{family}-{at}"), &literal).await;
                assert!(by_literal.is_none() || by_literal == all[at], "{value}: {by_literal:?} by document, {:?} by variable", all[at]);
            }
            assert_distinct(values[0], &all);
        }
        // What is harmless is kept as it is.
        for kept in ["9007199254740991", "-9007199254740991", "0", "1.5", "{\"a\":1,\"b\":{\"a\":2}}", "\"\u{1F600}\""] {
            let stored = by_variable(&app, &format!("kept {kept}"), kept).await.unwrap_or_else(|| panic!("{kept} is refused"));
            assert_eq!(stored["v"], serde_json::from_str::<Value>(kept).expect("JSON"), "{kept}");
        }
        for nested in [&deep(100), &deep(1_000), &deep(20_000), &format!("{{\"a\":{}}}", deep(100))] {
            assert_eq!(by_variable(&app, "deep", nested).await, None);
        }
        assert_eq!(by_literal(&app, "deep", &deep(100)).await, None);
        let large = app.post("/graphql", "application/json", request("large", &format!("\"{}\"", "x".repeat(10 << 20)))).await;
        assert_eq!(large.status, 413, "{}", large.text());
        for part in ["plan", "metadata"] {
            let huge = format!("\"{}\"", "x".repeat(1 << 20));
            let (plan, metadata) = if part == "plan" { (huge.as_str(), "null") } else { ("null", huge.as_str()) };
            let body = format!("{{\"query\":{},\"variables\":{{\"input\":{{\"traceId\":\"large\",\"steps\":[],\"plan\":{plan},\"seal\":{{\"metadata\":{metadata}}}}}}}}}", json!(RECORD));
            let refused = app.post("/graphql", "application/json", body.into_bytes()).await.json();
            assert_eq!(refused["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{part}");
        }
        assert_eq!(app.query("{ viewer { actorId } }").await["viewer"]["actorId"], "anonymous", "the server lives on");
    }

    async fn spans_keep_apart_what_they_can_and_refuse_the_rest(db: TestDb) {
        let app = TestApp::on(&db).await;
        let named = |value: &str| format!("{{\"key\":\"v\",\"value\":{value}}}");
        let long = |end: &str| named(&format!("{{\"stringValue\":\"{}{end}\"}}", "x".repeat(10 << 20)));
        let wide = |end: &str| named(&format!("{{\"arrayValue\":{{\"values\":[{}{{\"intValue\":{end}}}]}}}}", "{\"intValue\":7},".repeat(300)));
        let nested = |depth: usize| named(&format!("{}{{\"intValue\":1}}{}", "{\"arrayValue\":{\"values\":[".repeat(depth), "]}}".repeat(depth)));
        let families: Vec<Vec<String>> = vec![
            ["9007199254740992", "9007199254740993", "\"9007199254740994\"", "9223372036854775807", "9223372036854775808"].iter()
                .map(|number| named(&format!("{{\"intValue\":{number}}}"))).collect(),
            ["9007199254740992", "9007199254740993", "0", "-0", "1e400", "1e401", "-1e400", "\"Infinity\"", "1e-400"].iter()
                .map(|number| named(&format!("{{\"doubleValue\":{number}}}"))).collect(),
            [r#"{"intValue":1,"intValue":2}"#, r#"{"intValue":1}"#, r#"{"intValue":2}"#].iter().map(|value| named(value)).collect(),
            [[1, 2], [1, 3], [2, 1]].iter().map(|[one, two]| [named(&format!("{{\"intValue\":{one}}}")), named(&format!("{{\"intValue\":{two}}}"))].join(",")).collect(),
            [[1, 2], [1, 3], [2, 1]].iter()
                .map(|[one, two]| named(&format!("{{\"kvlistValue\":{{\"values\":[{{\"key\":\"a\",\"value\":{{\"intValue\":{one}}}}},{{\"key\":\"a\",\"value\":{{\"intValue\":{two}}}}}]}}}}")))
                .collect(),
            [r#""\ud800""#, r#""\udc00""#, r#""a\u0000b""#, r#""ab""#].iter().map(|text| named(&format!("{{\"stringValue\":{text}}}"))).collect(),
            vec![long("a"), long("b")],
            vec![wide("1"), wide("2")],
            vec![nested(100), nested(1_000), nested(20_000)],
        ];
        for (family, values) in families.iter().enumerate() {
            let mut all = Vec::new();
            for (at, value) in values.iter().enumerate() {
                all.push(by_otlp(&app, &format!("{:032x}", (family + 1) * 100 + at), value).await);
            }
            assert_distinct(&values[0].chars().take(80).collect::<String>(), &all);
        }
        assert_eq!(app.query("{ viewer { actorId } }").await["viewer"]["actorId"], "anonymous", "the server lives on");
    }
}
