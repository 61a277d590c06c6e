//! Signs logs: one that has changed is signed once an interval. Idle, it looks only for what a process that died has left.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{Next, SWEEP, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

pub(super) struct Signer {
    logs: Logs,
    interval: Duration,
    sweep_at: Instant,
}

impl Signer {
    pub fn new(logs: Logs, interval: Duration) -> Self {
        Self { logs, interval, sweep_at: Instant::now() }
    }
}

impl Worker for Signer {
    fn name(&self) -> &'static str {
        "signer"
    }

    fn every(&self) -> Duration {
        self.interval.max(SWEEP)
    }

    fn stage(&self) -> Stage {
        Stage::Signs
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            if self.sweep_at <= Instant::now() {
                self.logs.sign_all().await?;
                self.sweep_at = Instant::now() + SWEEP;
            } else {
                self.logs.sign_changed().await?;
            }
            let sweep = self.sweep_at.saturating_duration_since(Instant::now());
            Ok(Next::when_woken(self.interval, sweep.max(self.interval)))
        })
    }

    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.logs.logs_changed())
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.logs.finish_checkpoints().await;
            Ok(())
        })
    }
}
