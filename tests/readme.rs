//! README.md's table of settings is what `runledger serve --help` says. `UPDATE_README=1 cargo test --test readme` writes it.
#![expect(clippy::expect_used, reason = "a test may fail")]

use std::fs;
use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- settings: UPDATE_README=1 cargo test --test readme -->\n";
const END: &str = "<!-- settings end -->";

/// One option of the help text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Setting {
    flag: String,
    variable: String,
    default: String,
    text: String,
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_runledger")).args(["serve", "--help"]).env_clear().output();
    String::from_utf8(output.expect("the binary runs").stdout).expect("help is text")
}

/// The options of a help text: a line with the flag, then indented lines up to the next flag or heading.
fn settings(help: &str) -> Vec<Setting> {
    let mut found: Vec<Setting> = Vec::new();
    let mut is_open = false;
    for line in help.lines().skip_while(|line| !line.ends_with("ptions:")) {
        let text = line.trim();
        let named = text.split([' ', '[']).find(|word| word.starts_with("--")).filter(|_| text.starts_with('-'));
        if let Some(flag) = named.filter(|_| !text.starts_with("- ")) {
            found.push(Setting { flag: flag.to_owned(), ..Setting::default() });
            is_open = true;
        } else if !line.is_empty() && !line.starts_with(' ') {
            is_open = false;
        } else if let Some(setting) = found.last_mut().filter(|_| is_open && !text.is_empty()) {
            read_line(setting, text);
        }
    }
    found.retain(|setting| setting.flag != "--help");
    found
}

fn read_line(setting: &mut Setting, text: &str) {
    if let Some(variable) = text.strip_prefix("[env: ") {
        setting.variable = variable.trim_end_matches(']').trim_end_matches('=').to_owned();
    } else if let Some(default) = text.strip_prefix("[default: ") {
        setting.default = default.trim_end_matches(']').to_owned();
    } else if !text.starts_with("[possible values:") && !text.starts_with("- ") && text != "Possible values:" {
        let gap = if setting.text.is_empty() { "" } else { " " };
        setting.text = format!("{}{gap}{text}", setting.text);
    }
}

fn table(settings: &[Setting]) -> String {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let rows = settings.iter().map(|setting| {
        let (flag, variable, default) = (code(&setting.flag), code(&setting.variable), code(&setting.default));
        format!("| {flag} | {variable} | {default} | {} |\n", setting.text)
    });
    format!("| flag | variable | default | what |\n|---|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_table_of_settings_is_what_the_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("README.md is there");
    let (before, rest) = readme.split_once(BEGIN).expect("the table's first marker is there");
    let (written, after) = rest.split_once(END).expect("the table's last marker is there");
    let settings = settings(&help());
    assert!(settings.len() > 20, "only {} settings were read from the help", settings.len());
    let wanted = table(&settings);
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("README.md can be written");
    } else {
        assert_eq!(written, wanted, "UPDATE_README=1 cargo test --test readme writes the table anew");
    }
}

#[test]
fn the_help_is_read_with_headings_and_lists_left_out() {
    let help = "Run\n\nOptions:\n      --auth <AUTH>\n          Whether callers must\n          prove it\n\n          Possible values:\n\
        \x20         - off: Nothing\n\n          [env: RUNLEDGER_AUTH=]\n          [default: required]\n\n  -h, --help\n          Print help\n\n\
        GraphQL limits:\n      --introspection[=<BOOL>]\n          Whether.\n\nExamples:\n  runledger serve --demo   x\n";
    let wanted = [
        Setting {
            flag: "--auth".to_owned(),
            variable: "RUNLEDGER_AUTH".to_owned(),
            default: "required".to_owned(),
            text: "Whether callers must prove it".to_owned(),
        },
        Setting { flag: "--introspection".to_owned(), text: "Whether.".to_owned(), ..Setting::default() },
    ];
    assert_eq!(settings(help), wanted);
}
