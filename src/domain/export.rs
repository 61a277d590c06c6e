//! Exports that were made: the record of each, written when it was done.

use super::audit::GovernanceSummary;
use super::ids::{Digest, RunId};
use super::incident::IncidentEvidence;
use super::record::record;
use super::run::{LlmRun, Stored};
use super::trace::TraceView;
use super::vocabulary::{ComplianceTag, ExportFormat, ExportScope, ExportStatus, Origin, RecordSource};

macro_rules! log_export {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// An export that was made, or that failed. Written once, when it is done.
        LogExport in "log_export": LogExport {
            /// Which part of the domain it covers.
            scope: ExportScope,
            /// The run, where it covers one.
            run_id: Option<RunId>,
            /// The incident, where it covers one.
            incident_id: Option<String>,
            /// The format of the file.
            format: ExportFormat,
            /// What it selects, as canonical JSON.
            filter: String,
            /// Who asked for it. An identifier: not redacted.
            requested_by: String,
            /// What kind of actor asked for it.
            origin: Origin,
            /// The writer.
            source_component: String,
            /// The caller's own id for cross-reference.
            correlation_id: Option<String>,
            /// Records in it.
            record_count: i64,
            /// Bytes of the file.
            byte_count: i64,
            /// SHA-256 of the file; `None` where it failed.
            checksum: Option<Digest>,
            /// The sizes of the logs that it was taken at, as canonical JSON.
            checkpoint_sizes: String,
            /// SHA-256 of the manifest inside it.
            manifest_hash: Option<Digest>,
            /// COMPLETED or FAILED.
            status: ExportStatus,
        }
    } };
}
pub(crate) use log_export;
log_export!(record);

/// Most past exports of a run that are shown.
pub const EXPORTS_OF_RUN_MAX: usize = 200;

/// What is on record about a run, for its compliance tags, beside its trace, its incidents and its governance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunExportFacts {
    /// The place of the run's record among the entries of the evidence log; `None` where the log has no entry for it.
    pub ledger_seq: Option<i64>,
    /// Steps of its trace that were recorded with message content.
    pub content_steps: i64,
    /// Of these, the ones whose content is still kept.
    pub content_kept: i64,
}

/// The formats in which a finished export exists, each once, in the order of the vocabulary.
#[must_use]
pub fn available_formats(exports: &[Stored<LogExport>]) -> Vec<ExportFormat> {
    let is_there = |format: &ExportFormat| exports.iter().any(|export| is_finished(export) && export.format == *format);
    ExportFormat::ALL.iter().copied().filter(is_there).collect()
}

/// Why there is no format, in words; `None` where there is one.
#[must_use]
pub fn missing_reason(exports: &[Stored<LogExport>]) -> Option<&'static str> {
    match (exports.is_empty(), exports.iter().any(|export| is_finished(export))) {
        (true, _) => Some("no export of this run has been made"),
        (false, false) => Some("every export of this run failed"),
        (false, true) => None,
    }
}

/// The checksum of the newest finished export; the newest comes first.
#[must_use]
pub fn newest_checksum(exports: &[Stored<LogExport>]) -> Option<Digest> {
    exports.iter().find(|export| is_finished(export))?.checksum
}

fn is_finished(export: &LogExport) -> bool {
    export.status == ExportStatus::Completed
}

/// A compliance tag with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagReason {
    /// The tag.
    pub tag: ComplianceTag,
    /// What on record says so, in words.
    pub reason: String,
}

/// What the evidence at hand says of a run in the words of compliance; each tag for a reason of its own.
#[must_use]
pub fn compliance_tags(
    run: &LlmRun,
    trace: Option<&TraceView>,
    incidents: &[Stored<IncidentEvidence>],
    governance: &GovernanceSummary,
    facts: &RunExportFacts,
) -> Vec<TagReason> {
    use ComplianceTag as Tag;
    let mut tags = Vec::new();
    let mut add = |tag, reason: String| tags.push(TagReason { tag, reason });
    if run.source != RecordSource::System {
        add(
            Tag::RedactedAtIngest,
            format!("the source is {}, whose texts are redacted before storage", run.source.as_str()),
        );
    }
    if let Some(seq) = facts.ledger_seq {
        add(Tag::TamperEvident, format!("the run is entry {seq} of the evidence log"));
    }
    match trace.map(|view| (view, &view.seal)) {
        Some((view, Some(seal))) if view.step_count > seal.step_count => {
            let late = view.step_count - seal.step_count;
            add(Tag::LateSteps, format!("{late} steps came after seal {} of the trace", seal.revision));
        }
        Some((_, Some(seal))) => {
            add(Tag::SealedTrace, format!("seal {} covers all {} steps", seal.revision, seal.step_count));
        }
        Some((view, None)) => add(Tag::UnsealedTrace, format!("the trace {} has no seal yet", view.trace.trace_id)),
        None => {}
    }
    if governance.total > 0 {
        add(Tag::PolicyEvaluated, format!("governance entries of the run: {}", governance.total));
    }
    if governance.enforced > 0 {
        add(Tag::PolicyEnforced, format!("governance entries that blocked or modified: {}", governance.enforced));
    }
    if let Some(newest) = incidents.first() {
        let count = incidents.len();
        add(
            Tag::IncidentLinked,
            format!("incidents that the run caused: {count}, the newest is {}", newest.incident_id),
        );
    }
    if run.is_synthetic {
        let scenario = run.synthetic_scenario_id.as_deref().unwrap_or("unnamed");
        add(Tag::SyntheticData, format!("the run is test data of the scenario {scenario}"));
    }
    let (recorded, kept) = (facts.content_steps, facts.content_kept);
    if kept > 0 {
        add(Tag::ContentStored, format!("steps whose message content is kept: {kept}"));
    }
    if recorded > kept {
        add(Tag::ContentErased, format!("steps whose message content was removed: {}", recorded - kept));
    }
    if recorded == 0 {
        add(
            Tag::ContentNotStored,
            format!("none of {} steps holds message content", trace.map_or(0, |view| view.step_count)),
        );
    }
    tags
}

#[cfg(test)]
mod tests;
