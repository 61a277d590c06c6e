//! The replay of a run: what happened around its inflection. A query, never stored.

use std::sync::Arc;

use super::LogsFacade;
use super::incidents::StoredIncident;
use super::loaders::{GovernanceIn, InflectionFactsOf, StepsIn, SystemRecordsIn};
use crate::domain::replay::{
    Inflection, ReplayEvents, ReplayRecord, Window, check_window, inflection, merge, named_steps,
};
use crate::domain::run::{Stored, StoredRun};
use crate::domain::scope::Permission;
use crate::domain::system::SystemRecord;
use crate::error::Result;
use crate::store::windows::{InflectionKey, RunWindow};

/// A run's replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The run.
    pub run: StoredRun,
    /// Its decisive moment.
    pub inflection: Inflection,
    /// The time around it.
    pub window: Window,
    /// What happened then.
    pub events: ReplayEvents,
    /// The incidents that were asked for the inflection.
    pub incident_ids: Vec<String>,
}

impl LogsFacade {
    /// The inflection of a run; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, as for every read below.
    pub async fn run_inflection(&self, run: &StoredRun) -> Result<Inflection> {
        let incidents = self.incidents_of_run(&run.run_id).await?;
        self.inflection_of(run, &incidents).await
    }

    /// What happened around the inflection of a run; batched.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` unless the window has 1 to 600 seconds.
    pub async fn replay_run(&self, run: &StoredRun, window_seconds: i64) -> Result<Replay> {
        check_window(window_seconds)?;
        let incidents = self.incidents_of_run(&run.run_id).await?;
        self.replay(run.clone(), &incidents, window_seconds).await
    }

    /// What happened around the inflection that an incident names, else its run has. `None` where the incident names no run
    /// that is on record. Batched.
    ///
    /// # Errors
    /// As [`Self::replay_run`].
    pub async fn replay_incident(&self, incident: &StoredIncident, window_seconds: i64) -> Result<Option<Replay>> {
        check_window(window_seconds)?;
        let Some(run_id) = &incident.source_run_id else { return Ok(None) };
        let Some(run) = self.get_llm_run(run_id).await? else { return Ok(None) };
        self.replay(run, std::slice::from_ref(incident), window_seconds).await.map(Some)
    }

    /// The system records of the tenant and the platform in a window, by (occurred_at, id), at most 1,001 of each of the
    /// two; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn system_records_in(&self, window: Window) -> Result<Vec<Arc<Stored<SystemRecord>>>> {
        Ok(self.loaders.loader.load_one(SystemRecordsIn(window)).await?.unwrap_or_default())
    }

    async fn inflection_of(&self, run: &StoredRun, incidents: &[StoredIncident]) -> Result<Inflection> {
        self.require(Permission::RunsRead)?;
        let (run_id, trace_id) = (run.run_id.clone(), run.trace_id.clone());
        let key = InflectionKey { run_id, trace_id, step_indices: named_steps(incidents) };
        let facts = self.loaders.loader.load_one(InflectionFactsOf(key)).await?.unwrap_or_default();
        Ok(inflection(run, incidents, &facts))
    }

    async fn replay(&self, run: StoredRun, incidents: &[StoredIncident], window_seconds: i64) -> Result<Replay> {
        let inflection = self.inflection_of(&run, incidents).await?;
        let window = Window::around(inflection.at, window_seconds)?;
        let (run_id, trace_id) = (run.run_id.clone(), run.trace_id.clone());
        let steps = async {
            match trace_id.clone() {
                Some(trace_id) => self.loaders.loader.load_one(StepsIn((trace_id, window))).await,
                None => Ok(None),
            }
        };
        let entries = GovernanceIn(RunWindow { run_id, trace_id: trace_id.clone(), window });
        let entries = self.loaders.loader.load_one(entries);
        let (steps, systems, entries) = futures_util::try_join!(steps, self.system_records_in(window), entries)?;
        let steps = steps.unwrap_or_default().into_iter().map(ReplayRecord::Step);
        let systems = systems.into_iter().map(ReplayRecord::System);
        let entries = entries.unwrap_or_default().into_iter().map(ReplayRecord::Policy);
        let events = merge(window, &run, steps.chain(systems).chain(entries));
        let incident_ids = incidents.iter().map(|incident| incident.incident_id.clone()).collect();
        Ok(Replay { run, inflection, window, events, incident_ids })
    }
}
