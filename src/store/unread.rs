//! What was read of evidence, before anybody may look at it.

use std::fmt;

/// Evidence as a read gave it. Nothing of it can be had before it is opened, and what opens it (`facade::access`) asks for
/// a permission that was checked and notes what is looked at: a read that forgets either does not compile.
///
/// ```compile_fail
/// # use runledger::store::unread::Unread;
/// fn forgot_to_check<T>(read: Unread<T>) -> T {
///     read.0
/// }
/// ```
///
/// ```compile_fail
/// # use runledger::store::unread::Unread;
/// fn forgot_to_note(read: Unread<String>) -> usize {
///     read.len()
/// }
/// ```
///
/// Only whoever may open it gets at the content:
///
/// ```
/// # use runledger::store::unread::{Opener, Unread};
/// fn checked_and_noted(read: Unread<String>, by: &impl Opener) -> usize {
///     read.open(by).len()
/// }
/// ```
#[must_use = "what was read is opened by facade::access, or it was read for nothing"]
pub struct Unread<T>(pub(super) T);

/// Something that may open what was read. Few are, in `facade::access` only: a test lists them.
pub trait Opener {}

impl<T> Unread<T> {
    /// The content.
    pub fn open(self, _by: &impl Opener) -> T {
        self.0
    }

    /// Something made of the content, unread as before.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Unread<U> {
        Unread(make(self.0))
    }
}

/// Says nothing of the content.
impl<T> fmt::Debug for Unread<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unread")
    }
}
