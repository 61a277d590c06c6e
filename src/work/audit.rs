//! Writes down what waits to be audited and what was only counted; at the end all of it, and that the server stopped.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Next, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

/// How often counts are looked for whose minute is over.
const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Audit {
    pub logs: Logs,
    /// The id of the server.
    pub instance: String,
}

impl Worker for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn stage(&self) -> Stage {
        Stage::Audits
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            self.logs.flush_own_audit(false).await?;
            Ok(Next::when_woken(Duration::ZERO, EVERY))
        })
    }

    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.logs.looks_waiting())
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.logs.record_shutdown(&self.instance))
    }
}
