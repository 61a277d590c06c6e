//! What a process remembers of its callers, and how it writes down what was only counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use serde_json::json;
use tokio::sync::Notify;

use super::super::Logs;
use super::super::own_audit::OwnEntry;
use super::denials::{Denial, Denials};
use super::look::{Known, Look, Repeats};
use super::request::permission_entity;
use crate::domain::ids::TenantId;
use crate::domain::scope::{Actor, Permission, Scope};
use crate::domain::source::Source;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{AuditAction, AuditCategory, Stream, Verdict};
use crate::error::Result;

/// Looks that may wait in async mode.
const WAITING_MAX: usize = 1_024;
/// Entries of one unit of the background.
const UNIT_ENTRIES: usize = 256;
/// An operation that a caller was allowed is recorded again after this time.
const ALLOWED_US: i64 = 60_000_000;
/// What nobody has asked for in this time was recorded longer ago than [`ALLOWED_US`], and can be forgotten.
const ALLOWED_IDLE: Duration = Duration::from_secs(61);

/// When a read of evidence is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessAudit {
    /// Before its answer leaves; a read that cannot be recorded is refused.
    Strict,
    /// Soon after: it waits in a bounded queue, whose end a crash may lose. With a full queue this is strict.
    Async,
    /// Never.
    Off,
}

/// How access is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessConfig {
    /// When reads are recorded.
    pub audit: AccessAudit,
    /// Whether callers are authenticated. Where they are not, nobody is identified and nothing is decided for anyone, so
    /// there is nothing to record of identity and of what was allowed.
    pub identifies_callers: bool,
}

/// Who, and what they were allowed.
type Allowed = (TenantId, Actor, String);
/// When that was last recorded. Held while it is being recorded: who asks for the same meanwhile waits for that entry, and
/// writes none.
type LastAllowed = Arc<tokio::sync::Mutex<Option<Timestamp>>>;

/// What the process remembers of its callers.
pub(in crate::facade) struct AccessState {
    pub config: AccessConfig,
    pub(super) repeats: Repeats,
    pub denials: Denials,
    allowed: Cache<Allowed, LastAllowed>,
    /// Actors that are known to be on record.
    pub principals: Cache<(TenantId, Actor), ()>,
    waiting: Mutex<VecDeque<(Look, u64)>>,
    has_news: Notify,
    /// Whether the latest append of looks failed: then nothing is only counted.
    is_failing: AtomicBool,
}

impl AccessState {
    pub fn new(config: AccessConfig) -> Self {
        Self {
            config,
            repeats: Repeats::default(),
            denials: Denials::default(),
            allowed: Cache::builder().max_capacity(100_000).time_to_idle(ALLOWED_IDLE).build(),
            principals: Cache::builder().max_capacity(100_000).build(),
            waiting: Mutex::default(),
            has_news: Notify::new(),
            is_failing: AtomicBool::new(false),
        }
    }

    /// `None` for a look that was only counted; else the count of an earlier minute that goes with it.
    pub(super) fn first_look(&self, look: &Look, now: Timestamp, is_writable: bool) -> Option<Option<u64>> {
        if !is_writable || self.is_failing.load(Ordering::Relaxed) {
            return Some(None);
        }
        match self.repeats.count(look, now) {
            Known::Counted => None,
            Known::First(counted) => Some(counted),
        }
    }

    /// Notes how the latest append of looks went.
    pub(super) fn appended(&self, is_done: bool) {
        self.is_failing.store(!is_done, Ordering::Relaxed);
    }

    /// Queues looks for the background; gives them back where there is no room.
    pub(super) fn wait_for_append(&self, looks: Vec<(Look, u64)>) -> Result<(), Vec<(Look, u64)>> {
        let mut waiting = self.lock();
        if waiting.len() + looks.len() > WAITING_MAX {
            return Err(looks);
        }
        waiting.extend(looks);
        self.has_news.notify_one();
        Ok(())
    }

    /// Looks that wait for the background, and how many may.
    pub fn backlog(&self) -> (usize, usize) {
        (self.lock().len(), WAITING_MAX)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Look, u64)>> {
        // Nothing under this lock can panic half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logs {
    pub(in crate::facade) fn access(&self) -> &AccessState {
        &self.0.access
    }

    /// Records denials, and what was allowed for the first time in a minute.
    ///
    /// # Errors
    /// `UNAVAILABLE` when they could not be written.
    pub(super) async fn record_decisions(
        &self,
        scope: &Scope,
        allows: Vec<(&str, Permission)>,
        denials: Vec<Denial>,
    ) -> Result<()> {
        let (access, now) = (self.access(), self.0.clock.now());
        let mut entries = Vec::new();
        for denial in denials {
            if access.denials.admit(&denial, None, now) {
                entries.push(self.own_entry(denial.entry(0))?);
            }
        }
        let mut allowed = Vec::new();
        if access.config.identifies_callers {
            // Each once and in order of their names: so no two requests wait for each other.
            for (operation, permission) in BTreeMap::from_iter(allows) {
                let key = (scope.tenant.clone(), scope.actor.clone(), operation.to_owned());
                let last = access.allowed.get_with(key, LastAllowed::default).lock_owned().await;
                if last.is_none_or(|last| now.since(last) >= ALLOWED_US) {
                    entries.push(self.own_entry(allow(scope, operation, permission))?);
                    allowed.push(last);
                }
            }
            self.first_seen(scope).await?;
        }
        self.append_own(scope.tenant.clone(), Stream::Evidence, entries).await?;
        allowed.into_iter().for_each(|mut last| *last = Some(now));
        Ok(())
    }

    /// Records a denial of somebody who is not known.
    pub(in crate::facade) async fn record_denial(&self, denial: Denial, source: Option<Source>) -> Result<()> {
        if !self.access().denials.admit(&denial, source, self.0.clock.now()) {
            return Ok(());
        }
        let tenant = denial.tenant.clone();
        let entry = self.own_entry(denial.entry(0))?;
        self.append_own(tenant, Stream::Evidence, vec![entry]).await
    }

    /// Decides whether a caller may use an operation that is no root field, and records the decision before anything else
    /// happens.
    ///
    /// # Errors
    /// `FORBIDDEN` without the permission; `UNAVAILABLE` when the decision could not be recorded.
    pub async fn authorize(&self, scope: &Scope, operation: &str, permission: Permission) -> Result<()> {
        let decision = scope.require(permission);
        let (allows, denials) = match &decision {
            Ok(()) => (vec![(operation, permission)], Vec::new()),
            Err(_) => (Vec::new(), vec![super::request::denial(scope, operation.to_owned(), Some(permission))]),
        };
        self.record_decisions(scope, allows, denials).await?;
        decision
    }

    /// Waits until looks wait for [`Self::flush_own_audit`], of those that came since somebody last waited.
    pub async fn looks_waiting(&self) {
        self.access().has_news.notified().await;
    }

    /// Writes down what waits, and the counts whose minute is over; all of them when the server stops.
    ///
    /// # Errors
    /// `UNAVAILABLE` when something could not be written; it is kept.
    pub async fn flush_own_audit(&self, is_last: bool) -> Result<()> {
        let (access, now) = (self.access(), self.0.clock.now());
        loop {
            let some: Vec<(Look, u64)> = {
                let mut waiting = access.lock();
                let count = waiting.len().min(UNIT_ENTRIES);
                waiting.drain(..count).collect()
            };
            if some.is_empty() {
                break;
            }
            if let Err((error, unwritten)) = self.append_looks_of_all(some).await {
                let mut waiting = access.lock();
                // Counts are kept already, beside the looks that they repeat.
                unwritten.into_iter().filter(|(_, count)| *count == 0).rev().for_each(|one| waiting.push_front(one));
                return Err(error);
            }
        }
        self.append_looks_of_all(access.repeats.take(now, is_last)).await.map_err(|(error, _)| error)?;
        self.flush_denials(access.denials.take(now, is_last)).await?;
        self.flush_failures(is_last).await
    }

    /// The first error, and what was not written.
    async fn append_looks_of_all(
        &self,
        looks: Vec<(Look, u64)>,
    ) -> Result<(), (crate::error::Error, Vec<(Look, u64)>)> {
        let mut tenants: BTreeMap<TenantId, Vec<(Look, u64)>> = BTreeMap::new();
        for (look, count) in looks {
            tenants.entry(look.tenant.clone()).or_default().push((look, count));
        }
        let mut failed = None;
        let mut unwritten = Vec::new();
        for looks in tenants.into_values() {
            for some in looks.chunks(UNIT_ENTRIES) {
                if let Err(error) = self.append_looks(some.to_vec()).await {
                    failed = Some(error);
                    unwritten.extend_from_slice(some);
                }
            }
        }
        failed.map_or(Ok(()), |error| Err((error, unwritten)))
    }

    async fn flush_denials(&self, mut denials: Vec<(Denial, u64)>) -> Result<()> {
        while let Some((denial, count)) = denials.pop() {
            let entry = self.own_entry(denial.clone().entry(count))?;
            let outcome = self.append_own(denial.tenant.clone(), Stream::Evidence, vec![entry]).await;
            if let Err(error) = outcome {
                denials.push((denial, count));
                self.access().denials.put_back(denials);
                return Err(error);
            }
        }
        Ok(())
    }
}

fn allow(scope: &Scope, operation: &str, permission: Permission) -> OwnEntry {
    OwnEntry {
        actor: Some(scope.actor.clone()),
        decision: Some((Verdict::Allow, AuditAction::Allowed)),
        rule_id: Some(permission.as_str().to_owned()),
        after_state: Some(json!({ "operation": operation })),
        ..OwnEntry::new(AuditCategory::Authorization, "AccessAllowed", permission_entity(permission), operation)
    }
}
