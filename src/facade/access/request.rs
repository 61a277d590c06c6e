//! The audit of one request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::super::Logs;
use super::super::own_audit::chosen;
use super::Denial;
use super::look::Look;
use super::state::AccessAudit;
use super::views::Views;
use crate::domain::ids::{Digest, RecordId};
use crate::domain::record::NewRecord;
use crate::domain::scope::{Permission, Scope};
use crate::domain::vocabulary::{AuditEntityType, Stream};
use crate::error::Result;

/// What was asked, for [`RequestAudit::close`].
#[derive(Clone, Debug)]
pub struct AuditedRequest {
    /// The name that the caller gave the operation; the root fields stand for it where there is none.
    pub operation: Option<String>,
    /// SHA-256 of the query's text; of the path, where it is no query.
    pub query_hash: Digest,
    /// SHA-256 of the variables.
    pub variables_hash: Digest,
}

impl AuditedRequest {
    /// A request from its texts.
    #[must_use]
    pub fn new(operation: Option<String>, query: &str, variables: &[u8]) -> Self {
        let hash = |bytes: &[u8]| Digest(Sha256::digest(bytes).into());
        Self { operation, query_hash: hash(query.as_bytes()), variables_hash: hash(variables) }
    }
}

/// What was asked for, and what was refused.
#[derive(Default)]
struct Decisions {
    /// Operations with the permission that they need.
    entered: BTreeMap<String, Option<Permission>>,
    /// The operation, where it was refused as a whole, and the permission that was lacking, where that is known.
    denied: BTreeSet<(Option<String>, Option<Permission>)>,
}

struct Shared {
    logs: Logs,
    scope: Arc<Scope>,
    views: Views,
    decisions: Mutex<Decisions>,
}

/// The audit of one request. Cheap to clone.
#[derive(Clone)]
pub struct RequestAudit(Arc<Shared>);

impl RequestAudit {
    pub(in crate::facade) fn new(logs: Logs, scope: Arc<Scope>) -> Self {
        Self(Arc::new(Shared { logs, scope, views: Views::default(), decisions: Mutex::default() }))
    }

    pub(in crate::facade) fn scope(&self) -> &Scope {
        &self.0.scope
    }

    pub(super) fn views(&self) -> &Views {
        &self.0.views
    }

    /// Notes what the request itself writes, or what it repeats under its own idempotency key.
    pub(in crate::facade) fn wrote(&self, ids: impl IntoIterator<Item = RecordId>) {
        self.0.views.wrote(ids);
    }

    pub(super) fn enter(&self, operation: &str, permission: Option<Permission>) -> Result<()> {
        let decision = permission.map_or(Ok(()), |permission| self.0.scope.require(permission));
        let mut decisions = self.lock();
        if decision.is_err() {
            decisions.denied.insert((Some(operation.to_owned()), permission));
        } else {
            // A permission that was asked for later, by the field's arguments, is more than none.
            let entered = decisions.entered.entry(operation.to_owned()).or_default();
            *entered = permission.or(*entered);
        }
        decision
    }

    /// Notes a refusal below an operation that was let in.
    pub(in crate::facade) fn denied(&self, permission: Permission) {
        self.lock().denied.insert((None, Some(permission)));
    }

    /// Notes that the answer refuses something. Where nobody noted what, it is noted that it was something: no denial goes
    /// unrecorded because its check forgot to.
    pub fn refused(&self) {
        let mut decisions = self.lock();
        if decisions.denied.is_empty() {
            decisions.denied.insert((None, None));
        }
    }

    /// Writes down what was read, allowed and denied. The answer may leave only after this.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it could not be written: then the answer may not leave, whatever it is.
    pub async fn close(&self, request: &AuditedRequest) -> Result<()> {
        let Shared { logs, scope, views, .. } = &*self.0;
        let (entered, denied) = {
            let mut decisions = self.lock();
            (std::mem::take(&mut decisions.entered), std::mem::take(&mut decisions.denied))
        };
        let operations: Vec<&str> = entered.keys().map(String::as_str).collect();
        let named = request.operation.as_deref().map_or_else(|| chosen(&operations.join(",")), chosen);
        let allows = entered.iter().filter_map(|(operation, permission)| Some((operation.as_str(), (*permission)?)));
        let denials = denied.iter().map(|(operation, permission)| {
            let operation = operation.clone().unwrap_or_else(|| named.clone());
            denial(scope, operation, *permission)
        });
        let decisions = async { logs.record_decisions(scope, allows.collect(), denials.collect()).await };
        let look = async {
            if logs.access().config.audit == AccessAudit::Off {
                return Ok(());
            }
            let Some(viewed) = views.summary() else { return Ok(()) };
            let (query, variables) = (request.query_hash, request.variables_hash);
            logs.record_look(Look::new(scope, named.clone(), query, variables, viewed)).await
        };
        // Both wait for the same flush.
        let (decisions, look) = futures_util::join!(decisions, look);
        decisions.and(look)
    }

    fn lock(&self) -> MutexGuard<'_, Decisions> {
        // Nothing under this lock can panic half-way.
        self.0.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller whose credentials are good is denied an operation.
pub(super) fn denial(scope: &Scope, operation: String, permission: Option<Permission>) -> Denial {
    Denial {
        tenant: scope.tenant.clone(),
        actor: Some(scope.actor.clone()),
        is_authenticated: true,
        entity: (permission.map_or(AuditEntityType::Tenant, permission_entity), operation.clone()),
        rule_id: permission.map(Permission::as_str),
        operation,
        reason: permission.map_or_else(
            || "this is not allowed".to_owned(),
            |permission| format!("this needs the scope {}", permission.as_str()),
        ),
    }
}

/// What a permission is about.
pub(super) const fn permission_entity(permission: Permission) -> AuditEntityType {
    match permission {
        Permission::RunsRead | Permission::RunsWrite => AuditEntityType::LlmRun,
        Permission::PayloadsRead => AuditEntityType::Trace,
        Permission::SystemRead | Permission::SystemWrite => AuditEntityType::SystemRecord,
        Permission::AuditRead | Permission::AuditWrite => AuditEntityType::AuditEntry,
        Permission::ExportsCreate => AuditEntityType::LogExport,
        Permission::LedgerVerify => AuditEntityType::Ledger,
        Permission::PlatformWrite | Permission::Admin => AuditEntityType::Tenant,
    }
}

impl Logs {
    /// Appends a look, or counts it.
    pub(in crate::facade) async fn record_look(&self, look: Look) -> Result<()> {
        let access = self.access();
        let now = self.0.clock.now();
        let Some(counted) = access.first_look(&look, now, self.0.store.check_writable().is_ok()) else {
            return Ok(());
        };
        let waiting = counted.map(|count| (look.clone(), count)).into_iter().chain([(look.clone(), 0)]);
        let waiting: Vec<(Look, u64)> = waiting.collect();
        if access.config.audit == AccessAudit::Async {
            let Err(full) = access.wait_for_append(waiting) else {
                access.repeats.remember(look, now);
                return Ok(());
            };
            self.append_looks(full).await?;
        } else {
            self.append_looks(waiting).await?;
        }
        access.repeats.remember(look, now);
        Ok(())
    }

    /// Appends looks of one tenant; counts of them that could not be appended are kept.
    pub(in crate::facade) async fn append_looks(&self, looks: Vec<(Look, u64)>) -> Result<()> {
        let Some(tenant) = looks.first().map(|(look, _)| look.tenant.clone()) else { return Ok(()) };
        let entries = looks.iter().map(|(look, repeats)| self.own_entry(look.entry(*repeats)));
        let entries: Result<Vec<NewRecord>> = entries.collect();
        let outcome = match entries {
            Ok(entries) => self.append_own(tenant, Stream::Access, entries).await,
            Err(error) => Err(error),
        };
        self.access().appended(outcome.is_ok());
        if outcome.is_err() {
            let counts = looks.into_iter().filter(|(_, count)| *count > 0);
            self.access().repeats.put_back(counts, self.0.clock.now());
        }
        outcome
    }
}
