//! Reads of the store, opened by a test: no caller of the server looks at them.

use runledger::store::unread::{Opener, Unread};

struct Test;

impl Opener for Test {}

pub trait Opened<T> {
    /// The content.
    fn opened(self) -> T;
}

impl<T> Opened<T> for Unread<T> {
    fn opened(self) -> T {
        self.open(&Test)
    }
}
