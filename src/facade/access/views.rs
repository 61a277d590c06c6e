//! What one request has read.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::ids::{RecordId, RunId};
use crate::domain::ledger::LedgerEntry;
use crate::domain::page::Page;
use crate::domain::record::{Record, RecordRef, StoredRecord};
use crate::domain::replay::ReplayStep;
use crate::domain::run::Stored;
use crate::domain::trace::{IdempotencyHit, StepGroup, StoredStep, TraceView};
use crate::domain::vocabulary::RecordKind;
use crate::error::Error;

/// Ids that are kept by name; beyond them records are only counted.
pub const IDS_KEPT: usize = 100;

/// The run that a record is, or was made for.
fn run_of(record: RecordRef<'_>) -> Option<&RunId> {
    match record {
        RecordRef::Run(run) => Some(&run.run_id),
        RecordRef::Trace(trace) => Some(&trace.run_id),
        _ => None,
    }
}

/// What a read gives: records, or something made of them.
pub trait Viewable {
    /// The kind of record that was looked for: noted even where none was found. `None` where it is of any kind.
    const KIND: Option<RecordKind>;

    /// Notes each record in it.
    fn each(&self, noted: &mut Noted);
}

impl<T: Record> Viewable for Stored<T>
where
    for<'r> RecordRef<'r>: From<&'r T>,
{
    const KIND: Option<RecordKind> = T::KIND;

    fn each(&self, noted: &mut Noted) {
        noted.record(self.record.kind(), self.id);
        if let Some(run_id) = run_of((&self.record).into()) {
            noted.run(run_id);
        }
    }
}

impl Viewable for StoredStep {
    const KIND: Option<RecordKind> = Some(RecordKind::TraceStep);

    fn each(&self, noted: &mut Noted) {
        self.step.each(noted);
    }
}

impl Viewable for ReplayStep {
    const KIND: Option<RecordKind> = Some(RecordKind::TraceStep);

    fn each(&self, noted: &mut Noted) {
        noted.record(RecordKind::TraceStep, self.id);
    }
}

impl Viewable for TraceView {
    const KIND: Option<RecordKind> = Some(RecordKind::Trace);

    fn each(&self, noted: &mut Noted) {
        self.trace.each(noted);
        self.seal.each(noted);
    }
}

/// A count of steps: which ones is not known.
impl Viewable for StepGroup {
    const KIND: Option<RecordKind> = Some(RecordKind::TraceStep);

    fn each(&self, _noted: &mut Noted) {}
}

impl Viewable for IdempotencyHit {
    const KIND: Option<RecordKind> = Some(RecordKind::TraceStep);

    fn each(&self, noted: &mut Noted) {
        noted.record(RecordKind::TraceStep, self.id);
    }
}

/// A place in the ledger is a look at the record that stands there.
impl Viewable for LedgerEntry {
    const KIND: Option<RecordKind> = None;

    fn each(&self, noted: &mut Noted) {
        noted.record(self.kind, self.record_id);
    }
}

impl Viewable for StoredRecord {
    const KIND: Option<RecordKind> = None;

    fn each(&self, noted: &mut Noted) {
        noted.record(self.record().kind(), self.head().id);
    }
}

/// With what it belongs to.
impl<A, V: Viewable> Viewable for (A, V) {
    const KIND: Option<RecordKind> = V::KIND;

    fn each(&self, noted: &mut Noted) {
        self.1.each(noted);
    }
}

/// What was refused was not seen.
impl<V: Viewable> Viewable for Result<V, Error> {
    const KIND: Option<RecordKind> = V::KIND;

    fn each(&self, noted: &mut Noted) {
        self.iter().for_each(|value| value.each(noted));
    }
}

impl<K, V: Viewable> Viewable for HashMap<K, V> {
    const KIND: Option<RecordKind> = V::KIND;

    fn each(&self, noted: &mut Noted) {
        self.values().for_each(|value| value.each(noted));
    }
}

impl<V: Viewable> Viewable for Arc<V> {
    const KIND: Option<RecordKind> = V::KIND;

    fn each(&self, noted: &mut Noted) {
        V::each(self, noted);
    }
}

macro_rules! viewable_items {
    ($($many:ident),+) => { $(
        impl<V: Viewable> Viewable for $many<V> {
            const KIND: Option<RecordKind> = V::KIND;

            fn each(&self, noted: &mut Noted) {
                self.iter().for_each(|item| item.each(noted));
            }
        }
    )+ };
}
viewable_items!(Option, Vec);

impl<V: Viewable> Viewable for Page<V> {
    const KIND: Option<RecordKind> = V::KIND;

    fn each(&self, noted: &mut Noted) {
        self.rows.iter().for_each(|row| row.item.each(noted));
    }
}

/// The runs that were read, as far as they tell which run a request was about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Runs {
    #[default]
    None,
    One(RunId),
    Several,
}

/// What was read so far.
#[derive(Debug, Default)]
pub struct Noted {
    kinds: BTreeSet<RecordKind>,
    /// In the order in which they were read.
    first: Vec<(RecordKind, RecordId)>,
    all: HashSet<RecordId>,
    /// Written by the same request: to be told of them is no read.
    own: HashSet<RecordId>,
    /// A sum over records of others was read.
    has_sums: bool,
    runs: Runs,
}

impl Noted {
    fn record(&mut self, kind: RecordKind, id: RecordId) {
        if self.own.contains(&id) {
            return;
        }
        self.kinds.insert(kind);
        if self.all.insert(id) && self.first.len() < IDS_KEPT {
            self.first.push((kind, id));
        }
    }

    fn run(&mut self, run_id: &RunId) {
        self.runs = match std::mem::take(&mut self.runs) {
            Runs::None => Runs::One(run_id.clone()),
            Runs::One(known) if known == *run_id => Runs::One(known),
            _ => Runs::Several,
        };
    }
}

/// What a request has read, all told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Viewed {
    /// Kinds of the records that were looked for or read.
    pub kinds: Vec<RecordKind>,
    /// The first [`IDS_KEPT`], in the order in which they were read.
    pub first: Vec<(RecordKind, RecordId)>,
    /// All of them, in order of their ids.
    pub all: Vec<RecordId>,
    /// The run that it was about, where it was about one.
    pub run_id: Option<RunId>,
}

/// What one request has read; shared by everything that reads for it.
#[derive(Debug, Default)]
pub(in crate::facade) struct Views(Mutex<Noted>);

impl Views {
    /// Notes what a read gave.
    pub(super) fn note<V: Viewable>(&self, value: &V) {
        let mut noted = self.lock();
        noted.kinds.extend(V::KIND);
        value.each(&mut noted);
    }

    /// Notes a read of records by id; of none for a count, a sum, or a look that found nothing.
    pub(super) fn viewed(&self, kind: RecordKind, ids: impl IntoIterator<Item = RecordId>) {
        let mut noted = self.lock();
        noted.kinds.insert(kind);
        ids.into_iter().for_each(|id| noted.record(kind, id));
    }

    /// Notes a sum over records that need not be those that the request wrote.
    pub(super) fn summed(&self, kind: RecordKind) {
        let mut noted = self.lock();
        noted.kinds.insert(kind);
        noted.has_sums = true;
    }

    /// The kinds of the records in it that the request did not write.
    pub(super) fn kinds_of_others<V: Viewable>(&self, value: &V) -> Vec<RecordKind> {
        let mut noted = self.lock();
        let mut others = Noted { own: std::mem::take(&mut noted.own), ..Noted::default() };
        value.each(&mut others);
        noted.own = std::mem::take(&mut others.own);
        others.kinds.into_iter().collect()
    }

    /// Notes what the request itself wrote.
    pub(super) fn wrote(&self, ids: impl IntoIterator<Item = RecordId>) {
        self.lock().own.extend(ids);
    }

    /// What was read so far; `None` where nothing was. Kinds alone count as a look, unless the request wrote: then they
    /// are what it was told of its own records.
    pub(super) fn summary(&self) -> Option<Viewed> {
        let noted = self.lock();
        let is_look = !noted.all.is_empty() || noted.has_sums || (noted.own.is_empty() && !noted.kinds.is_empty());
        is_look.then(|| {
            let mut all: Vec<RecordId> = noted.all.iter().copied().collect();
            all.sort_unstable();
            Viewed {
                kinds: noted.kinds.iter().copied().collect(),
                first: noted.first.clone(),
                all,
                run_id: if let Runs::One(run_id) = &noted.runs { Some(run_id.clone()) } else { None },
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
