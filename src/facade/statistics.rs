//! Keeps the database's planner informed while tables grow.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Logs;
use crate::error::Result;

/// How often growth is looked for, which is one statement that reads no row of ours.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY_US: i64 = 10_000_000;
/// The duty's name: one process does it.
const DUTY: &str = "statistics";

impl Logs {
    /// Has tables analyzed that grew a lot, until `cancel`led.
    pub async fn run_statistics(&self, cancel: CancellationToken) {
        let work = async {
            loop {
                match self.refresh_statistics().await {
                    Ok(tables) if tables.is_empty() => {}
                    Ok(tables) => tracing::info!(?tables, "analyzed for the planner"),
                    Err(error) => tracing::warn!(?error, "tables were not analyzed; reads may be slow"),
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        cancel.run_until_cancelled(work).await;
    }

    /// Has tables analyzed that grew a lot, unless another process does; which.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer in time.
    pub async fn refresh_statistics(&self) -> Result<Vec<String>> {
        let tables = self.0.store.tables_without_statistics().await?;
        if tables.is_empty() || !self.0.store.claim_duty(DUTY, LOOK_EVERY_US).await? {
            return Ok(Vec::new());
        }
        self.0.store.analyze(&tables).await?;
        Ok(tables)
    }
}
