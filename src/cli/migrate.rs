//! `runledger migrate`: the schema of the database.

use std::sync::Arc;

use clap::Subcommand;

use super::init_logs;
use super::said::say;
use crate::app::{AppError, open_for_command, require_file};
use crate::clock::SystemClock;
use crate::config::{BaseSettings, ChangeSettings, whole};
use crate::facade::keys::operator;
use crate::store::holdings::{self, AtStake};
use crate::store::migrate;

/// Bring the database's schema up to date, take changes back, or show where it stands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger migrate up
  runledger migrate status --database-url postgres://app@db/runledger
  runledger migrate down --steps 1                          takes back the newest change, where its tables are empty
  runledger migrate down --steps 1 --destroy runledger.db   the same, with everything in its tables")]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply the changes that are outstanding; `serve` does so by itself.
    Up {
        #[command(flatten)]
        base: BaseSettings,
    },
    /// Take back the newest changes, and drop their tables; refused where these hold anything, unless --destroy says so.
    Down {
        /// How many of the newest.
        #[arg(long, value_parser = whole(1_u32..=1_000), value_name = "N")]
        steps: Option<u32>,
        /// Drop what the tables hold, which nothing brings back: the database's name, so that it is not another one's. On
        /// SQLite the name of the file without its folder, on PostgreSQL that of the database.
        #[arg(long, value_name = "NAME")]
        destroy: Option<String>,
        #[command(flatten)]
        base: BaseSettings,
    },
    /// List the changes and whether they are applied.
    Status {
        #[command(flatten)]
        base: BaseSettings,
    },
}

pub(super) async fn run(args: MigrateArgs) -> Result<(), AppError> {
    match args.action {
        Action::Up { base } => {
            init_logs(&base)?;
            let applied = migrate::up(base.database_url.expose()).await?;
            report("applied", &applied)?;
            if !applied.is_empty() {
                // The changes are there by now.
                let changes = ChangeSettings { no_migrate: true };
                let (logs, store) = open_for_command(&base, &changes, Arc::new(SystemClock)).await?;
                let recorded = logs.record_migrations(&applied, Some(operator())).await;
                store.close().await;
                recorded?;
            }
        }
        Action::Down { steps, destroy, base } => {
            init_logs(&base)?;
            let steps = steps.ok_or_else(|| {
                AppError::setting(
                    "--steps N: say how many of the newest changes to take back, like --steps 1; runledger migrate status \
                     lists them",
                )
            })?;
            let url = base.database_url.expose();
            require_file(&base)?;
            may_be_lost(&holdings::at_stake(url, steps).await?, destroy.as_deref())?;
            report("taken back", &migrate::down(url, steps).await?)?;
        }
        Action::Status { base } => {
            init_logs(&base)?;
            if let Some(file) = holdings::missing_file(base.database_url.expose())? {
                let file = file.display();
                eprintln!("note: there is no file {file}; runledger serve and runledger migrate up make it");
            }
            for (name, is_applied) in migrate::status(base.database_url.expose()).await? {
                say(format_args!("{:<10}{name}", if is_applied { "applied" } else { "pending" }))?;
            }
        }
    }
    Ok(())
}

/// Evidence goes only where a person has said which: by the name of its database.
fn may_be_lost(stake: &AtStake, destroy: Option<&str>) -> Result<(), AppError> {
    let AtStake { name, holdings } = stake;
    match destroy {
        Some(given) if given != name => {
            let message = format!("--destroy names {given}, but this database is {name}; nothing was changed");
            Err(AppError::new(message))
        }
        None if !holdings.is_empty() => {
            let held: Vec<String> = holdings.iter().map(ToString::to_string).collect();
            let message = format!(
                "this would drop what {name} holds, and nothing brings it back: {}. Nothing was changed. Back it up, then say \
                 --destroy {name}",
                held.join(", ")
            );
            Err(AppError::new(message))
        }
        _ => Ok(()),
    }
}

fn report(what: &str, names: &[String]) -> Result<(), AppError> {
    if names.is_empty() {
        say("nothing to do")?;
    }
    names.iter().try_for_each(|name| say(format_args!("{what:<12}{name}")))
}
