//! Notes checkpoints in the platform's log of logs: for all processes, once an interval.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Next, SWEEP, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

pub(super) struct Noter {
    pub logs: Logs,
    pub interval: Duration,
}

impl Worker for Noter {
    fn name(&self) -> &'static str {
        "noter"
    }

    fn every(&self) -> Duration {
        self.interval.max(SWEEP)
    }

    /// No longer than the interval: whichever process has signed something next is the one that notes it.
    fn lease(&self) -> Option<Duration> {
        Some(self.interval)
    }

    fn stage(&self) -> Stage {
        Stage::Writes
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            self.logs.note_checkpoints().await?;
            Ok(Next::when_woken(self.interval, self.every()))
        })
    }

    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.logs.checkpoints_signed())
    }
}
