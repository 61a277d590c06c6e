//! What waits, a lane a tenant: each keeps its order, each has its share of the room, and flushes take from them in turn.

use std::collections::{HashMap, VecDeque};

use super::queue::Job;
use crate::domain::ids::TenantId;

/// Bytes that a tenant may have in a flush before the next tenant's turn (deficit round robin). A record counts some
/// 512 bytes, so these are about a quarter of a flush.
const TURN_BYTES: usize = 64 << 10;

/// Records and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub records: usize,
    pub bytes: usize,
}

impl Load {
    pub const fn plus(self, more: Self) -> Self {
        Self { records: self.records + more.records, bytes: self.bytes + more.bytes }
    }

    const fn minus(self, less: Self) -> Self {
        Self { records: self.records - less.records, bytes: self.bytes - less.bytes }
    }

    pub const fn fits(self, room: Self) -> bool {
        self.records <= room.records && self.bytes <= room.bytes
    }

    /// One of so many equal shares.
    const fn share(self, shares: usize) -> Self {
        Self { records: self.records / shares, bytes: self.bytes / shares }
    }
}

/// One tenant's units, oldest first.
#[derive(Default)]
struct Lane {
    jobs: VecDeque<Job>,
    load: Load,
    /// Bytes that it may still take in this turn, or that its last one left.
    credit: usize,
    /// A flush was full in the middle of its turn, which goes on with the next: the turn's bytes are in `credit` already.
    is_in_turn: bool,
}

/// Everything that waits.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: HashMap<TenantId, Lane>,
    /// Tenants with units, the next to be served first.
    turns: VecDeque<TenantId>,
    load: Load,
}

impl Lanes {
    pub const fn load(&self) -> Load {
        self.load
    }

    /// Makes room for a tenant's unit and queues it, or gives it back. One tenant alone may fill the queue. When it is full,
    /// a tenant that stays within its share of it (one of as many as there are tenants with units) takes the place of the
    /// newest units of those above theirs, which are given back as `evicted`.
    pub fn push(&mut self, tenant: &TenantId, job: Job, room: Load, evicted: &mut Vec<Job>) -> Result<(), Box<Job>> {
        let more = job.load;
        let own = self.lanes.get(tenant).map_or(Load::default(), |lane| lane.load).plus(more);
        let tenants = self.lanes.len() + usize::from(!self.lanes.contains_key(tenant));
        let share = room.share(tenants);
        if !self.load.plus(more).fits(room) && !own.fits(share) {
            return Err(Box::new(job));
        }
        while !self.load.plus(more).fits(room) {
            // Within a share there is another above it, as long as the whole does not fit.
            let Some(newest) = self.pop_newest_of_longest(share) else { return Err(Box::new(job)) };
            evicted.push(newest);
        }
        self.load = self.load.plus(more);
        let lane = self.lanes.entry(tenant.clone()).or_default();
        lane.load = lane.load.plus(more);
        if lane.jobs.is_empty() {
            self.turns.push_back(tenant.clone());
        }
        lane.jobs.push_back(job);
        Ok(())
    }

    /// The newest unit of the tenant that is furthest above its share.
    fn pop_newest_of_longest(&mut self, share: Load) -> Option<Job> {
        let above = self.lanes.iter_mut().filter(|(_, lane)| !lane.load.fits(share));
        let (tenant, lane) = above.max_by_key(|(_, lane)| (lane.load.records, lane.load.bytes))?;
        let job = lane.jobs.pop_back()?;
        lane.load = lane.load.minus(job.load);
        self.load = self.load.minus(job.load);
        if lane.jobs.is_empty() {
            let tenant = tenant.clone();
            self.lanes.remove(&tenant);
            self.turns.retain(|waiting| *waiting != tenant);
        }
        Some(job)
    }

    /// Units for one flush, of the tenants in turn: as many as fit, and one at least.
    pub fn take(&mut self, room: Load) -> Vec<Job> {
        let (mut jobs, mut taken) = (Vec::new(), Load::default());
        while let Some(tenant) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&tenant) else { continue };
            if !lane.is_in_turn {
                lane.credit += TURN_BYTES;
            }
            lane.is_in_turn = false;
            while let Some(next) = lane.jobs.front()
                && next.load.bytes <= lane.credit
            {
                let more = next.load;
                if !taken.plus(more).fits(room) && !jobs.is_empty() {
                    lane.is_in_turn = true;
                    self.turns.push_front(tenant);
                    return jobs;
                }
                taken = taken.plus(more);
                lane.credit -= more.bytes;
                lane.load = lane.load.minus(more);
                self.load = self.load.minus(more);
                jobs.extend(lane.jobs.pop_front());
            }
            if lane.jobs.is_empty() {
                self.lanes.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
        }
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::append::AppendUnit;
    use crate::domain::time::Timestamp;
    use crate::store::append::prepare::Prepared;

    const ROOM: Load = Load { records: 100, bytes: 1 << 20 };

    /// A unit of a tenant, told from others by when it was made.
    fn job_of(tenant: &str, number: i64, load: Load) -> Job {
        let unit = AppendUnit::evidence(TenantId::trusted(tenant), Vec::new());
        let prepared = Prepared::new(unit, Timestamp::from_micros_clamped(number), false).expect("prepared");
        Job::new(prepared, load).0
    }

    fn job(tenant: &str, number: i64, records: usize) -> Job {
        job_of(tenant, number, Load { records, bytes: records * 512 })
    }

    fn push(lanes: &mut Lanes, tenant: &str, number: i64, records: usize) -> Result<Vec<(String, i64)>, ()> {
        let mut evicted = Vec::new();
        let pushed = lanes.push(&TenantId::trusted(tenant), job(tenant, number, records), ROOM, &mut evicted);
        pushed.map(|()| names(&evicted)).map_err(drop)
    }

    fn names(jobs: &[Job]) -> Vec<(String, i64)> {
        let name = |job: &Job| (job.prepared.unit.tenant.as_str().to_owned(), job.prepared.created_at.as_micros());
        jobs.iter().map(name).collect()
    }

    #[test]
    fn one_tenant_may_fill_the_queue_and_never_keeps_another_out() {
        let mut lanes = Lanes::default();
        for number in 0..100 {
            assert_eq!(push(&mut lanes, "loud", number, 1), Ok(Vec::new()));
        }
        assert_eq!(push(&mut lanes, "loud", 100, 1), Err(()), "no room");
        // Another takes the place of the newest, up to its half.
        for number in 0..50 {
            let evicted = push(&mut lanes, "calm", number, 1);
            assert_eq!(evicted, Ok(vec![("loud".to_owned(), 99 - number)]));
        }
        assert_eq!(push(&mut lanes, "calm", 50, 1), Err(()), "its share is used up");
        // Both are above a third now: both give way, the newest first.
        let evicted = push(&mut lanes, "third", 0, 33).expect("its share");
        for (tenant, others) in [("loud", 17), ("calm", 17)] {
            let own: Vec<i64> = evicted.iter().filter(|(name, _)| name == tenant).map(|(_, number)| *number).collect();
            assert!(own.len() >= others - 1 && own.iter().rev().is_sorted(), "{tenant}: {own:?}");
        }
        assert_eq!(evicted.len(), 33);
        assert_eq!(lanes.load(), Load { records: 100, bytes: 100 * 512 });
        let taken = names(&lanes.take(Load { records: usize::MAX / 2, bytes: usize::MAX / 2 }));
        for tenant in ["loud", "calm", "third"] {
            let own: Vec<i64> = taken.iter().filter(|(name, _)| name == tenant).map(|(_, number)| *number).collect();
            assert!(!own.is_empty() && own.is_sorted(), "{tenant}: {own:?}");
        }
        assert_eq!(lanes.load(), Load::default());
    }

    #[test]
    fn a_large_unit_gives_way_to_a_small_one_of_another() {
        let mut lanes = Lanes::default();
        assert_eq!(push(&mut lanes, "loud", 0, 100), Ok(Vec::new()));
        assert_eq!(push(&mut lanes, "calm", 0, 1), Ok(vec![("loud".to_owned(), 0)]));
        assert_eq!(lanes.load().records, 1);
    }

    #[test]
    fn flushes_take_from_tenants_in_turn() {
        let mut lanes = Lanes::default();
        // Small units of all go into one flush.
        for number in 0..40 {
            assert_eq!(push(&mut lanes, "loud", number, 1), Ok(Vec::new()));
        }
        for number in 0..40 {
            assert_eq!(push(&mut lanes, "busy", number, 1), Ok(Vec::new()));
        }
        assert_eq!(push(&mut lanes, "calm", 7, 1), Ok(Vec::new()));
        let room = Load { records: 1_000, bytes: 4 << 20 };
        let first = names(&lanes.take(room));
        assert_eq!(first.len(), 81);
        // A turn is 128 records of 512 bytes: with larger ones the turns show.
        let large = |tenant: &str, number| job_of(tenant, number, Load { records: 1, bytes: TURN_BYTES });
        for tenant in ["loud", "busy", "calm"] {
            for number in 0..if tenant == "calm" { 1 } else { 6 } {
                let (tenant, more) = (TenantId::trusted(tenant), large(tenant, number));
                assert!(lanes.push(&tenant, more, Load { records: 100, bytes: 64 << 20 }, &mut Vec::new()).is_ok());
            }
        }
        let flush = Load { records: 4, bytes: 64 << 20 };
        let tenants = |jobs: Vec<Job>| names(&jobs).into_iter().map(|(tenant, _)| tenant).collect::<Vec<_>>();
        assert_eq!(tenants(lanes.take(flush)), ["loud", "busy", "calm", "loud"]);
        assert_eq!(tenants(lanes.take(flush)), ["busy", "loud", "busy", "loud"]);
        assert_eq!(tenants(lanes.take(flush)), ["busy", "loud", "busy", "loud"]);
        assert_eq!(tenants(lanes.take(flush)), ["busy"]);
    }

    #[test]
    fn a_turn_goes_on_in_the_next_flush_whatever_the_size_of_units() {
        // No size divides a turn, and flushes are full in the middle of turns.
        const SIZES: [(&str, usize); 5] = [("a", 600), ("b", 700), ("c", 1_000), ("d", 2_000), ("e", 5_000)];
        const EACH: usize = 400_000;
        let mut lanes = Lanes::default();
        for (tenant, bytes) in SIZES {
            for number in (0..).take(EACH / bytes) {
                let unit = job_of(tenant, number, Load { records: 1, bytes });
                let room = Load { records: 10_000, bytes: 64 << 20 };
                assert!(lanes.push(&TenantId::trusted(tenant), unit, room, &mut Vec::new()).is_ok());
            }
        }
        let mut taken: HashMap<String, Vec<i64>> = HashMap::new();
        let mut flushes = 0;
        while lanes.load() != Load::default() {
            let flush = names(&lanes.take(Load { records: 50, bytes: 4 << 20 }));
            assert!((1..=50).contains(&flush.len()));
            for (tenant, number) in flush {
                taken.entry(tenant).or_default().push(number);
            }
            let bytes = SIZES.map(|(tenant, bytes)| taken.get(tenant).map_or(0, |units| units.len() * bytes));
            let all_wait = SIZES.iter().zip(bytes).all(|((_, size), bytes)| bytes + size <= EACH);
            let (least, most) =
                bytes.iter().fold((usize::MAX, 0_usize), |(least, most), of| (least.min(*of), most.max(*of)));
            assert!(!all_wait || most - least <= TURN_BYTES + 5_000, "a turn apart at most: {bytes:?}");
            flushes += 1;
        }
        assert!(flushes > 30, "{flushes}");
        for (tenant, bytes) in SIZES {
            assert!(taken[tenant].iter().copied().eq((0..).take(EACH / bytes)), "{tenant}: each once, in order");
        }
        assert!(lanes.take(ROOM).is_empty());
    }

    #[test]
    fn a_unit_larger_than_a_flush_is_taken_alone() {
        let mut lanes = Lanes::default();
        for (tenant, records) in [("calm", 1), ("loud", 60)] {
            assert_eq!(push(&mut lanes, tenant, 0, records), Ok(Vec::new()));
        }
        let flush = Load { records: 10, bytes: 1_000 };
        assert_eq!(names(&lanes.take(flush)), [("calm".to_owned(), 0)]);
        assert_eq!(names(&lanes.take(flush)), [("loud".to_owned(), 0)]);
        assert!(lanes.take(flush).is_empty());
    }
}
