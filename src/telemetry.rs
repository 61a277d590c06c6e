//! Logs and metrics of the process.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Libraries that report every start, and that a table is there already; directives for the same targets go before these.
const QUIET: &str = "sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// Lines of the log that wait to be written: some seconds of a busy server.
const LINES_WAITING: usize = 16 * 1024;

/// How many lines the server's log gave up.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Turns logging on, to standard error. `directives` is a level, or what `tracing`'s filters take.
///
/// # Errors
/// What is wrong with the directives, or that logging is on already.
pub fn init_logs(directives: &str, is_json: bool) -> Result<(), String> {
    init(directives, is_json, std::io::stderr)
}

/// The same for a server: it does not wait for whoever takes its log. Lines beyond `LINES_WAITING` are given up and counted.
/// What waits is written when the guard is dropped.
///
/// # Errors
/// As for [`init_logs`].
pub fn init_server_logs(directives: &str, is_json: bool) -> Result<WorkerGuard, String> {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING).thread_name("log");
    let (writer, guard) = builder.finish(std::io::stderr());
    let _ = DROPPED.set(writer.error_counter());
    init(directives, is_json, writer)?;
    Ok(guard)
}

/// Tells the metrics how many lines of the log were given up.
pub fn count_dropped_lines() {
    let dropped = DROPPED.get().map_or(0, ErrorCounter::dropped_lines);
    metrics::counter!("runledger_log_lines_dropped_total").absolute(u64::try_from(dropped).unwrap_or(u64::MAX));
}

fn init(
    directives: &str,
    is_json: bool,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Result<(), String> {
    let filter = EnvFilter::try_new(format!("{QUIET},{directives}")).map_err(|error| {
        format!(
            "log-level: {error}; write error, warn, info, debug, trace, or directives like info,runledger::http=debug"
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(std::io::stderr().is_terminal());
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
