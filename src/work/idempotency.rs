//! Forgets idempotency keys that were used too long ago.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{GRACE, Next, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

/// How often old keys are looked for.
const EVERY: Duration = Duration::from_secs(60);

pub(super) struct Idempotency {
    pub logs: Logs,
}

impl Worker for Idempotency {
    fn name(&self) -> &'static str {
        "idempotency"
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
            self.logs.forget_idempotency_keys().await?;
            Ok(Next::after(EVERY))
        })
    }
}
