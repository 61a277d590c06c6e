//! Time, record ids and entropy as inputs, so that tests can fix all three. Nothing else reads them.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::domain::ids::RecordId;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// The source of instants, ids and random bytes.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds.
    fn now(&self) -> Timestamp;
    /// A fresh UUIDv7.
    fn new_id(&self) -> RecordId;
    /// 32 fresh random bytes: a salt, a key secret.
    ///
    /// # Errors
    /// `INTERNAL` when the operating system gives no entropy.
    fn entropy(&self) -> Result<[u8; 32]>;
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The system's clock and entropy.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Timestamp::from_micros_clamped(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    fn new_id(&self) -> RecordId {
        RecordId(Uuid::now_v7())
    }

    fn entropy(&self) -> Result<[u8; 32]> {
        READY.with_borrow_mut(Ready::take)
    }
}

thread_local! {
    static READY: RefCell<Ready> = const { RefCell::new(Ready { bytes: [[0; 32]; READY_MAX], left: 0 }) };
}

/// Pieces that are asked for at a time: most records take one, and each time is a call into the kernel.
const READY_MAX: usize = 64;

/// Random bytes of the operating system that nobody has had yet.
struct Ready {
    bytes: [[u8; 32]; READY_MAX],
    left: usize,
}

impl Ready {
    fn take(&mut self) -> Result<[u8; 32]> {
        if self.left == 0 {
            getrandom::fill(self.bytes.as_flattened_mut()).map_err(Error::internal)?;
            self.left = READY_MAX;
        }
        self.left -= 1;
        // What was given is kept nowhere else.
        Ok(std::mem::take(&mut self.bytes[self.left]))
    }
}

/// A clock for tests and snapshots: it starts at a given instant, advances one microsecond a reading, and counts its
/// ids and its entropy up from 1.
#[derive(Debug)]
pub struct FixedClock {
    start: Timestamp,
    readings: AtomicU64,
    ids: AtomicU64,
    entropy: AtomicU64,
}

impl FixedClock {
    /// A clock that first reads `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self { start, readings: AtomicU64::new(0), ids: AtomicU64::new(0), entropy: AtomicU64::new(0) }
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        self.start.plus_micros(i64::try_from(reading).unwrap_or(i64::MAX))
    }

    fn new_id(&self) -> RecordId {
        let count = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        let millis = u64::try_from(self.start.as_micros() / 1_000).unwrap_or(0);
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&count.to_be_bytes());
        RecordId(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    fn entropy(&self) -> Result<[u8; 32]> {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&(self.entropy.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_random_is_given_twice_or_kept() {
        let given = || (0..READY_MAX * 3).map(|_| SystemClock.entropy().expect("entropy")).collect::<Vec<_>>();
        let here = given();
        let there = std::thread::spawn(given).join().expect("the other thread");
        let all: HashSet<_> = here.iter().chain(&there).collect();
        assert_eq!(all.len(), READY_MAX * 6);
        assert!(!all.contains(&[0; 32]));
        READY.with_borrow(|ready| {
            assert!(
                ready.bytes[ready.left..].iter().all(|given| *given == [0; 32]),
                "what was given is gone from here"
            );
        });
    }
}
