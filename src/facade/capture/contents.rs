//! Digests of content that came as log events: put into steps that come after them, and into the run when its trace is
//! sealed. Content that comes after the seal comes too late: no record is ever changed.

use std::borrow::Cow;

use super::super::Logs;
use crate::capture::CaptureContext;
use crate::capture::contents::{fill, fill_source};
use crate::capture::digest::ContentHasher;
use crate::domain::draft::{DraftTrace, SealSource};
use crate::domain::ids::{TenantId, TraceId};
use crate::error::Result;
use crate::store::span_contents::SpanContents;

impl Logs {
    /// Fills in the hashes of steps whose content was here before them.
    pub(super) async fn fill_steps(
        &self,
        tenant: &TenantId,
        context: &CaptureContext,
        traces: &mut [DraftTrace],
    ) -> Result<()> {
        let lacking = traces.iter().filter(|trace| {
            trace.steps.iter().any(|draft| draft.step.input_hash.is_none() || draft.step.output_hash.is_none())
        });
        let trace_ids: Vec<TraceId> = lacking.map(|trace| trace.trace.trace_id.clone()).collect();
        let contents = self.waiting_contents(tenant, &trace_ids).await?;
        if contents.is_empty() {
            return Ok(());
        }
        let hasher = ContentHasher::new(&context.content_key);
        for step in traces.iter_mut().flat_map(|trace| &mut trace.steps).map(|draft| &mut draft.step) {
            if let Some(contents) = contents.get(&(step.trace_id.clone(), step.span_id.clone())) {
                fill(&hasher, step, contents);
            }
        }
        Ok(())
    }

    /// The trace as its run is made from it: with content that came as log events, whenever its steps were recorded.
    pub(in crate::facade) async fn with_contents<'s>(
        &self,
        tenant: &TenantId,
        context: &CaptureContext,
        source: &'s SealSource,
    ) -> Result<Cow<'s, SealSource>> {
        let contents = self.waiting_contents(tenant, std::slice::from_ref(&source.trace.trace_id)).await?;
        Ok(fill_source(&ContentHasher::new(&context.content_key), source, &contents))
    }

    /// The digests that wait for these traces. Tenants whose applications send no such events are not asked each time.
    pub(in crate::facade) async fn waiting_contents(
        &self,
        tenant: &TenantId,
        trace_ids: &[TraceId],
    ) -> Result<SpanContents> {
        if trace_ids.is_empty() {
            return Ok(SpanContents::new());
        }
        let has_contents = match self.0.capturing.content_tenants.get(tenant) {
            Some(known) => known,
            None => {
                let found = self.0.store.has_span_contents(tenant).await?;
                self.0.capturing.content_tenants.insert(tenant.clone(), found);
                found
            }
        };
        if has_contents { self.0.store.span_contents(tenant, trace_ids).await } else { Ok(SpanContents::new()) }
    }
}
