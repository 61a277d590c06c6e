//! Reads of the audit ledger, the governance of runs, and the records of exports.

use std::collections::HashMap;

use super::LogsFacade;
use super::loaders::{AccessDetailOf, AuditEntryById, GovernanceOf, GovernanceSummaryOf};
use crate::domain::audit::{AccessDetail, GovernanceSummary};
use crate::domain::audit_events::LOG_VIEWED;
use crate::domain::diff::{CHANGES_MAX, Diff};
use crate::domain::export::LogExport;
use crate::domain::filter::{AuditFilter, AuditOrder, ExportFilter};
use crate::domain::ids::{RecordId, RunId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest, Position, Row};
use crate::domain::payload::PayloadPart;
use crate::domain::run::{Stored, StoredRun};
use crate::domain::scope::Permission;
use crate::domain::strict_json::Strict;
use crate::domain::vocabulary::{AuditCategory, RecordKind, Stream};
use crate::error::{Error, Result};
pub use crate::store::audit::StoredAuditEntry;

/// The names under which governance entries of a run may stand: its own, and its trace's, which entries bear that were
/// recorded before the run's name was known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunNames {
    run_id: RunId,
    trace_id: Option<TraceId>,
}

impl RunNames {
    /// The names of a run.
    #[must_use]
    pub fn of(run: &StoredRun) -> Self {
        let trace_id = run.trace_id.clone().filter(|trace_id| trace_id.as_str() != run.run_id.as_str());
        Self { run_id: run.run_id.clone(), trace_id }
    }

    /// Each of them once.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.run_id.as_str()).chain(self.trace_id.as_ref().map(TraceId::as_str))
    }
}

/// The page of a run's entries, from the pages of each of its names.
pub(super) fn merged(
    run: &RunNames,
    entries: &HashMap<String, Vec<StoredAuditEntry>>,
    page: &PageRequest,
) -> Page<StoredAuditEntry> {
    let mut found: Vec<&StoredAuditEntry> = run.each().filter_map(|name| entries.get(name)).flatten().collect();
    found.sort_by_key(|entry| if page.is_backward { entry.seq } else { -entry.seq });
    found.truncate((page.size as usize).saturating_add(1));
    let row =
        |entry: &StoredAuditEntry| Row { position: Position { key: entry.seq, seq: entry.seq }, item: entry.clone() };
    page.page(found.into_iter().map(row).collect())
}

impl LogsFacade {
    /// A page of audit entries, of the log that the filter selects from.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:read`, as for every read below that says nothing else; `BAD_USER_INPUT` for a filter
    /// over both logs, and for a moment of the access log.
    pub async fn list_audit_entries(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Page<StoredAuditEntry>> {
        let granted = self.require(Permission::AuditRead)?;
        check_moment(filter, as_of)?;
        self.audit.open(granted, self.store().list_audit_entries(&self.scope, filter, order, page, as_of).await?)
    }

    /// How many audit entries the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As above.
    pub async fn count_audit_entries(&self, filter: &AuditFilter, as_of: Option<AsOf>, cap: u32) -> Result<Count> {
        let granted = self.require(Permission::AuditRead)?;
        check_moment(filter, as_of)?;
        let count = self.store().count_audit_entries(&self.scope, filter, as_of, cap).await?;
        self.audit.open_made(granted, RecordKind::AuditEntry, count)
    }

    /// An audit entry by record id; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn get_audit_entry(&self, id: RecordId) -> Result<Option<StoredAuditEntry>> {
        self.loaders.loader.load_one(AuditEntryById(id)).await
    }

    /// The structural difference of an entry's states; `None` where it has neither. Batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `payloads:read`.
    pub async fn audit_changes(&self, entry: &StoredAuditEntry) -> Result<Option<Diff>> {
        self.require(Permission::PayloadsRead)?;
        let state = |part, is_recorded: bool| async move {
            let text = if is_recorded { self.payload(entry.id, part).await? } else { None };
            let parse =
                |text: String| serde_json::from_str::<Strict<serde_json::Value>>(&text).map_err(Error::internal);
            text.map(|text| Ok(parse(text)?.0)).transpose()
        };
        let before = state(PayloadPart::BeforeState, entry.before_state_commitment.is_some());
        let after = state(PayloadPart::AfterState, entry.after_state_commitment.is_some());
        let (before, after) = futures_util::try_join!(before, after)?;
        if before.is_none() && after.is_none() {
            return Ok(None);
        }
        Ok(Some(Diff::of(before.as_ref(), after.as_ref(), CHANGES_MAX)))
    }

    /// What a LogViewed entry says of the reads that it stands for; nothing of any other entry. Only the server writes
    /// them and they name records only, so that no permission beyond reading the entry is needed. Batched.
    ///
    /// # Errors
    /// As above.
    pub async fn access_detail(&self, entry: &StoredAuditEntry) -> Result<AccessDetail> {
        self.require(Permission::AuditRead)?;
        if entry.event_type != LOG_VIEWED || entry.after_state_commitment.is_none() {
            return Ok(AccessDetail::default());
        }
        Ok(self.loaders.loader.load_one(AccessDetailOf(entry.id)).await?.unwrap_or_default())
    }

    /// A page of a run's governance entries, newest first; batched. They are part of the run.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`.
    pub async fn list_run_governance(&self, run: &RunNames, page: &PageRequest) -> Result<Page<StoredAuditEntry>> {
        let key = GovernanceOf(run.clone(), page.clone());
        Ok(self.loaders.loader.load_one(key).await?.unwrap_or_default())
    }

    /// What a run's governance entries come to, exactly; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`.
    pub async fn run_governance_summary(&self, run: &RunNames) -> Result<GovernanceSummary> {
        Ok(self.loaders.loader.load_one(GovernanceSummaryOf(run.clone())).await?.unwrap_or_default())
    }

    /// A page of a policy's governance entries, newest first.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:read`.
    pub async fn list_policy_governance(&self, policy_id: &str, page: &PageRequest) -> Result<Page<StoredAuditEntry>> {
        self.list_audit_entries(&governance_of_policy(policy_id), AuditOrder::default(), page, None).await
    }

    /// How many governance entries name a policy, counted to `cap`.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:read`.
    pub async fn count_policy_governance(&self, policy_id: &str, cap: u32) -> Result<Count> {
        self.count_audit_entries(&governance_of_policy(policy_id), None, cap).await
    }

    /// A page of exports, newest first.
    ///
    /// # Errors
    /// As for [`Self::list_audit_entries`].
    pub async fn list_exports(
        &self,
        filter: &ExportFilter,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Page<Stored<LogExport>>> {
        let granted = self.require(Permission::AuditRead)?.showing(RecordKind::LogExport);
        self.audit.open(granted, self.store().list_exports(&self.scope, filter, page, as_of).await?)
    }

    /// How many exports the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As above.
    pub async fn count_exports(&self, filter: &ExportFilter, as_of: Option<AsOf>, cap: u32) -> Result<Count> {
        let granted = self.require(Permission::AuditRead)?.showing(RecordKind::LogExport);
        let count = self.store().count_exports(&self.scope, filter, as_of, cap).await?;
        self.audit.open_made(granted, RecordKind::LogExport, count)
    }
}

fn governance_of_policy(policy_id: &str) -> AuditFilter {
    AuditFilter {
        categories: Some(vec![AuditCategory::Governance]),
        policy_ids: Some(vec![policy_id.to_owned()]),
        ..AuditFilter::default()
    }
}

/// A moment is a size of the evidence log and says nothing of the access log.
fn check_moment(filter: &AuditFilter, as_of: Option<AsOf>) -> Result<()> {
    if as_of.is_some() && filter.stream()? == Stream::Access {
        let message = "asOf is a moment of the evidence log, and ACCESS entries stand in another; use occurredAt";
        return Err(Error::input("asOf", message));
    }
    Ok(())
}
