//! `runledger load`: sends OTLP requests to a server and says how it took them.

mod histogram;
mod send;
mod source;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use self::send::{Sender, Target};
use self::source::Source;
use self::summary::Tally;
use super::said::say;
use crate::app::AppError;
use crate::config::{Secret, parse_duration, whole};

const RUNS_DEFAULT: u64 = 1_000;
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// How requests are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// Send OTLP files, or runs made up for the purpose, to a server, and sum up rate, latency and answers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger load --runs 1000                                   1,000 runs of 10 spans to the local server
  runledger load fixtures/ --key rl_...                        every *.pb and *.json below fixtures/, once
  runledger load --spans-per-request 100 --connections 8 --duration 30s
  runledger load --rate 200 --duration 1m                      200 requests a second; latency counts from when each was due
Ends with exit code 1 when a request failed or a span was rejected.")]
pub(super) struct LoadArgs {
    /// OTLP files (*.pb, *.json) or folders of them; made-up runs when there are none.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The server; /v1/traces is added where the URL has no path.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// API key or JWT.
    #[arg(long, env = "RUNLEDGER_KEY", hide_env_values = true)]
    key: Option<Secret>,
    /// Requests under way at a time, each on a connection of its own.
    #[arg(long, default_value = "8", value_parser = whole(1_u16..=1024))]
    connections: u16,
    /// Made-up spans in one request.
    #[arg(long, default_value = "10", value_parser = whole(1_u64..=5_000))]
    spans_per_request: u64,
    /// Made-up spans of one run.
    #[arg(long, default_value = "10", value_parser = whole(1_u64..=100_000))]
    spans_per_run: u64,
    /// Made-up runs to send; 1,000 when nothing else ends the load.
    #[arg(long, conflicts_with_all = ["requests", "files"])]
    runs: Option<u64>,
    /// Requests to send; files are sent again from the first when they run out.
    #[arg(long)]
    requests: Option<u64>,
    /// How long to send.
    #[arg(long, value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Requests a second; 0 is as fast as the server takes them.
    #[arg(long, default_value = "0", value_parser = whole(0_u32..=1_000_000))]
    rate: u32,
    /// Encoding; that of each file, or protobuf, when absent.
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Compress requests.
    #[arg(long)]
    gzip: bool,
    /// How often a request that was refused with 429, 502, 503 or 504 is sent again.
    #[arg(long, default_value = "5", value_parser = whole(0_u32..=100))]
    retries: u32,
    /// Seed of made-up runs: the same seed gives the same trace ids. Random when absent.
    #[arg(long)]
    seed: Option<u64>,
}

/// When the load ends, whatever comes first.
#[derive(Clone, Copy)]
struct Bounds {
    requests: Option<u64>,
    duration: Option<Duration>,
}

pub(super) async fn run(args: LoadArgs) -> Result<(), AppError> {
    let source = Arc::new(Source::new(&args)?);
    let bounds = bounds(&args, &source);
    let target = Arc::new(Target::new(&args)?);
    let stop = Arc::new(AtomicBool::new(false));
    let progress = progress_bar(bounds);
    let began = Instant::now();
    let tally = Arc::new(Tally::default());
    let sender = Sender { target, source, tally: Arc::clone(&tally), stop: Arc::clone(&stop), began, bounds };
    let mut senders = JoinSet::new();
    for _ in 0..args.connections {
        senders.spawn(sender.clone().run()?);
    }
    let watch = async {
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        loop {
            tokio::select! {
                ended = senders.join_next() => if ended.is_none() { break },
                _ = ticks.tick() => progress.set_position(position(bounds, &tally, began)),
                _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
            }
        }
    };
    watch.await;
    progress.finish_and_clear();
    let summary = tally.summary(began.elapsed());
    say(&summary)?;
    if summary.has_failures() {
        return Err(AppError::new("some requests failed or some spans were rejected; see above"));
    }
    Ok(())
}

fn bounds(args: &LoadArgs, source: &Source) -> Bounds {
    let by_runs = |runs: u64| (runs * args.spans_per_run).div_ceil(args.spans_per_request);
    let requests = args
        .requests
        .or_else(|| args.runs.map(by_runs))
        .or_else(|| args.duration.is_none().then(|| source.file_count().unwrap_or_else(|| by_runs(RUNS_DEFAULT))));
    Bounds { requests, duration: args.duration }
}

fn progress_bar(bounds: Bounds) -> ProgressBar {
    let (length, template) = match bounds {
        Bounds { requests: Some(requests), .. } => (requests, "{bar:40} {pos}/{len} requests, {per_sec}, {eta} to go"),
        Bounds { duration, .. } => (duration.unwrap_or_default().as_secs(), "{bar:40} {pos}/{len} s"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

fn position(bounds: Bounds, tally: &Tally, began: Instant) -> u64 {
    if bounds.requests.is_some() { tally.answered() } else { began.elapsed().as_secs() }
}
