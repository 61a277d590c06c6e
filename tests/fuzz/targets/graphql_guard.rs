//! GraphQL documents: the guard answers every one, and lets none through that is over a limit it can be asked about.
#![no_main]

use async_graphql::Variables;
use runledger::graphql::root::guard::{Limits, check, operation, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let limits = Limits::default();
    let Ok(document) = parse(text, &limits) else { return };
    let variables = Variables::default();
    let verdict = check(&document, &variables, &limits);
    // A verdict does not depend on how often it is asked for, and a stricter guard refuses whatever this one refuses.
    assert_eq!(verdict.is_ok(), check(&document, &variables, &limits).is_ok());
    let strict = Limits { selections: 100, depth: 5, aliases: 2, directives: 1, root_fields: 2, complexity: 500, ..limits };
    assert!(verdict.is_ok() || check(&document, &variables, &strict).is_err());
    let _ = operation(&document, None);
});
