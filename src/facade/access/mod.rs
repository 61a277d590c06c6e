//! Who looked at what: every read of evidence is noted while a request runs.

mod views;

pub use views::{Viewable, Views};

use super::LogsFacade;
use crate::domain::ids::RecordId;
use crate::domain::vocabulary::RecordKind;

impl LogsFacade {
    /// Notes what a read gave, and passes it on.
    pub(super) fn seen<V: Viewable>(&self, value: V) -> V {
        self.views.note(&value);
        value
    }

    /// Notes a read of records by id; of none for a count, a sum, or a look that found nothing.
    pub(super) fn viewed(&self, kind: RecordKind, ids: impl IntoIterator<Item = RecordId>) {
        self.views.viewed(kind, ids);
    }
}
