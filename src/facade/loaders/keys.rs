//! What is loaded: one key type each. Page arguments are part of a key because aliases differ in them.

use crate::domain::ids::{RecordId, RunId, TenantId, TraceId};
use crate::domain::page::{AsOf, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::replay::Window;
use crate::domain::system::{RunBaseline, RunEvents};
use crate::domain::telemetry_series::{RunTelemetry, SeriesWindow};
use crate::domain::trace::StepFilter;
use crate::domain::trace::TraceTotals;
use crate::domain::vocabulary::RecordKind;
use crate::facade::audit::RunNames;
use crate::store::exports::RunKey;
use crate::store::windows::{InflectionKey, RunWindow};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A run by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct RunById(pub RecordId);
/// The newest revision of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct RunNamed(pub RunId);
/// The newest run made from a trace.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct RunOfTrace(pub TraceId);
/// Every revision of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct RevisionsOf(pub RunId);
/// A trace by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct TraceById(pub RecordId);
/// A trace by name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct TraceNamed(pub TraceId);
/// A page of a trace's steps; the page arguments are part of the key because aliases differ in them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct StepsOf(pub TraceId, pub StepFilter, pub PageRequest);
/// How many steps a filter selects.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct StepCountOf(pub TraceId, pub StepFilter);
/// A step by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct StepById(pub RecordId);
/// A trace's seals.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SealsOf(pub TraceId);
/// What a trace's newest seal says of its sums and duplicates.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SealMetadataOf(pub TraceId);
/// A trace's steps by kind and status.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct StepGroupsOf(pub TraceId);
/// One payload.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct PayloadOf(pub PayloadPart, pub RecordId);
/// What a LogViewed entry says, by its record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct AccessDetailOf(pub RecordId);

/// The ledger entry of a tenant's record.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct EntryOf(pub TenantId, pub RecordId);
/// A tenant's record of any kind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct RecordOf(pub TenantId, pub RecordKind, pub RecordId);
/// A record's receipt.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct ReceiptOf(pub RecordId);
/// An audit entry by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct AuditEntryById(pub RecordId);
/// A page of a run's governance entries.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct GovernanceOf(pub RunNames, pub PageRequest);
/// What a run's governance entries come to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct GovernanceSummaryOf(pub RunNames);
/// An export by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct ExportById(pub RecordId);
/// When an export was first downloaded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct DeliveryOf(pub RecordId);
/// The newest revision of an incident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct IncidentNamed(pub String);
/// Incident evidence by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct IncidentById(pub RecordId);
/// Every revision of an incident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct IncidentRevisionsOf(pub String);
/// The incidents that a run caused.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct IncidentsOfRun(pub RunId);
/// A policy activation by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct ActivationById(pub RecordId);
/// A page of a policy's activations.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct ActivationsOf(pub String, pub PageRequest, pub Option<AsOf>);
/// The exports of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct ExportsOfRun(pub RunId);
/// What is on record about a run, for its compliance tags.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct ExportFactsOf(pub RunKey);
/// What decides the inflection of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct InflectionFactsOf(pub InflectionKey);
/// The steps of a trace in a window.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct StepsIn(pub (TraceId, Window));
/// The system records in a window.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SystemRecordsIn(pub Window);
/// The governance entries of a run, and of no run, in a window.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct GovernanceIn(pub RunWindow);

/// A system record by record id, the platform's too.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SystemRecordById(pub RecordId);
/// Details of a system record.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SystemDetailsOf(pub RecordId);
/// The environment that a run began in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SystemBaselineOf(pub RunBaseline);
/// What affected a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SystemEventsOf(pub RunEvents);
/// The metric series of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct SeriesOf(pub RunTelemetry);
/// The first points of a series.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct PointsOf(pub SeriesWindow, pub u32);
/// How many points a series has.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::facade) struct PointCountOf(pub SeriesWindow);

/// The sums of a seal and its duplicates: span id to the span id that counts.
pub(in crate::facade) type SealMetadata = Arc<(TraceTotals, BTreeMap<String, String>)>;
