//! What the pages say is so: `docs/settings.md` has the settings as they are declared (`UPDATE_DOCS=1 cargo test --test docs`
//! writes it), every query of the pages is answered by the demo, as the page says where it says it, and links lead somewhere.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "it/support/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Args, Command};
use runledger::config::{BaseSettings, ChangeSettings, Settings};
use serde_json::{Value, json};

use self::server::Server;

const BEGIN: &str = "<!-- settings -->\n";
const END: &str = "<!-- settings end -->";
/// What a newcomer reads before anything else is short.
const README_BYTES_MAX: usize = 8_000;
/// Stands in an answer of a page for a value that differs at each start.
const ANY: &str = "...";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn ids<A: Args>() -> BTreeSet<String> {
    A::augment_args(Command::new("")).get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

/// The heading of a setting's table: that of the help, else which commands have it.
fn section(argument: &Arg) -> &str {
    let id = argument.get_id().as_str();
    argument.get_help_heading().unwrap_or_else(|| match id {
        _ if ids::<BaseSettings>().contains(id) => "Every command that opens the database",
        _ if ids::<ChangeSettings>().contains(id) => "`serve` and the commands that write",
        _ => "The server",
    })
}

fn row(argument: &Arg) -> String {
    let code = |text: String| if text.is_empty() { text } else { format!("`{text}`") };
    let flag = argument.get_long().map_or_else(String::new, |long| format!("--{long}"));
    let variable = argument.get_env().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    if !argument.is_hide_possible_values_set() {
        let values = argument.get_possible_values();
        let values = values.iter().map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {help}", value.get_name()),
            None => format!("`{}`", value.get_name()),
        });
        text = std::iter::once(text).chain(values).collect::<Vec<_>>().join(". ");
    }
    let text = text.replace('|', "\\|");
    format!("| {} | {} | {} | {text} |\n", code(flag), code(variable), code(defaults.join(",")))
}

fn tables() -> String {
    let command = Settings::augment_args(Command::new("settings"));
    let mut sections: Vec<(&str, String)> = Vec::new();
    for argument in command.get_arguments() {
        let heading = section(argument);
        let place = sections.iter().position(|(known, _)| *known == heading).unwrap_or_else(|| {
            sections.push((heading, String::new()));
            sections.len() - 1
        });
        sections[place].1.push_str(&row(argument));
    }
    let table = |(heading, rows): &(&str, String)| {
        format!("\n## {heading}\n| flag | variable | default | what |\n|---|---|---|---|\n{rows}")
    };
    format!("{}\n", sections.iter().map(table).collect::<String>())
}

#[test]
fn the_tables_of_settings_are_as_they_are_declared() {
    let page = read("docs/settings.md");
    let (before, rest) = page.split_once(BEGIN).expect("the first marker is there");
    let (written, after) = rest.split_once(END).expect("the last marker is there");
    let wanted = tables();
    assert!(wanted.lines().count() > 50, "a page without settings: {wanted}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}{BEGIN}{wanted}{END}{after}");
        fs::write(root().join("docs/settings.md"), page).expect("the page can be written");
    } else {
        assert_eq!(written, wanted, "UPDATE_DOCS=1 cargo test --test docs writes the tables anew");
    }
}

#[test]
fn the_readme_is_short() {
    let bytes = read("README.md").len();
    assert!(bytes < README_BYTES_MAX, "README.md has {bytes} bytes: move something to docs/");
}

/// A query of a page, with the variables and the answer that follow it.
struct Example {
    query: String,
    variables: Value,
    answer: Option<Value>,
}

/// The blocks of code of a page: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.push((language.to_owned(), text.join("\n")));
    }
    found
}

/// Every query. JSON after it is its variables, JSON after these its answer.
fn examples(page: &str) -> Vec<Example> {
    let blocks = blocks(page);
    let parsed = |text: &String| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut found = Vec::new();
    for (place, (_, query)) in blocks.iter().enumerate().filter(|(_, (language, _))| language == "graphql") {
        let mut after =
            blocks[place + 1..].iter().take_while(|(language, _)| language == "json").map(|(_, text)| parsed(text));
        let variables = after.next().unwrap_or_else(|| json!({}));
        found.push(Example { query: query.clone(), variables, answer: after.next() });
    }
    found
}

/// Puts "..." into an answer wherever a page has it instead of a value.
fn hide(answer: &mut Value, page: &Value) {
    match (answer, page) {
        (answer, Value::String(text)) if text == ANY && !answer.is_null() => *answer = json!(ANY),
        (Value::Object(members), Value::Object(shown)) => {
            members.iter_mut().for_each(|(name, value)| hide(value, shown.get(name).unwrap_or(&Value::Null)));
        }
        (Value::Array(items), Value::Array(shown)) => {
            items.iter_mut().zip(shown).for_each(|(item, one)| hide(item, one))
        }
        _ => {}
    }
}

/// Lists of rows that came back empty, by their place: an example that shows nothing proves nothing.
fn empty_lists(answer: &Value, place: &str) -> Vec<String> {
    let inside = |name: &str, value: &Value| empty_lists(value, &format!("{place}/{name}"));
    match answer {
        Value::Array(items) if items.is_empty() && place.ends_with("/nodes") => vec![place.to_owned()],
        Value::Array(items) => items.iter().flat_map(|item| empty_lists(item, place)).collect(),
        Value::Object(members) => members.iter().flat_map(|(name, value)| inside(name, value)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_query_of_the_pages_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Server::start(folder.path(), &["--demo"], "GraphQL     http://");
    // Something has to be under way.
    let start = r#"mutation { startTrace(input: { traceId: "under way" }) { trace { id } } }"#;
    demo.query(start, &json!({}));
    for (page, count) in [("README.md", 1), ("docs/dashboards.md", 10)] {
        let examples = examples(&read(page));
        assert_eq!(examples.len(), count, "{page}");
        for Example { query, variables, answer: shown } in examples {
            let mut answer = demo.query(&query, &variables);
            let nothing: Vec<_> =
                answer.as_object().expect("data").iter().filter(|(_, value)| value.is_null()).collect();
            assert!(nothing.is_empty(), "{page}: {query}: {nothing:?}");
            assert_eq!(empty_lists(&answer, ""), Vec::<String>::new(), "{page}: {query}");
            if let Some(shown) = shown {
                hide(&mut answer, &shown);
                assert_eq!(answer, shown, "{page}: {query}");
            }
        }
    }
    assert!(demo.stop().success());
}

/// Pages for people, from the root.
fn pages() -> Vec<PathBuf> {
    let in_folder = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some_and(|e| e == "md"))
    };
    ["", "docs", ".github", "tests", "benches", "tests/conformance"].into_iter().flat_map(in_folder).collect()
}

/// What a link's fragment names: a heading in small letters, with dashes for spaces and without other signs.
fn anchors(page: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    page.lines().filter(|line| line.starts_with('#')).map(heading).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let text = fs::read_to_string(&target).unwrap_or_default();
            if text.is_empty() || !(anchor.is_empty() || anchors(&text).contains(anchor)) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn examples_are_read_with_variables_and_answer() {
    let page = "a\n```sh\nls\n```\n```graphql\n{ a }\n```\n```json\n{\"x\":1}\n```\n\n```json\n{\"a\":\"...\"}\n```\n```graphql\n{ b }\n```\n";
    let found = examples(page);
    assert_eq!((found.len(), found[0].query.as_str(), &found[0].variables), (2, "{ a }", &json!({ "x": 1 })));
    assert_eq!((found[0].answer.as_ref(), found[1].answer.as_ref()), (Some(&json!({ "a": "..." })), None));
    let mut answer = json!({ "a": 7, "b": [{ "c": null, "d": 1 }] });
    hide(&mut answer, &json!({ "a": "...", "b": [{ "c": "...", "d": 1 }] }));
    assert_eq!(answer, json!({ "a": "...", "b": [{ "c": null, "d": 1 }] }), "nothing is not anything");
    assert_eq!(empty_lists(&json!({ "a": { "nodes": [] }, "b": [] }), ""), ["/a/nodes"]);
}
