//! Keeps the process's own numbers in order.

use std::time::Duration;

use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;

use super::{Next, Stage, Worker};
use crate::error::Result;
use crate::telemetry;

/// A histogram keeps its samples apart until they are summed up.
const EVERY: Duration = Duration::from_secs(30);

/// Sums up what was counted.
pub struct Upkeep {
    /// Where it is counted.
    pub metrics: PrometheusHandle,
}

impl Worker for Upkeep {
    fn name(&self) -> &'static str {
        "upkeep"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn stage(&self) -> Stage {
        Stage::Reads
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            self.metrics.run_upkeep();
            telemetry::count_dropped_lines();
            Ok(Next::after(EVERY))
        })
    }
}
