//! Who may open what was read of evidence. That it must be opened is the compiler's to see; that nobody makes an opener of
//! their own, or goes through the server's door on behalf of a caller, is seen here.

use super::{read, rust_files};

/// Where an opener is made.
const OPENERS: &[&str] = &["src/facade/access/open.rs"];
/// Where the server reads evidence of its own accord: see `ServerUse` for why.
const SERVER: &[&str] = &[
    "src/facade/access/mod.rs",
    "src/facade/access/open.rs",
    "src/facade/capture/incidents.rs",
    "src/facade/capture/runs.rs",
    "src/facade/capture/steps.rs",
    "src/facade/capture/traces.rs",
    "src/facade/ledger.rs",
    "src/facade/own_records.rs",
    "src/facade/sealer.rs",
];

/// The files of `src` with a text in their code.
fn files_with(text: &str) -> Vec<String> {
    let names = rust_files("src").into_iter().filter(|path| {
        let source = read(path);
        source.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(text))
    });
    let mut names: Vec<String> = names.map(|path| path.to_string_lossy().replace('\\', "/")).collect();
    names.sort();
    names
}

#[test]
fn evidence_is_opened_by_the_few_that_check_and_note() {
    assert_eq!(files_with("Opener for "), OPENERS, "whoever opens evidence checks a permission and notes the look");
    assert_eq!(files_with("open_for_server"), SERVER, "what the server reads for itself reaches no caller");
}
