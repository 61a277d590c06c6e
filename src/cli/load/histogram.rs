//! Latencies in bounded memory: buckets whose width is a 64th of their value.

use std::time::Duration;

/// Values below this have a bucket each; above, every doubling has this many.
const SUB_BUCKETS: u64 = 64;
const SUB_BITS: u32 = SUB_BUCKETS.ilog2();

/// How often each latency was seen; exact to 1.6 %.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_us: u64,
}

impl Histogram {
    pub(super) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max_us = self.max_us.max(micros);
    }

    /// The latency that `percent` of all do not exceed.
    pub(super) fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(upper_bound(bucket).min(self.max_us));
            }
        }
        Duration::from_micros(self.max_us)
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_micros(self.max_us)
    }
}

fn bucket(micros: u64) -> usize {
    let doublings = micros.checked_ilog2().unwrap_or(0).saturating_sub(SUB_BITS);
    let within = micros >> doublings;
    usize::try_from(u64::from(doublings) * SUB_BUCKETS + within).unwrap_or(usize::MAX)
}

fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / SUB_BUCKETS).saturating_sub(1);
    ((bucket - doublings * SUB_BUCKETS + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_holds_its_values(micros in 0_u64..10_000_000_000) {
            let bound = upper_bound(bucket(micros));
            prop_assert!(bound >= micros && bound - micros <= micros / SUB_BUCKETS, "{micros} {bound}");
        }
    }

    #[test]
    fn percentiles_of_a_hundred() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|millis| histogram.record(Duration::from_millis(millis)));
        let close = |percent: u64, millis: u64| {
            let found = histogram.percentile(percent).as_micros();
            assert!((u128::from(millis * 1_000)..=u128::from(millis * 1_016)).contains(&found), "p{percent} {found}");
        };
        close(50, 50);
        close(90, 90);
        close(99, 99);
        assert_eq!(histogram.percentile(100), Duration::from_millis(100));
        assert_eq!(histogram.max(), Duration::from_millis(100));
        assert_eq!(Histogram::default().percentile(50), Duration::ZERO);
    }
}
