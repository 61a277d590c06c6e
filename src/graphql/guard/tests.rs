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
    let limits = Limits::default();
    check(&parse(text, &limits)?, variables, &limits)
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
    run(&runs("replay { events { action } }")).expect("a list of 20");
    let wide = "governance { events { nodes { entry { id } timestamp eventType decision } } }";
    assert_eq!(tripped(&runs(wide)), 50_000, "a page of 50");
    assert_eq!(
        tripped(
            &(runs("system { ...F }")
                + " fragment F on RunSystem { events { ...G } } fragment G on SystemEvents { \
        events { id summary severity component eventType } }")
        ),
        50_000,
        "a fragment may hide the nodes of a page"
    );
    let anomalies = |arguments: &str| {
        format!("{{ ledgers {{ items {{ anomalies{arguments} {{ {} }} }} }} }}", times(30, |_| "kind ".to_owned()))
    };
    run(&anomalies("(first: 10)")).expect("ten");
    assert_eq!(tripped(&anomalies("")), 50_000, "fifty");
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
