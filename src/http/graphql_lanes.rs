//! The lanes of `/graphql`: how many requests are worked on at a time, by what they cost, and in which order callers have
//! their turns.
//!
//! What a request costs is known only once its document was measured, which costs little: so every request begins in the
//! light lane, and one that turns out dear leaves it and waits for a place in its own. There are few of those, so that
//! cheap requests find idle cores and idle connections to the database however many dear ones wait. In no lane has one
//! tenant more than its share, and the time that goes by outside of resolvers (a body that arrives, an audit entry that
//! is written) is spent in none.

use std::time::Duration;

use super::fair::{FairPermit, FairPool, NoPermit};
use crate::domain::ids::TenantId;
use crate::error::{Error, Result};
use crate::graphql::root::guard::Measured;

/// The highest complexity of a light query.
const LIGHT_MAX: u64 = 1_000;
/// The highest complexity of a query that is not dear: a page of 50 runs with their traces and ten steps each is below it.
const MIDDLE_MAX: u64 = 6_000;
/// The most rows that a query that is not dear may give.
const MIDDLE_ROWS_MAX: u64 = 50_000;
/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_AFTER_MS: u64 = 1_000;

/// Which lane a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Every document while it is measured, and queries that cost little.
    Light,
    /// Pages of records with what belongs to them.
    Middle,
    /// Queries that take a core for long.
    Dear,
    /// Mutations: they wait for the writer more than they work.
    Writes,
}

impl Lane {
    /// The lane of a measured operation.
    pub fn of(measured: &Measured, is_query: bool) -> Self {
        if measured.complexity > MIDDLE_MAX || measured.rows > MIDDLE_ROWS_MAX {
            Self::Dear
        } else if !is_query {
            Self::Writes
        } else if measured.complexity > LIGHT_MAX {
            Self::Middle
        } else {
            Self::Light
        }
    }
}

/// The lanes of one server.
#[derive(Clone)]
pub(super) struct Lanes {
    light: FairPool,
    middle: FairPool,
    dear: FairPool,
    writes: FairPool,
}

impl Lanes {
    /// Lanes for a machine with so many cores.
    pub fn new(cores: usize) -> Self {
        let cores = cores.max(1);
        let dear = cores.div_ceil(2);
        Self {
            light: FairPool::new(cores * 32, cores * 4, 1_024),
            middle: FairPool::new(cores * 4, cores * 2, 512),
            // SQLite reads with four connections: one tenant has fewer of these at a time.
            dear: FairPool::new(dear, dear.div_ceil(2).min(3), 128),
            writes: FairPool::new(cores * 128, cores * 32, 1_024),
        }
    }

    /// Lanes for this machine.
    pub fn of_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// A place in a lane, when it is the tenant's turn.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait.
    pub async fn enter(&self, lane: Lane, tenant: &TenantId) -> Result<FairPermit> {
        let pool = self.pool(lane);
        pool.acquire(tenant, PATIENCE).await.map_err(|none| {
            let what = if lane == Lane::Dear { "queries that cost this much" } else { "requests" };
            let message = match none {
                NoPermit::OwnShare => format!("this tenant has as many {what} under way and waiting as it may have"),
                NoPermit::Full => format!("the server has as many {what} under way and waiting as it can"),
                NoPermit::Late => format!("this request waited {PATIENCE:?} for its turn among {what}"),
            };
            Error::unavailable(format!("{message}: send it again, and ask for fewer rows at once"), RETRY_AFTER_MS)
        })
    }

    /// The place in the lane of what the request turned out to be, for the one in the light lane.
    ///
    /// # Errors
    /// As for [`Self::enter`].
    pub async fn turn_into(&self, lane: Lane, tenant: &TenantId, light: FairPermit) -> Result<FairPermit> {
        if lane == Lane::Light {
            return Ok(light);
        }
        drop(light);
        self.enter(lane, tenant).await
    }

    pub(super) fn pool(&self, lane: Lane) -> &FairPool {
        match lane {
            Lane::Light => &self.light,
            Lane::Middle => &self.middle,
            Lane::Dear => &self.dear,
            Lane::Writes => &self.writes,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_tenant_at_full_abuse_leaves_places_in_every_lane() {
        let (loud, quiet) = (TenantId::trusted("loud"), TenantId::trusted("quiet"));
        for cores in [1, 2, 8] {
            let lanes = Lanes::new(cores);
            for lane in [Lane::Light, Lane::Middle, Lane::Dear, Lane::Writes] {
                let mut held = Vec::new();
                let mut waiting = Vec::new();
                for _ in 0..2_000 {
                    let mut place = Box::pin(lanes.enter(lane, &loud));
                    match (&mut place).now_or_never() {
                        Some(Ok(permit)) => held.push(permit),
                        Some(Err(error)) => assert_eq!(error.code().as_str(), "UNAVAILABLE"),
                        None => waiting.push(place),
                    }
                }
                let mut other = Box::pin(lanes.enter(lane, &quiet));
                match (&mut other).now_or_never() {
                    Some(permit) => drop(permit.expect("a place at once")),
                    None => {
                        assert_eq!((lane, held.len()), (Lane::Dear, lanes.pool(lane).held()), "only dear queries wait");
                        drop(held.pop());
                        drop(other.now_or_never().expect("the next turn").expect("is the other's"));
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_query_costs_says_where_it_waits() {
        let measured = |complexity, rows| Measured { complexity, rows, introspection: 0 };
        assert_eq!(Lane::of(&measured(10, 0), true), Lane::Light);
        assert_eq!(Lane::of(&measured(6_000, 600), true), Lane::Middle);
        assert_eq!(Lane::of(&measured(6_001, 600), true), Lane::Dear);
        assert_eq!(Lane::of(&measured(100, 200_000), true), Lane::Dear);
        assert_eq!(Lane::of(&measured(4_000, 600), false), Lane::Writes);
    }
}
