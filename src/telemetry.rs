//! Logs and metrics of the process.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Libraries that report every start, and that a table is there already; directives for the same targets go before these.
const QUIET: &str = "sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// Turns logging on, to standard error. `directives` is a level, or what `tracing`'s filters take.
///
/// # Errors
/// What is wrong with the directives, or that logging is on already.
pub fn init_logs(directives: &str, is_json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(format!("{QUIET},{directives}")).map_err(|error| {
        format!(
            "log-level: {error}; write error, warn, info, debug, trace, or directives like info,runledger::http=debug"
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started: Result<(), TryInitError> = if is_json {
        registry.with(lines.json().flatten_event(true).with_current_span(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines).try_init()
    };
    started.map_err(|error| error.to_string())
}

/// Starts counting. Each histogram gets the bounds that go with its name.
///
/// # Errors
/// When the process counts already.
pub fn init_metrics(histograms: &[(&str, &[f64])]) -> Result<PrometheusHandle, BuildError> {
    let builder = histograms.iter().try_fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
        builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
    });
    builder?.install_recorder()
}
