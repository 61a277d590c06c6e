//! A store and the use cases over it, put together as `serve` does it.

use std::collections::HashSet;
use std::sync::Arc;

use runledger::capture::pricing::PriceTable;
use runledger::clock::{SharedClock, SystemClock};
use runledger::domain::settle::SettlePolicy;
use runledger::facade::access::{AccessAudit, AccessConfig};
use runledger::facade::{Logs, LogsConfig};
use runledger::store::{LedgerConfig, Store, StoreConfig};

/// A store over one database.
pub async fn store(url: &str, is_chained: bool) -> (Store, SharedClock) {
    let clock: SharedClock = Arc::new(SystemClock);
    let settle = SettlePolicy { settle_us: 15_000_000, settle_remote_us: 60_000_000, timeout_us: 3_600_000_000 };
    let config = StoreConfig {
        database_url: url.to_owned(),
        migrate: true,
        pool_size: 8,
        settle,
        queue_records: 10_000,
        ledger: LedgerConfig { is_chained, ..LedgerConfig::of("bench") },
    };
    (Store::connect(config, Arc::clone(&clock)).await.expect("a database"), clock)
}

/// The use cases over one database, and its store.
pub async fn logs(url: &str, is_chained: bool) -> (Logs, Store) {
    let (store, clock) = store(url, is_chained).await;
    let prices = Arc::new(PriceTable::embedded().expect("prices"));
    let config = LogsConfig {
        prices,
        content_capture: HashSet::new(),
        settle_us: 15_000_000,
        // What a read costs by itself.
        access: AccessConfig { audit: AccessAudit::Off, identifies_callers: true },
        idempotency_expiry_us: i64::MAX,
        telemetry_retention_us: i64::MAX,
    };
    (Logs::new(store.clone(), clock, config), store)
}
