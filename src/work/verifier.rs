//! Verifies what has changed: for all processes, once an interval. It stays with the process that began it, whose trusted
//! positions are the newest.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{GRACE, Next, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

pub(super) struct Verifier {
    pub logs: Logs,
    pub interval: Duration,
}

impl Worker for Verifier {
    fn name(&self) -> &'static str {
        "verifier"
    }

    fn every(&self) -> Duration {
        self.interval
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.interval + GRACE)
    }

    fn stage(&self) -> Stage {
        Stage::Reads
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            self.logs.verify_changed().await?;
            Ok(Next::after(self.interval))
        })
    }
}
