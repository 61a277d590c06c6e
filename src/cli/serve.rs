//! `runledger serve`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::{demo, init_server_logs};
use crate::app::{
    AppError, InstanceFile, Listeners, Server, claim, open_logs, open_store, start_signing, until_signal,
};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, Secret, Settings, known_settings};

/// Run the server: GraphQL, GraphiQL, OTLP/HTTP and OTLP/gRPC.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger serve --demo                                  a server full of real runs, nothing to set up
  runledger serve                                         SQLite in the current folder, API keys required
  runledger serve --auth off                              no keys; this machine only
  RUNLEDGER_DATABASE_URL=postgres://app@db/runledger \\
    runledger serve --listen 0.0.0.0:8080 --tls-cert cert.pem --tls-key key.pem")]
pub(super) struct ServeArgs {
    /// Serve a database of its own (DATA_DIR/demo.db, made anew each time) with real runs of the last hours, without
    /// authentication.
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    settings: Settings,
    /// What each setting was given as.
    #[arg(skip)]
    values: BTreeMap<String, Secret>,
    /// Settings that stand on the command line, in the environment or in the file.
    #[arg(skip)]
    given: BTreeSet<String>,
}

impl ServeArgs {
    /// Keeps what each setting was given as, to tell at the next start which changed.
    pub(super) fn keep_values(&mut self, matches: &ArgMatches) {
        for (name, default) in known_settings() {
            let value = raw(matches, &name);
            let source = matches.value_source(&name);
            // What stands in the file comes as a default.
            let is_given = matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable));
            if is_given || value != default {
                self.given.insert(name.clone());
            }
            self.values.insert(name, Secret::from(value));
        }
    }

    #[cfg(test)]
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn raw(matches: &ArgMatches, name: &str) -> String {
    let raw = matches.try_get_raw(name).ok().flatten();
    let values = raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
    values.collect::<Vec<_>>().join(",")
}

pub(super) async fn run(args: ServeArgs) -> Result<(), AppError> {
    let ServeArgs { demo: is_demo, mut settings, values, given } = args;
    if is_demo {
        demo::refuse_others(&given, &settings)?;
        demo::adjust(&mut settings);
    }
    let config = Config::new(settings)?;
    let _log = init_server_logs(&config.base)?;
    let stop = until_signal().map_err(|error| AppError::new(format!("signals: {error}")))?;
    let listeners = Listeners::bind(&config)?;
    let http = listeners.http_address().map_err(|error| AppError::new(error.to_string()))?;
    let clock: SharedClock = Arc::new(SystemClock);
    let claimed = claim(&config, http, &*clock);
    let _serving = if is_demo { claimed.map_err(|error| demo::beside(&error))? } else { claimed? };
    if is_demo {
        demo::remove_database(&config)?;
    }
    let store = open_store(&config, Arc::clone(&clock)).await?;
    if is_demo {
        Box::pin(demo::before(&config, &store, &clock)).await?;
    }
    let logs = open_logs(&config, store.clone(), Arc::clone(&clock))?;
    if !is_demo {
        // The demo's logs begin anew each time: what was remembered of the last ones would miss them.
        logs.trust_in(&config.base.data_dir);
    }
    start_signing(&config.base, &logs, &clock).await?;
    let kind = if config.base.database_url.expose().starts_with("sqlite") { "sqlite" } else { "postgres" };
    let instance = InstanceFile::open(&config.base.data_dir, is_demo, kind, &values, &*clock)?;
    let mut server = Server::new(&config, store, logs.clone(), instance).await?;
    server.record_startup().await?;
    let grpc = listeners.grpc_address();
    if is_demo {
        Box::pin(demo::fill(&logs, clock.now())).await?;
        demo::greet(http, grpc, config.tls_cert.is_some());
    }
    let grpc = grpc.map_or_else(|| "off".to_owned(), |address| address.to_string());
    tracing::info!(%http, grpc, version = env!("CARGO_PKG_VERSION"), "serving");
    server.run(listeners, stop).await
}
