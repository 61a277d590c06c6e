//! Commands. Their results go to standard output, everything else to standard error.
#![expect(clippy::print_stderr, reason = "this is where the process talks to a person; see `said` for its output")]

mod completions;
mod demo;
mod demo_metrics;
mod demo_rehearsal;
mod demo_rules;
mod demo_story;
mod keys;
mod keys_ledger;
mod load;
mod migrate;
mod said;
mod serve;
mod verify;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::{self, AppError};
use crate::config::{BaseSettings, FileSettings, LogFormat, check_variables, default_path};
use crate::telemetry;

/// Exit code of a command line or settings that cannot be used; that of the argument parser too.
const SETTING: u8 = 2;

const PRECEDENCE: &str = "Every setting is a flag, an environment variable and a key of runledger.toml (the flag's name \
without its dashes). Flags go before variables, variables before the file.";

/// The evidence-grade log of LLM runs: OpenTelemetry in, one GraphQL API out.
#[derive(Debug, Parser)]
#[command(name = "runledger", version, after_help = PRECEDENCE, disable_help_subcommand = true)]
struct Cli {
    /// Settings file; runledger.toml in the current folder when there is one.
    #[arg(long, global = true, env = "RUNLEDGER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeArgs>),
    Migrate(migrate::MigrateArgs),
    Schema(SchemaArgs),
    Keys(keys::KeysArgs),
    Load(load::LoadArgs),
    Verify(verify::VerifyArgs),
    Completions(completions::CompletionsArgs),
}

/// Print the GraphQL schema.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  runledger schema > schema.graphql")]
struct SchemaArgs {}

/// Runs a command line; the program's whole life.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(Refusal::Usage(error)) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
        Err(Refusal::Settings(message)) => {
            eprintln!("error: {message}");
            return ExitCode::from(SETTING);
        }
    };
    match start(cli.command) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error}");
            if error.is_setting() { ExitCode::from(SETTING) } else { ExitCode::FAILURE }
        }
    }
}

/// Turns of tasks until a busy thread looks for what has arrived. A turn is a quarter of a millisecond at most, so that a new
/// request waits for two; with tokio's 61 turns it would wait for fifteen, at each step of its way.
const TURNS_BETWEEN_EVENTS: u32 = 8;

fn start(command: Command) -> Result<ExitCode, AppError> {
    // One TLS provider for listeners and clients alike; a second installation is refused, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().event_interval(TURNS_BETWEEN_EVENTS).build();
    let runtime = runtime.map_err(|error| AppError::new(format!("the runtime does not start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => Box::pin(serve::run(*args)).await?,
            Command::Migrate(args) => migrate::run(args).await?,
            Command::Schema(SchemaArgs {}) => said::say(app::sdl().trim_end_matches('\n'))?,
            Command::Keys(args) => keys::run(args).await?,
            Command::Load(args) => load::run(args).await?,
            Command::Completions(args) => completions::run(&args)?,
            Command::Verify(args) => return Ok(verify::run(&args).await),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Why a command line is not run.
#[derive(Debug)]
enum Refusal {
    /// The command line or the environment is wrong, or help was asked for.
    Usage(clap::Error),
    /// The settings file is wrong, or the environment has a variable that is no setting.
    Settings(String),
}

/// Reads the command line, then once more with the settings file's values below it.
fn parse(arguments: &[OsString]) -> Result<Cli, Refusal> {
    let command = Cli::command();
    let matches = command.clone().try_get_matches_from(arguments).map_err(Refusal::Usage)?;
    let uses_settings = uses_settings(&matches);
    if uses_settings || matches.subcommand_name() == Some("load") {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let given = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        check_variables(given, &variables(&command)).map_err(Refusal::Settings)?;
    }
    let named = matches.get_one::<PathBuf>("config").cloned();
    let path = named.or_else(|| default_path().filter(|_| uses_settings));
    let matches = match path {
        None => matches,
        Some(path) => {
            let file = FileSettings::read(&path).map_err(|error| Refusal::Settings(error.to_string()))?;
            // Flags and environment alone were fine, so what is refused now stands in the file.
            let in_file =
                |error: clap::Error| Refusal::Settings(format!("{}: {}", path.display(), without_prefix(&error)));
            file.lay_under(command).try_get_matches_from(arguments).map_err(in_file)?
        }
    };
    let mut cli = Cli::from_arg_matches(&matches).map_err(Refusal::Usage)?;
    if let (Command::Serve(args), Some(matches)) = (&mut cli.command, matches.subcommand_matches("serve")) {
        args.keep_values(matches);
    }
    Ok(cli)
}

/// Every variable that some command reads.
fn variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

/// Whether the command opens the database: the others do not care what the settings file says.
fn uses_settings(matches: &ArgMatches) -> bool {
    matches!(matches.subcommand_name(), Some("serve" | "migrate" | "keys"))
        || matches.subcommand_matches("verify").is_some_and(|verify| verify.subcommand_name() == Some("database"))
}

fn without_prefix(error: &clap::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("error: ").unwrap_or(&text).lines().next().unwrap_or_default().to_owned()
}

fn init_logs(base: &BaseSettings) -> Result<(), AppError> {
    telemetry::init_logs(&base.log_level, base.log_format == LogFormat::Json).map_err(AppError::setting)
}

/// Logging of a server, until what this gives is dropped.
fn init_server_logs(base: &BaseSettings) -> Result<impl Sized + use<>, AppError> {
    telemetry::init_server_logs(&base.log_level, base.log_format == LogFormat::Json).map_err(AppError::setting)
}

#[cfg(test)]
mod tests;
