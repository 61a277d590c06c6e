//! Reads that are started before anybody asks for them: the traces of a page of runs, and one page of steps of each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::{Loaders, StepsOf, TraceNamed, apart};
use crate::domain::ids::TraceId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::trace::{StepFilter, StoredStep, StoredTrace};
use crate::error::Result;
use crate::facade::access::Granted;

/// Which steps of a trace.
type StepsPage = (StepFilter, PageRequest);

/// What was found.
#[derive(Default)]
struct Found {
    traces: HashMap<TraceId, StoredTrace>,
    steps: HashMap<TraceId, Page<Arc<StoredStep>>>,
}

/// Many may wait for it.
type Finding = Shared<BoxFuture<'static, Result<Arc<Found>>>>;

/// A read that was started.
pub(in crate::facade) struct Ahead {
    traces: HashSet<TraceId>,
    steps: Option<StepsPage>,
    finding: Finding,
}

impl Loaders {
    /// Starts to read traces and steps of each, in one statement each. What is asked for below waits for it.
    pub fn read_ahead(&self, granted: Granted, traces: HashSet<TraceId>, steps: Option<StepsPage>) {
        let ids: Arc<[TraceId]> = traces.iter().cloned().collect();
        let reader = self.loader.loader().clone();
        let views = {
            let ids = Arc::clone(&ids);
            apart(async move { reader.store.traces_by_trace_id(&reader.scope, &ids).await })
        };
        let reader = self.loader.loader().clone();
        let pages = steps.clone().map(|(filter, page)| {
            apart(async move { reader.store.steps_by_trace_id(&reader.scope, &ids, &filter, &page).await })
        });
        let audit = self.loader.loader().audit.clone();
        let finding = async move {
            let pages = async {
                match pages {
                    Some(pages) => pages.await.map(Some),
                    None => Ok(None),
                }
            };
            let (traces, steps) = futures_util::try_join!(views, pages)?;
            let traces = audit.open(granted, traces)?;
            let steps = steps.map(|steps| audit.open(granted, steps)).transpose()?.unwrap_or_default();
            Ok(Arc::new(Found { traces, steps }))
        };
        let ahead = Ahead { traces, steps, finding: finding.boxed().shared() };
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).push(ahead);
    }

    /// A trace by name.
    pub async fn trace(&self, trace_id: &TraceId) -> Result<Option<StoredTrace>> {
        match self.finding(|ahead| ahead.traces.contains(trace_id)) {
            Some(finding) => Ok(finding.await?.traces.get(trace_id).cloned()),
            None => self.loader.load_one(TraceNamed(trace_id.clone())).await,
        }
    }

    /// A page of a trace's steps.
    pub async fn steps(&self, trace_id: &TraceId, wanted: StepsPage) -> Result<Page<Arc<StoredStep>>> {
        let is_ahead = |ahead: &Ahead| ahead.steps.as_ref() == Some(&wanted) && ahead.traces.contains(trace_id);
        let page = match self.finding(is_ahead) {
            Some(finding) => finding.await?.steps.get(trace_id).cloned(),
            None => self.loader.load_one(StepsOf(trace_id.clone(), wanted.0, wanted.1)).await?,
        };
        Ok(page.unwrap_or_default())
    }

    fn finding(&self, is_wanted: impl Fn(&Ahead) -> bool) -> Option<Finding> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.iter().find(|ahead| is_wanted(ahead)).map(|ahead| ahead.finding.clone())
    }
}
