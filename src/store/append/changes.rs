//! Which logs this process has appended to since somebody last asked.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ledger::LogName;
use tokio::sync::Notify;

/// Logs that have grown. Filled by the writer after each commit, emptied by who signs.
#[derive(Default)]
pub struct ChangedLogs {
    logs: Mutex<BTreeSet<LogName>>,
    has_news: Notify,
}

impl ChangedLogs {
    /// Adds logs, and wakes who waits for them.
    pub fn add(&self, logs: impl IntoIterator<Item = LogName>) {
        self.lock().extend(logs);
        self.has_news.notify_one();
    }

    /// Takes them all.
    #[must_use]
    pub fn take(&self) -> Vec<LogName> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    /// Waits until there are any.
    pub async fn any(&self) {
        loop {
            // Registered before the look, so that news in between is not missed.
            let news = self.has_news.notified();
            if !self.lock().is_empty() {
                return;
            }
            news.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<LogName>> {
        // Nothing under this lock can panic half-way.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
