use std::io::Write as _;
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use super::*;
use crate::config::{AuthMode, Config, ConfigError};

/// Set in the child process of [`in_environment`].
const CHILD: &str = "CLI_TEST_CHILD";

fn file_of(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn parse_words(words: &[&str]) -> Result<Cli, Refusal> {
    let words: Vec<OsString> = ["runledger"].iter().chain(words).map(OsString::from).collect();
    parse(&words)
}

fn settings(words: &[&str]) -> crate::config::Settings {
    match parse_words(&[&["serve"], words].concat()).expect("parsed").command {
        Command::Serve(args) => args.settings().clone(),
        other => unreachable!("{other:?}"),
    }
}

fn config(words: &[&str]) -> Result<Config, ConfigError> {
    Config::new(settings(words))
}

fn refused(words: &[&str]) -> String {
    match parse_words(words).expect_err("refused") {
        Refusal::Usage(error) => error.to_string(),
        Refusal::Settings(message) => message,
    }
}

fn with_file<'a>(path: &'a Path, words: &[&'a str]) -> Vec<&'a str> {
    [&["--config", path.to_str().expect("UTF-8")], words].concat()
}

/// Runs one test of this file again, alone, in a process with these variables: a process must not change its own.
fn in_environment(test: &str, variables: &[(&str, &str)]) {
    let test = format!("cli::tests::{test}");
    let child = Process::new(std::env::current_exe().expect("this test"))
        .args(["--exact", &test, "--nocapture"])
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .expect("started");
    let output = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_setting_has_its_variable_and_a_description() {
    let mut command = Cli::command();
    command.build();
    let serve = command.find_subcommand("serve").expect("serve");
    for argument in
        serve.get_arguments().filter(|argument| !["help", "demo", "version"].contains(&argument.get_id().as_str()))
    {
        let id = argument.get_id().as_str();
        let variable = format!("RUNLEDGER_{}", id.to_uppercase());
        assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        assert!(argument.get_help().is_some_and(|help| !help.to_string().is_empty()), "{id}");
        assert_eq!(argument.get_long(), Some(id.replace('_', "-").as_str()));
    }
}

#[test]
fn every_command_explains_itself_with_examples() {
    for words in [&["serve"][..], &["migrate"], &["schema"], &["keys"], &["load"], &["completions"]] {
        let help = refused(&[words, &["--help"]].concat());
        assert!(help.contains("Examples:") && help.contains("runledger "), "{help}");
    }
}

#[test]
fn defaults_are_safe() {
    let config = config(&[]).expect("the defaults fit");
    assert_eq!(config.auth, AuthMode::Required);
    assert!(config.listen.ip().is_loopback());
    assert_eq!(config.trace_settle, Duration::from_secs(15));
    assert!(config.cors_origins.is_empty());
    assert!(config.graphql.introspection && !config.changes.no_migrate);
}

#[test]
fn the_file_lies_under_the_flags() {
    let file = file_of(
        "trace-settle = '3s'\ntrace-timeout = '2h'\ncors-origins = ['https://a.test', 'https://b.test']\nno-migrate = true\n[graphql]\ndepth = 7\n",
    );
    let settings = settings(&with_file(file.path(), &["--trace-settle", "4s"]));
    assert_eq!(settings.trace_settle, Duration::from_secs(4));
    assert_eq!(settings.trace_timeout, Duration::from_secs(7_200));
    assert_eq!(settings.cors_origins, ["https://a.test", "https://b.test"]);
    assert_eq!(settings.graphql.graphql_depth, 7);
    assert!(settings.changes.no_migrate);
}

#[test]
fn the_environment_lies_between_file_and_flags() {
    let file = file_of("trace-settle = '3s'\ntrace-timeout = '2h'\nlisten = '127.0.0.1:1'\nallowed-hosts = ['a.test']");
    if std::env::var_os(CHILD).is_none() {
        let variables = [
            ("RUNLEDGER_TRACE_SETTLE", "5s"),
            ("RUNLEDGER_LISTEN", "127.0.0.1:2"),
            ("RUNLEDGER_OTLP_GRPC_LISTEN", ""),
            ("RUNLEDGER_CORS_ORIGINS", "https://a.test,https://b.test"),
            ("RUNLEDGER_ALLOWED_HOSTS", ""),
            ("RUNLEDGER_INTROSPECTION", "false"),
        ];
        return in_environment("the_environment_lies_between_file_and_flags", &variables);
    }
    let config = config(&with_file(file.path(), &["--listen", "127.0.0.1:3"])).expect("fits");
    assert_eq!(config.trace_timeout, Duration::from_secs(7_200), "file");
    assert_eq!(config.trace_settle, Duration::from_secs(5), "environment over file");
    assert_eq!(config.listen.port(), 3, "flag over environment over file");
    assert_eq!(config.otlp_grpc_listen, None, "empty is off");
    assert_eq!(config.cors_origins, ["https://a.test", "https://b.test"]);
    assert!(config.allowed_hosts.is_empty(), "empty is none");
    assert!(!config.graphql.introspection);
}

#[test]
fn a_file_is_refused_with_its_name_and_the_settings() {
    let file = file_of("trace-setle = '3s'");
    let message = refused(&with_file(file.path(), &["serve"]));
    assert!(
        message.contains("did you mean trace-settle?") && message.contains(file.path().to_str().expect("UTF-8")),
        "{message}"
    );
    let file = file_of("trace-settle = 'soon'");
    let message = refused(&with_file(file.path(), &["serve"]));
    assert!(message.contains("--trace-settle") && message.contains("15s"), "{message}");
    let message = refused(&["--config", "/nowhere/runledger.toml", "serve"]);
    assert!(message.contains("/nowhere/runledger.toml"), "{message}");
}

#[test]
fn a_value_that_is_not_allowed_is_refused_with_what_is() {
    for (words, name, allowed) in [
        (["serve", "--auth", "maybe"], "--auth", "required"),
        (["serve", "--listen", "8080"], "--listen", "127.0.0.1:8080"),
        (["serve", "--trace-settle", "15"], "--trace-settle", "15s"),
        (["serve", "--queue-records", "1"], "--queue-records", "512"),
        (["serve", "--graphql-depth", "0"], "--graphql-depth", "1..=100"),
        (["serve", "--log-format", "xml"], "--log-format", "json"),
    ] {
        let message = refused(&words);
        assert!(message.contains(name) && message.contains(allowed), "{message}");
    }
}

#[test]
fn settings_that_do_not_fit_each_other_are_refused_by_name() {
    let cases: [(&[&str], &str, &str); 16] = [
        (&["--auth", "off", "--listen", "0.0.0.0:8080"], "listen", "loopback"),
        (&["--auth", "off", "--otlp-grpc-listen", "[::]:4317"], "otlp-grpc-listen", "loopback"),
        (&["--auth", "off", "--cors-origins", "*"], "cors-origins", "every web page"),
        (&["--cors-origins", "app.test"], "cors-origins", "scheme://host"),
        (&["--cors-origins", "https://app.test/path"], "cors-origins", "without a path"),
        (&["--allowed-hosts", "https://app.test"], "allowed-hosts", "without scheme"),
        (&["--tls-cert", "cert.pem"], "tls-key", "set too"),
        (&["--prices", "/nowhere.toml"], "prices", "no file"),
        (&["--database-url", "mysql://x:secret@y"], "database-url", "postgres://"),
        (&["--trace-settle", "2h"], "trace-settle", "trace-timeout"),
        (&["--checkpoint-interval", "0"], "checkpoint-interval", "100ms to 1h"),
        (&["--platform-log-interval", "2d"], "platform-log-interval", "1s to 1d"),
        (&["--jwt-hs256-secret", "short"], "jwt-hs256-secret", "32 bytes"),
        (&["--jwt-jwks-url", "http://issuer.test/", "--jwt-audience", "a"], "jwt-jwks-url", "https://"),
        (&["--jwt-jwks-url", "http://localhost.evil.test/", "--jwt-audience", "a"], "jwt-jwks-url", "https://"),
        (&["--jwt-jwks-url", "https://issuer.test/"], "jwt-audience", "needed with JWKS"),
    ];
    for (words, setting, allowed) in cases {
        let error = config(words).expect_err("does not fit");
        assert_eq!(error.setting, setting, "{words:?}");
        let text = error.to_string();
        assert!(text.contains(allowed) && text.contains(&format!("--{setting}")), "{text}");
        assert!(!text.contains("secret@") && !text.contains("short"), "{text}");
    }
    config(&["--auth", "off", "--listen", "[::1]:0"]).expect("an open server on this machine");
    config(&["--jwt-jwks-url", "http://localhost:9/x", "--jwt-audience", "a"]).expect("an issuer on this machine");
}

#[test]
fn secrets_are_not_shown() {
    let secret = "0123456789abcdef0123456789abcdef";
    let words = ["--database-url", "postgres://app:hunter2@db/runledger", "--jwt-hs256-secret", secret];
    let shown = format!("{:?}", config(&words).expect("fits"));
    assert!(!shown.contains("hunter2") && !shown.contains(secret), "{shown}");
    if std::env::var_os(CHILD).is_none() {
        let variables =
            [("RUNLEDGER_DATABASE_URL", "postgres://app:hunter2@db/x"), ("RUNLEDGER_JWT_HS256_SECRET", secret)];
        return in_environment("secrets_are_not_shown", &variables);
    }
    let help = refused(&["serve", "--help"]);
    assert!(!help.contains("hunter2") && !help.contains(secret));
}

#[test]
fn the_demo_is_open_and_has_a_database_of_its_own() {
    let mut settings = settings(&["--demo", "--data-dir", "/data"]);
    demo::adjust(&mut settings);
    assert_eq!(settings.base.database_url.expose(), "sqlite:///data/demo.db");
    settings.listen = "0.0.0.0:80".parse().expect("address");
    assert_eq!(Config::new(settings).expect_err("an open demo for everyone").setting, "listen");
}
