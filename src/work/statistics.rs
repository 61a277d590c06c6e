//! Has tables analyzed that grew a lot; until then the planner's guesses make reads slow.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{GRACE, Next, Stage, Worker};
use crate::error::Result;
use crate::facade::Logs;

/// How often growth is looked for, which is one statement that reads no row of ours.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Statistics {
    pub logs: Logs,
}

impl Worker for Statistics {
    fn name(&self) -> &'static str {
        "statistics"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn lease(&self) -> Option<Duration> {
        Some(EVERY + GRACE)
    }

    fn stage(&self) -> Stage {
        Stage::Reads
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        Box::pin(async {
            let tables = self.logs.refresh_statistics().await?;
            if !tables.is_empty() {
                tracing::info!(?tables, "analyzed for the planner");
            }
            Ok(Next::after(EVERY))
        })
    }
}
