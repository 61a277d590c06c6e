//! Records that are appended together and stand each for itself: good ones are kept, bad ones named.

use super::super::LogsFacade;
use super::once::{Answer, First, KeyedRequest};
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit};
use crate::domain::ids::RecordId;
use crate::error::{Code, Error, Result};

/// What became of one record, before it is read back.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Recorded(RecordId),
    /// One was there before, and whether what was sent differs from it.
    Existing(RecordId, bool),
    Rejected(Error),
}

impl Outcome {
    /// The record that is on record.
    pub fn id(&self) -> Option<RecordId> {
        match self {
            Self::Recorded(id) | Self::Existing(id, _) => Some(*id),
            Self::Rejected(_) => None,
        }
    }
}

impl From<AppendResult> for Outcome {
    fn from(result: AppendResult) -> Self {
        match result {
            AppendResult::New(appended) => Self::Recorded(appended.id),
            AppendResult::Existing { id, differs } => Self::Existing(id, differs),
            AppendResult::Rejected(error) => Self::Rejected(error),
        }
    }
}

/// The outcomes of a batch's good records, and whether they are those of an earlier request.
pub(super) type Batch = (Vec<Outcome>, bool);

impl LogsFacade {
    /// Appends records, each for itself, once under their key.
    pub(super) async fn append_batch(&self, keyed: Option<&KeyedRequest>, unit: AppendUnit) -> Result<Batch> {
        let answer = Answer { records: unit.records.iter().map(|record| record.id().0).collect(), ..Answer::default() };
        let idempotency = keyed.cloned().map(|keyed| keyed.claim(&answer)).transpose()?;
        let append = async {
            match self.append(AppendUnit { idempotency, ..unit }).await? {
                AppendReceipt::Done(results) => Ok((results.into_iter().map(Outcome::from).collect(), false)),
                AppendReceipt::Replayed(first) => replayed(self.first_answer(&first)?),
                AppendReceipt::Stale => Err(Error::internal("a unit without guard was called stale")),
            }
        };
        self.once(keyed, replayed, append).await
    }
}

/// The outcomes of the first request. Those of steps were once kept apart.
fn replayed(first: First) -> Result<Batch> {
    let ids = first.answer.records.into_iter().chain(first.answer.steps);
    let mut outcomes: Vec<Outcome> = ids.map(|id| Outcome::Recorded(RecordId(id))).collect();
    for (place, id, differs) in first.existing {
        if let Some(outcome) = outcomes.get_mut(place) {
            *outcome = Outcome::Existing(id, differs);
        }
    }
    Ok((outcomes, true))
}

/// Takes the good ones out; what is wrong with the others stays, each at its place.
pub(super) fn sorted_out<T>(items: impl IntoIterator<Item = Result<T>>) -> (Vec<T>, Vec<Option<Error>>) {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Ok(item) => {
                good.push(item);
                faults.push(None);
            }
            Err(error) => faults.push(Some(error)),
        }
    }
    (good, faults)
}

/// One outcome for each item that was sent: the good ones' fill the places between the faults.
pub(super) fn put_back(faults: Vec<Option<Error>>, outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let mut outcomes = outcomes.into_iter();
    let next =
        |outcomes: &mut std::vec::IntoIter<Outcome>| outcomes.next().unwrap_or_else(|| Outcome::Rejected(not_first()));
    faults.into_iter().map(|fault| fault.map_or_else(|| next(&mut outcomes), Outcome::Rejected)).collect()
}

/// A replayed answer names the records that the first request meant to write; what it did not write is gone.
pub(super) fn not_first() -> Error {
    Error::new(
        Code::Conflict,
        "the first request with this idempotencyKey did not record this; send it under a fresh one",
    )
}
