//! Traces with all of their steps, for who seals them or sums them up. What this process has read before it does not read
//! again, and what is computed of many steps is computed beside the threads that serve.

use std::collections::HashMap;

use super::super::Logs;
use super::memory::Kept;
use crate::domain::draft::SealSource;
use crate::domain::ids::{Digest, TenantId, TraceId};
use crate::error::Result;
use crate::store::unread::Unread;

/// Steps of which something is computed where it is asked for: a fraction of a millisecond.
const STEPS_HERE_MAX: usize = 128;

/// A trace with all of its steps.
pub(in crate::facade) struct Ready<T> {
    pub source: SealSource,
    /// What was made of it.
    pub made: T,
    /// How many of its steps were read now.
    pub read: usize,
    kept: Kept,
}

impl Logs {
    /// These traces of a tenant, and what `make` makes of each: it is given the leaves over how the first steps behaved, as
    /// far as they are known. A trace that does not exist is absent. Give each back to [`Logs::remember`].
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub(in crate::facade) async fn seal_sources<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        trace_ids: &[TraceId],
        make: impl Fn(&SealSource, &mut Vec<Digest>) -> T + Send + 'static,
    ) -> Result<Unread<Vec<Ready<T>>>> {
        let mut kept: HashMap<TraceId, Kept> = trace_ids
            .iter()
            .map(|trace_id| (trace_id.clone(), self.0.sealing.remembered.take(tenant, trace_id)))
            .collect();
        let known: Vec<(TraceId, usize)> =
            kept.iter().map(|(trace_id, kept)| (trace_id.clone(), kept.known())).collect();
        let mut steps = 0;
        let sources = self.0.store.seal_sources_from(tenant, &known).await?.map(|sources| {
            steps = sources.iter().map(|source| source.first + source.steps.len()).sum();
            sources
        });
        let prepare = move |mut source: SealSource| {
            let (read, mut kept) = (source.steps.len(), kept.remove(&source.trace.trace_id).unwrap_or_default());
            kept.complete(&mut source);
            let made = make(&source, &mut kept.leaves);
            Ready { source, made, read, kept }
        };
        let work = move || sources.map(|sources| sources.into_iter().map(prepare).collect());
        self.beside(steps, work).await
    }

    /// Keeps in memory what was read of a trace, and gives what was made of it.
    pub(in crate::facade) fn remember<T>(&self, ready: Ready<T>) -> T {
        self.0.sealing.remembered.keep(ready.source, ready.kept);
        ready.made
    }

    /// Computes something of so many steps: of many beside the threads that serve.
    ///
    /// # Errors
    /// `INTERNAL` when it panics.
    pub(in crate::facade) async fn beside<T: Send + 'static>(
        &self,
        steps: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if steps <= STEPS_HERE_MAX { Ok(work()) } else { self.0.capturing.aside.threads().run(work).await }
    }
}
