//! Drops telemetry that is older than it is kept.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{GRACE, Next, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

/// How often old samples are looked for.
const EVERY: Duration = Duration::from_secs(600);

pub(super) struct Cleaner {
    pub logs: Logs,
}

impl Worker for Cleaner {
    fn name(&self) -> &'static str {
        "cleaner"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn lease(&self) -> Option<Duration> {
        Some(EVERY + GRACE)
    }

    fn stage(&self) -> Stage {
        Stage::Writes
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            let rows = self.logs.clean_telemetry().await?;
            if rows > 0 {
                tracing::info!(rows, "old telemetry dropped");
            }
            Ok(Next::after(EVERY))
        })
    }
}
