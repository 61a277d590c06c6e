//! Keeps the database's planner informed while tables grow.

use super::Logs;
use crate::error::Result;

impl Logs {
    /// Whether the database plans by statistics at all.
    #[must_use]
    pub fn has_statistics(&self) -> bool {
        self.0.store.has_statistics()
    }

    /// Has tables analyzed that grew a lot; which.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer in time.
    pub async fn refresh_statistics(&self) -> Result<Vec<String>> {
        let tables = self.0.store.tables_without_statistics().await?;
        self.0.store.analyze(&tables).await?;
        Ok(tables)
    }
}
