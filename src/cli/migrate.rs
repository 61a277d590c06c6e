//! `runledger migrate`: the schema of the database.

use std::sync::Arc;

use clap::Subcommand;

use super::init_logs;
use crate::app::{AppError, open_for_command};
use crate::clock::SystemClock;
use crate::config::BaseSettings;
use crate::facade::keys::operator;
use crate::store::migrate;

/// Bring the database's schema up to date, take changes back, or show where it stands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger migrate up
  runledger migrate status --database-url postgres://app@db/runledger
  runledger migrate down --steps 1            takes back the newest change, and the data in its tables")]
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
    /// Take back the newest changes, with everything in their tables.
    Down {
        /// How many.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        steps: u32,
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
            report("applied", &applied);
            if !applied.is_empty() {
                let (logs, store) = open_for_command(&base, Arc::new(SystemClock)).await?;
                let recorded = logs.record_migrations(&applied, Some(operator())).await;
                store.close().await;
                recorded?;
            }
        }
        Action::Down { steps, base } => {
            init_logs(&base)?;
            report("taken back", &migrate::down(base.database_url.expose(), steps).await?);
        }
        Action::Status { base } => {
            init_logs(&base)?;
            for (name, is_applied) in migrate::status(base.database_url.expose()).await? {
                println!("{:<10}{name}", if is_applied { "applied" } else { "pending" });
            }
        }
    }
    Ok(())
}

fn report(what: &str, names: &[String]) {
    if names.is_empty() {
        println!("nothing to do");
    }
    for name in names {
        println!("{what:<12}{name}");
    }
}
