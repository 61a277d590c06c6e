//! Ends traces. Every process does: a trace is claimed in the database, so no two seal the same.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Next, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

/// The longest pause: traces of a process that died are found within it.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The shortest pause, so that a stream of arrivals does not become a stream of queries.
const PAUSE_MIN: Duration = Duration::from_millis(20);

pub(super) struct Sealer {
    pub logs: Logs,
}

impl Worker for Sealer {
    fn name(&self) -> &'static str {
        "sealer"
    }

    fn every(&self) -> Duration {
        PAUSE_MAX
    }

    fn stage(&self) -> Stage {
        Stage::Writes
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            if self.logs.seal_due().await?.is_full() {
                return Ok(Next::AT_ONCE);
            }
            Ok(match self.logs.next_seal().await? {
                Some(wait) => Next::after(wait.clamp(PAUSE_MIN, PAUSE_MAX)),
                // Nothing waits in the database: only an arrival, or another process's death, can change that.
                None => Next::when_woken(PAUSE_MIN, PAUSE_MAX),
            })
        })
    }

    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.logs.touched())
    }
}
