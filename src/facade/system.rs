//! Reads of system records: lists, attribution, and what they say of a run.

use std::sync::Arc;

use super::LogsFacade;
use super::loaders::{SystemBaselineOf, SystemDetailsOf, SystemEventsOf, SystemRecordById};
use crate::domain::ids::RecordId;
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::replay::{EVENTS_MAX, Inflection, Window, check_window};
use crate::domain::run::StoredRun;
use crate::domain::scope::Permission;
pub use crate::domain::system::StoredSystemRecord;
use crate::domain::system::{
    RUN_EVENTS_MAX, RunBaseline, RunEvents, SystemRecordFilter, SystemRecordOrder, first_of, newest_by_component,
};
use crate::domain::vocabulary::RecordKind;
use crate::error::{Error, Result};

/// What happened around the decisive moment of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemReplay {
    /// The decisive moment.
    pub inflection: Inflection,
    /// The window around it.
    pub window: Window,
    /// Records in it, in order of time.
    pub events: Vec<StoredSystemRecord>,
    /// Whether there are more.
    pub is_truncated: bool,
}

impl LogsFacade {
    /// A system record by record id, the platform's too; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `system:read`, as for every read below.
    pub async fn get_system_record(&self, id: RecordId) -> Result<Option<StoredSystemRecord>> {
        self.loaders.loader.load_one(SystemRecordById(id)).await
    }

    /// A page of system records of one log.
    ///
    /// # Errors
    /// As above; `BAD_USER_INPUT` for a moment of the tenant's log on a list of the platform's.
    pub async fn list_system_records(
        &self,
        filter: &SystemRecordFilter,
        order: SystemRecordOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Page<StoredSystemRecord>> {
        let granted = self.require(Permission::SystemRead)?;
        check_as_of(filter, as_of)?;
        self.audit.open(granted, self.store().list_system_records(&self.scope, filter, order, page, as_of).await?)
    }

    /// How many system records the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As above.
    pub async fn count_system_records(
        &self,
        filter: &SystemRecordFilter,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Count> {
        let granted = self.require(Permission::SystemRead)?;
        check_as_of(filter, as_of)?;
        let count = self.store().count_system_records(&self.scope, filter, as_of, cap).await?;
        self.audit.open_made(granted, RecordKind::SystemRecord, count)
    }

    /// Details of a system record as JSON text; `None` where there are none or they were erased; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `payloads:read`.
    pub async fn system_details(&self, record: &StoredSystemRecord) -> Result<Option<String>> {
        if record.details_commitment.is_none() {
            return Ok(None);
        }
        self.loaders.loader.load_one(SystemDetailsOf(record.id)).await
    }

    /// The environment that a run began in: of each component the newest record that changed it; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn run_baseline(&self, run: &StoredRun) -> Result<Vec<StoredSystemRecord>> {
        self.require(Permission::SystemRead)?;
        let found = self.loaders.loader.load_one(SystemBaselineOf(RunBaseline::of(run))).await?;
        Ok(newest_by_component(found.unwrap_or_default()))
    }

    /// What affected a run, in order of time, and whether there is more; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn run_system_events(&self, run: &StoredRun) -> Result<(Vec<StoredSystemRecord>, bool)> {
        self.require(Permission::SystemRead)?;
        let found = self.loaders.loader.load_one(SystemEventsOf(RunEvents::of(run))).await?;
        Ok(first_of(found.unwrap_or_default(), RUN_EVENTS_MAX))
    }

    /// What happened to the platform around the decisive moment of a run; batched together with the run's own replay,
    /// which holds the same records.
    ///
    /// # Errors
    /// As above; `BAD_USER_INPUT` for a window that is not 1 to 600 seconds wide.
    pub async fn run_system_replay(&self, run: &StoredRun, window_seconds: i64) -> Result<SystemReplay> {
        self.require(Permission::SystemRead)?;
        check_window(window_seconds)?;
        let inflection = self.run_inflection(run).await?;
        let window = Window::around(inflection.at, window_seconds)?;
        let found = self.system_records_in(window).await?;
        let (events, is_truncated) = first_of(found.into_iter().map(Arc::unwrap_or_clone).collect(), EVENTS_MAX);
        Ok(SystemReplay { inflection, window, events, is_truncated })
    }
}

/// A token of `ledger.now` is a moment of the tenant's own log.
fn check_as_of(filter: &SystemRecordFilter, as_of: Option<AsOf>) -> Result<()> {
    if filter.is_platform_wide && as_of.is_some() {
        let message = "asOf is a moment of the tenant's own log; leave it out for records of the platform";
        return Err(Error::input("asOf", message));
    }
    Ok(())
}
