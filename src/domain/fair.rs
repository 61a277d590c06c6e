//! Permits that callers share fairly: what is done at a time is bounded in all and for each, and so is what waits.
//!
//! A pool never lets a permit lie idle while somebody waits who may have it. Who comes next is who holds least, and among
//! equals who has waited longest since their last turn, so that a thousand requests of one caller put off another's by one
//! turn and not by a thousand. Where the places to wait are full, the caller who waits with most gives up their latest.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::ids::TenantId;

/// Why there is no permit. What to tell the caller is for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPermit {
    /// The caller has as much under way, or waiting, as one may have.
    OwnShare,
    /// All callers together have as much under way, or waiting, as the pool takes.
    Full,
    /// Waiting took too long.
    Late,
}

/// A pool of permits, by tenant or by another kind of caller. Cheap to clone: clones are the same pool.
pub struct FairPool<K: Clone + Eq + Hash = TenantId>(Arc<Inner<K>>);

impl<K: Clone + Eq + Hash> Clone for FairPool<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<K> {
    total: usize,
    share_max: usize,
    waiting_max: usize,
    /// Held for the time of a few look-ups, never while waiting.
    state: Mutex<State<K>>,
}

struct State<K> {
    held: usize,
    waiting: usize,
    /// The number of the next who waits.
    number: u64,
    callers: HashMap<K, Caller>,
    /// Who waits, in the order of turns. Each once.
    turns: VecDeque<K>,
}

#[derive(Default)]
struct Caller {
    held: usize,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    number: u64,
    granted: oneshot::Sender<()>,
}

impl<K: Clone + Eq + Hash> FairPool<K> {
    /// A pool of `total` permits, of which one caller holds at most `share_max` at a time, with `waiting_max` places to wait
    /// for all callers together. A pool and a share have at least one permit.
    #[must_use]
    pub fn new(total: usize, share_max: usize, waiting_max: usize) -> Self {
        let total = total.max(1);
        let state = State { held: 0, waiting: 0, number: 0, callers: HashMap::new(), turns: VecDeque::new() };
        Self(Arc::new(Inner { total, share_max: share_max.clamp(1, total), waiting_max, state: Mutex::new(state) }))
    }

    /// A permit, if there is one now.
    ///
    /// # Errors
    /// Says whose limit it is.
    pub fn try_acquire(&self, caller: &K) -> Result<FairPermit<K>, NoPermit> {
        self.try_acquire_many(caller, 1)
    }

    /// So many permits in one, if there are as many now: for bytes and the like. Nobody waits for more than one.
    ///
    /// # Errors
    /// Says whose limit it is.
    pub fn try_acquire_many(&self, caller: &K, size: usize) -> Result<FairPermit<K>, NoPermit> {
        let mut state = self.0.lock();
        let own = state.callers.get(caller).map_or(0, |it| it.held);
        if size > self.0.share_max.saturating_sub(own) {
            return Err(NoPermit::OwnShare);
        }
        if size > self.0.total.saturating_sub(state.held) {
            return Err(NoPermit::Full);
        }
        // Nothing comes back of nothing, and what is kept of a caller goes when something does.
        if size > 0 {
            state.held += size;
            state.callers.entry(caller.clone()).or_default().held += size;
        }
        Ok(self.permit(caller, size))
    }

    /// A permit, now or when it is the caller's turn, within `patience`.
    ///
    /// # Errors
    /// At once when there is no place to wait; later when the time is over, or the place was needed for somebody who has
    /// fewer waiting.
    pub async fn acquire(&self, caller: &K, patience: Duration) -> Result<FairPermit<K>, NoPermit> {
        let mut place = match self.try_acquire(caller) {
            Ok(permit) => return Ok(permit),
            Err(_) => self.wait(caller)?,
        };
        match tokio::time::timeout(patience, &mut place.granted).await {
            Ok(Ok(())) => {
                place.is_over = true;
                Ok(self.permit(caller, 1))
            }
            Ok(Err(_)) => Err(NoPermit::OwnShare),
            Err(_) => Err(NoPermit::Late),
        }
    }

    /// Permits that are held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.lock().held
    }

    /// How many wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting
    }

    fn permit(&self, caller: &K, size: usize) -> FairPermit<K> {
        FairPermit { pool: Arc::clone(&self.0), caller: caller.clone(), size }
    }

    /// Takes a place to wait.
    fn wait(&self, caller: &K) -> Result<Place<K>, NoPermit> {
        let mut state = self.0.lock();
        if state.waiting >= self.0.waiting_max {
            state.make_room(caller)?;
        }
        let (granted, place) = oneshot::channel();
        let number = state.number;
        state.number += 1;
        state.waiting += 1;
        let entry = state.callers.entry(caller.clone()).or_default();
        let is_first = entry.waiting.is_empty();
        entry.waiting.push_back(Waiting { number, granted });
        if is_first {
            state.turns.push_back(caller.clone());
        }
        // A permit may have come back since it was tried for.
        state.grant(self.0.total, self.0.share_max);
        Ok(Place { pool: Arc::clone(&self.0), caller: caller.clone(), number, granted: place, is_over: false })
    }
}

impl<K: Clone + Eq + Hash> Inner<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes permits back, and gives them to those whose turn it is.
    fn give_back(&self, caller: &K, size: usize) {
        let mut state = self.lock();
        state.held = state.held.saturating_sub(size);
        if let Some(entry) = state.callers.get_mut(caller) {
            entry.held = entry.held.saturating_sub(size);
        }
        // Who had a turn just now is behind those who had none.
        if let Some(at) = state.turns.iter().position(|it| it == caller)
            && let Some(caller) = state.turns.remove(at)
        {
            state.turns.push_back(caller);
        }
        state.grant(self.total, self.share_max);
        state.forget(caller);
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    /// Gives permits to those who wait, as far as there are any.
    fn grant(&mut self, total: usize, share_max: usize) {
        while self.held < total {
            let held = |caller: &K| self.callers.get(caller).map_or(0, |it| it.held);
            let turns = self.turns.iter().enumerate().map(|(at, caller)| (held(caller), at));
            let Some((_, at)) = turns.filter(|(held, _)| *held < share_max).min() else { return };
            let Some(caller) = self.turns.remove(at) else { return };
            let Some(entry) = self.callers.get_mut(&caller) else { continue };
            let Some(next) = entry.waiting.pop_front() else { continue };
            self.waiting -= 1;
            let has_more = !entry.waiting.is_empty();
            // Who has left has taken their place along, so that the message arrives.
            if next.granted.send(()).is_ok() {
                entry.held += 1;
                self.held += 1;
            }
            if has_more {
                self.turns.push_back(caller);
            }
        }
    }

    /// Frees a place for a caller: the latest of whoever waits with most, if that is more than the caller would.
    fn make_room(&mut self, caller: &K) -> Result<(), NoPermit> {
        let waiting = |caller: &K| self.callers.get(caller).map_or(0, |it| it.waiting.len());
        let own = waiting(caller);
        let longest = self.turns.iter().max_by_key(|caller| waiting(caller)).cloned();
        let Some(longest) = longest.filter(|longest| waiting(longest) > own + 1) else {
            return Err(if own > 0 { NoPermit::OwnShare } else { NoPermit::Full });
        };
        // The sender falls, which tells whoever waits.
        if self.callers.get_mut(&longest).and_then(|it| it.waiting.pop_back()).is_some() {
            self.waiting -= 1;
        }
        Ok(())
    }

    /// Keeps nothing of a caller who has nothing.
    fn forget(&mut self, caller: &K) {
        if self.callers.get(caller).is_some_and(|it| it.held == 0 && it.waiting.is_empty()) {
            self.callers.remove(caller);
            self.turns.retain(|it| it != caller);
        }
    }
}

/// A permit, given back when it is dropped.
pub struct FairPermit<K: Clone + Eq + Hash = TenantId> {
    pool: Arc<Inner<K>>,
    caller: K,
    size: usize,
}

impl<K: Clone + Eq + Hash> FairPermit<K> {
    /// Permits that it stands for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Takes in another permit of the same pool and caller, to be given back together. One of another stays what it is,
    /// and comes back.
    ///
    /// # Errors
    /// The other permit.
    pub fn merge(&mut self, mut other: Self) -> Result<(), Self> {
        if !Arc::ptr_eq(&self.pool, &other.pool) || self.caller != other.caller {
            return Err(other);
        }
        self.size += std::mem::take(&mut other.size);
        Ok(())
    }

    /// Keeps so many of its permits at most, and gives the others back.
    pub fn shrink_to(&mut self, size: usize) {
        let over = self.size.saturating_sub(size);
        if over > 0 {
            self.size -= over;
            self.pool.give_back(&self.caller, over);
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for FairPermit<K> {
    fn drop(&mut self) {
        if self.size > 0 {
            self.pool.give_back(&self.caller, self.size);
        }
    }
}

/// A place to wait, left when it is dropped.
struct Place<K: Clone + Eq + Hash> {
    pool: Arc<Inner<K>>,
    caller: K,
    number: u64,
    granted: oneshot::Receiver<()>,
    /// Whether the permit was taken.
    is_over: bool,
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        {
            let mut state = self.pool.lock();
            let entry = state.callers.get_mut(&self.caller);
            let at = entry.as_ref().and_then(|it| it.waiting.iter().position(|it| it.number == self.number));
            if let (Some(entry), Some(at)) = (entry, at) {
                entry.waiting.remove(at);
                let is_last = entry.waiting.is_empty();
                state.waiting -= 1;
                if is_last {
                    state.turns.retain(|it| *it != self.caller);
                }
                state.forget(&self.caller);
                return;
            }
        }
        // It was granted and not taken: in the moment in which the time was over, or the request was given up.
        if self.granted.try_recv().is_ok() {
            self.pool.give_back(&self.caller, 1);
        }
    }
}

#[cfg(test)]
mod tests;
