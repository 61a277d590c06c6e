//! What became of the requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::histogram::Histogram;

/// Different reasons that a summary shows.
const REASONS_MAX: usize = 5;

/// The end of one request, after its retries.
pub(super) struct Outcome {
    pub(super) result: Result<Taken, String>,
    pub(super) status: Option<u16>,
    pub(super) retries: u64,
    pub(super) latency: Duration,
    pub(super) spans: u64,
    pub(super) bytes: u64,
}

/// A request that the server took.
pub(super) struct Taken {
    pub(super) rejected_spans: u64,
    pub(super) message: String,
}

/// Counts outcomes of all connections.
#[derive(Default)]
pub(super) struct Tally(Mutex<Summary>);

impl Tally {
    pub(super) fn add(&self, outcome: Outcome) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.requests += 1;
        sum.retries += outcome.retries;
        sum.latency.record(outcome.latency);
        *sum.statuses.entry(outcome.status).or_default() += 1;
        let reason = match outcome.result {
            Ok(taken) => {
                sum.taken += 1;
                sum.spans += outcome.spans;
                sum.bytes += outcome.bytes;
                sum.rejected_spans += taken.rejected_spans;
                taken.message
            }
            Err(reason) => reason,
        };
        if !reason.is_empty() && (sum.reasons.len() < REASONS_MAX || sum.reasons.contains_key(&reason)) {
            *sum.reasons.entry(reason).or_default() += 1;
        }
    }

    pub(super) fn answered(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).requests
    }

    pub(super) fn summary(&self, time: Duration) -> Summary {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Summary { time, ..sum }
    }
}

/// Rate, latency, answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    time: Duration,
    requests: u64,
    taken: u64,
    spans: u64,
    bytes: u64,
    rejected_spans: u64,
    retries: u64,
    statuses: BTreeMap<Option<u16>, u64>,
    reasons: BTreeMap<String, u64>,
    latency: Histogram,
}

impl Summary {
    pub(super) fn has_failures(&self) -> bool {
        self.taken < self.requests || self.rejected_spans > 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.time.as_millis().max(1);
        let a_second = |count: u64| u128::from(count) * 1_000 / millis;
        let (requests, taken, spans) = (self.requests, self.taken, self.spans);
        writeln!(f, "requests  {requests} in {:.1} s, {taken} taken", self.time.as_secs_f64())?;
        writeln!(
            f,
            "rate      {} requests/s, {} spans/s, {} kB/s",
            a_second(taken),
            a_second(spans),
            a_second(self.bytes) / 1_000
        )?;
        writeln!(f, "spans     {spans} sent and taken, {} of them rejected", self.rejected_spans)?;
        let [p50, p90, p99] = [50, 90, 99].map(|percent| self.latency.percentile(percent).as_secs_f64() * 1_000.0);
        let max = self.latency.max().as_secs_f64() * 1_000.0;
        writeln!(f, "latency   p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")?;
        let statuses: Vec<String> = self
            .statuses
            .iter()
            .map(|(status, count)| match status {
                Some(status) => format!("{status}: {count}"),
                None => format!("no answer: {count}"),
            })
            .collect();
        write!(f, "answers   {}; {} retries", statuses.join(", "), self.retries)?;
        for (reason, count) in &self.reasons {
            write!(f, "\n  {count} x {reason}")?;
        }
        Ok(())
    }
}
