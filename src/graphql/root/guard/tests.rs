//! Each limit is tripped once, and what must pass passes.

use std::fmt::Write;
use std::time::{Duration, Instant};

use async_graphql::{Variables, value};
use proptest::prelude::*;

use super::*;
use crate::error::Detail;

/// graphql-js 16 and 17 with every option on: descriptions, specifiedBy, deprecated inputs, oneOf; nine levels of types.
const INTROSPECTION: &str = include_str!("introspection.graphql");

fn run(text: &str) -> Result<()> {
    run_with(text, &Variables::default())
}

fn run_with(text: &str, variables: &Variables) -> Result<()> {
    measured(text, variables).map(drop)
}

fn measured(text: &str, variables: &Variables) -> Result<Measured> {
    let limits = Limits::default();
    check(&parse(text, &limits)?, variables, &limits)
}

fn complexity(text: &str) -> u64 {
    measured(text, &Variables::default()).unwrap_or_else(|error| panic!("{text}: {error:?}")).complexity
}

/// The limit that a document exceeds.
fn tripped(text: &str) -> u64 {
    match run(text).expect_err("beyond a limit").detail() {
        Detail::Limit { limit, .. } => *limit,
        other => panic!("not a limit: {other:?}"),
    }
}

fn times(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = write!(text, " {}", part(at));
        text
    })
}

/// `count` fragments, each spread twice by the one before.
fn bomb(count: usize) -> String {
    let fragments = times(count, |i| format!("fragment F{i} on Query {{ ...F{} ...F{} }}", i + 1, i + 1));
    format!("{{ ...F0 }} {fragments} fragment F{count} on Query {{ __typename }}")
}

#[test]
fn ordinary_documents_pass() {
    for text in [
        "{ __typename }",
        "query Q($n: Int = 50) { llmRuns(first: $n) { edges { cursor node { id trace { steps(first: 10) { nodes { \
         kind skillName } } } } } pageInfo { hasNextPage } } } # done",
        "mutation { recordLlmRun(input: { name: \"\"\"a \\\"\"\" { { {\"\"\" }) { run { id } } }",
    ] {
        run(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}

#[test]
fn the_standard_introspection_passes_and_circles_do_not() {
    run(INTROSPECTION).expect("what every tool sends");
    let circle = "fields { type { ".repeat(3);
    let text = format!("{{ __schema {{ types {{ {circle} name {} }} }} }}", "} }".repeat(3));
    assert_eq!(tripped(&text), Limits::default().introspection_circles);
    let through_fragments = "{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } } \
                             fragment B on __Type { fields { type { name } } }";
    assert_eq!(tripped(through_fragments), Limits::default().introspection_circles);
    let wide = format!("{{ __schema {{ {} }} }}", times(501, |_| "description".to_owned()));
    assert_eq!(tripped(&wide), 500);
    let deep = format!("{{ __type(name: \"X\") {{ {} name {} }} }}", "ofType { ".repeat(20), "}".repeat(20));
    assert_eq!(tripped(&deep), 20);
}

#[test]
fn introspection_can_be_turned_off() {
    let limits = Limits { introspection: false, ..Limits::default() };
    for text in ["{ __schema { queryType { name } } }", "{ ...A } fragment A on Query { __type(name: \"X\") { name } }"]
    {
        let error = check(&parse(text, &limits).expect("parses"), &Variables::default(), &limits).expect_err("off");
        assert_eq!(error.code(), Code::GraphqlValidationFailed);
    }
    let typename = parse("{ __typename }", &limits).expect("parses");
    check(&typename, &Variables::default(), &limits).expect("no introspection");
}

#[test]
fn a_fragment_bomb_is_measured_at_once() {
    let began = Instant::now();
    assert_eq!(tripped(&bomb(28)), Limits::default().selections);
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
}

#[test]
fn fragments_in_a_circle_are_refused() {
    for text in [
        "{ ...A } fragment A on Query { __typename ...B } fragment B on Query { ...A }",
        "{ ...A } fragment A on Query { ...A }",
    ] {
        assert_eq!(run(text).expect_err("a circle").code(), Code::GraphqlValidationFailed);
    }
}

#[test]
fn each_limit_is_tripped_at_its_number() {
    let limits = Limits::default();
    assert_eq!(tripped(&"{a".repeat(20_000)), limits.nesting);
    assert_eq!(tripped(&format!("{{ node(id: {}{}) {{ id }} }}", "[".repeat(65), "]".repeat(65))), limits.nesting);
    assert_eq!(tripped(&format!("{{ {} }}", "a ".repeat(10_000))), limits.tokens);
    let inner = |count| format!("{{ viewer {{ {} }} }}", times(count, |i| format!("a{i}: actorId")));
    run(&inner(100)).expect("just");
    assert_eq!(tripped(&inner(101)), limits.aliases);
    let directives = |count| format!("{{ __typename {} }}", "@include(if: true) ".repeat(count));
    run(&directives(20)).expect("just");
    assert_eq!(tripped(&directives(21)), limits.directives);
    run(&format!("{{ {} }}", "__typename ".repeat(20))).expect("just");
    assert_eq!(tripped(&format!("{{ {} }}", "__typename ".repeat(21))), limits.root_fields);
    let deep = |depth: usize| format!("{}a{}", "{ a ".repeat(depth - 1) + "{ ", " }".repeat(depth));
    run(&deep(15)).expect("just");
    assert_eq!(tripped(&deep(16)), limits.depth);
    let inline = format!("{{ {} a {} }}", "... { ".repeat(33), "}".repeat(33));
    assert_eq!(tripped(&inline), limits.levels);
}

#[test]
fn complexity_counts_rows_of_lists_in_lists() {
    let text = |runs: u32, steps: u32| {
        format!(
            "{{ llmRuns(first: {runs}) {{ nodes {{ trace {{ steps(first: {steps}) {{ nodes {{ kind }} }} }} }} }} }}"
        )
    };
    run(&text(200, 50)).expect("ten thousand steps");
    assert_eq!(tripped(&text(200, 200)), 50_000);
    let by_variable = "query($n: Int!, $m: Int = 200) { llmRuns(first: $n) { nodes { trace { steps(last: $m) { nodes { \
                       kind } } } } } }";
    let variables = |n: u32| Variables::from_value(value!({ "n": n }));
    assert!(run_with(by_variable, &variables(200)).is_err());
    run_with(by_variable, &variables(10)).expect("few runs");
}

#[test]
fn what_has_the_name_of_a_page_and_is_none_counts_as_what_it_is() {
    let runs = |below: &str| format!("{{ llmRuns(first: 200) {{ nodes {{ {below} }} }} }}");
    run(&runs("system { events { events { summary } truncated } }")).expect("an object, and a list of 20");
    run(&runs("replay { events { action } }")).expect("a list of 50");
    let wide = "governance { events { nodes { entry { id } timestamp eventType decision } } }";
    assert_eq!(tripped(&runs(wide)), 50_000, "a page of 50");
    let plain = runs("system { events { events { id summary severity component eventType } } }");
    let hidden = runs("system { ...F }")
        + " fragment F on RunSystem { events { ...G } } fragment G on SystemEvents { \
        events { id summary severity component eventType } }";
    assert_eq!(complexity(&hidden), complexity(&plain), "a fragment hides nothing: types are known");
    let anomalies = |arguments: &str| complexity(&format!("{{ ledger {{ anomalies{arguments} {{ kind }} }} }}"));
    assert_eq!((anomalies("(first: 10)"), anomalies("")), (12, 52));
}

#[test]
fn a_list_below_itself_is_refused_whatever_lies_between() {
    for text in [
        "{ llmRun(runId: \"r\") { revisions { revisions { id } } } }",
        "{ llmRun(runId: \"r\") { revisions { trace { trace { run { revisions { id } } } } } } }",
        "{ llmRun(runId: \"r\") { ...A } } fragment A on LlmRun { revisions { ...B } } fragment B on LlmRun { revisions { id } }",
        "{ incidentEvidence(incidentId: \"i\") { revisions { ... on Evidenced { ... on IncidentEvidence { revisions { id } } } } } }",
    ] {
        let error = run(text).expect_err(text);
        assert!(error.message().contains("below itself"), "{text}: {error:?}");
    }
    for text in [
        "{ llmRun(runId: \"r\") { revisions { id } revisions { runId } a: revisions { id } } }",
        "{ llmRun(runId: \"r\") { system { events { events { id } } replay { events { id } } } replay { events { action } } } }",
    ] {
        run(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}

#[test]
fn lists_in_lists_are_bounded_by_the_most_that_they_can_give() {
    let rows = |text: &str| measured(text, &Variables::default()).expect("passes").rows;
    assert_eq!(rows("{ llmRun(runId: \"r\") { replay { events { action } } revisions { id } } }"), 1_200);
    assert_eq!(rows("{ llmRuns(first: 10) { nodes { incidentEvidence { id } } } }"), 10 * 201);
    let text = "{ llmRuns(first: 200) { nodes { incidentEvidence { revisions { id } } } } }";
    assert_eq!(tripped(text), Limits::default().complexity);
    let text = "{ llmRuns(first: 200) { nodes { incidentEvidence { id } export { exports { id } } replay { events { action } } } } }";
    assert_eq!(tripped(text), Limits::default().rows);
}

#[test]
fn a_field_that_reads_much_costs_much_under_each_of_its_names() {
    let compared = |count| {
        format!(
            "{{ {} }}",
            times(count, |at| format!(
                "a{at}: traceComparison(left: {{ traceId: \"l\" }}, right: {{ traceId: \"r\" }}) {{ parity }}"
            ))
        )
    };
    run(&compared(4)).expect("four of them");
    assert_eq!(tripped(&compared(5)), 50_000);
    let counted = |cap: u32| {
        format!(
            "{{ llmRuns(first: 1) {{ {} }} }}",
            times(60, |at| format!("a{at}: totalCount(cap: {cap}) {{ value }}"))
        )
    };
    run(&counted(10_000)).expect("counts of the usual size");
    assert_eq!(tripped(&counted(1_000_000)), 50_000);
}

/// What benches/read.rs asks, which is what people ask.
const PAGE: &str = "{ llmRuns(first: 50) { edges { cursor node { id runId provider model executionStatus inputTokens \
    outputTokens costUsd startedAt TOPICS trace { traceId status steps(first: 10) { edges { cursor node { stepIndex spanId kind \
    skillName status startedAt } } } } } } pageInfo { hasNextPage endCursor } } }";
const TOPICS: &str = "governance { totalEvents blocked events(first: 10) { nodes { timestamp eventType policyId decision } } \
    metadata { policyIds } } incidentEvidence { incidentId severity title } replay { inflectionRule truncated \
    events { source timestamp action outcome } metadata { occurredAt } } export { availableFormats checksum \
    complianceTags { tag reason } exports { format checksum } } system { snapshot { component summary } \
    events { events { eventType summary } truncated } replay { events { eventType summary } } \
    telemetry { status series { name points(first: 10) { timestamp value } } } }";

#[test]
fn what_people_ask_passes() {
    let page = complexity(&PAGE.replace("TOPICS", ""));
    assert!((3_000..=6_000).contains(&page), "{page}: a page with traces and steps is not dear");
    let wide = complexity(&PAGE.replace("TOPICS", TOPICS));
    assert!(wide > 6_000, "{wide}");
    let examples = include_str!("../../../http/assets/graphiql/page/examples.js");
    let examples: Vec<&str> = examples.split('`').skip(1).step_by(2).filter(|text| text.contains("query ")).collect();
    assert!(examples.len() > 4);
    for text in examples {
        run(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}

#[test]
fn entities_are_bounded() {
    let text = "query($r: [_Any!]!) { _entities(representations: $r) { __typename } }";
    let variables = |count: usize| Variables::from_value(value!({ "r": vec![1; count] }));
    run_with(text, &variables(1_000)).expect("just");
    assert!(run_with(text, &variables(1_001)).is_err());
}

#[test]
fn variables_that_are_needed_must_be_given() {
    let limits = Limits::default();
    let document = parse("query($id: ID!, $n: Int, $m: Int! = 3) { node(id: $id) { id } }", &limits).expect("parses");
    let operation = operation(&document, None).expect("one operation");
    let with = |value| check_variables(operation, &Variables::from_value(value));
    with(value!({"id": "x"})).expect("given");
    assert_eq!(with(value!({})).expect_err("absent").code(), Code::GraphqlValidationFailed);
    assert_eq!(with(value!({"id": null})).expect_err("null").code(), Code::GraphqlValidationFailed);
    assert_eq!(with(value!({"id": "x", "m": null})).expect_err("null").code(), Code::GraphqlValidationFailed);
}

#[test]
fn one_of_several_operations_must_be_named() {
    let limits = Limits::default();
    let document = parse("query A { __typename } mutation B { __typename }", &limits).expect("parses");
    assert!(operation(&document, None).is_err() && operation(&document, Some("C")).is_err());
    assert!(is_query(operation(&document, Some("A")).expect("named")));
    assert!(!is_query(operation(&document, Some("B")).expect("named")));
}

proptest! {
    /// Whatever the text, the guard ends with an answer, and its parser is never reached by what could exhaust it.
    #[test]
    fn no_text_breaks_the_guard(text in "[ -~\n\u{feff}\u{e9}]{0,200}|([{\\[(\"#.a$:!@ ]|\\.\\.\\.|fragment|on|query){0,300}") {
        let _ = run(&text);
    }

    /// The memo changes nothing: what fragments come to is what they come to when written out.
    #[test]
    fn a_fragment_counts_as_what_it_holds(spreads in 1_u64..40, fields in 1_u64..40) {
        let fields = times(usize::try_from(fields).expect("small"), |i| format!("f{i}"));
        let spread = format!("{{ viewer {{ {} }} }} fragment F on V {{ {fields} }}",
            times(usize::try_from(spreads).expect("small"), |_| "...F".to_owned()));
        let written = format!("{{ viewer {{ {} }} }}",
            times(usize::try_from(spreads).expect("small"), |_| format!("... on V {{ {fields} }}")));
        let limits = Limits { selections: 300, ..Limits::default() };
        let outcome = |text: &str| {
            check(&parse(text, &limits).expect("parses"), &Variables::default(), &limits)
                .map_err(|error| error.detail().clone())
        };
        prop_assert_eq!(outcome(&spread), outcome(&written));
    }
}
