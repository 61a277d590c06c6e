//! What redaction costs: in tests, every byte that is looked at is counted, so that they can assert that twice the text is
//! twice the work. Elsewhere counting is nothing.

#[cfg(test)]
thread_local! {
    static SPENT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts bytes that were looked at.
#[inline]
pub(super) fn spend(bytes: usize) {
    #[cfg(test)]
    SPENT.with(|spent| spent.set(spent.get() + bytes as u64));
    #[cfg(not(test))]
    let _ = bytes;
}

/// The bytes that a piece of work looks at.
#[cfg(test)]
pub(super) fn of(work: impl FnOnce()) -> u64 {
    let before = SPENT.with(std::cell::Cell::get);
    work();
    SPENT.with(std::cell::Cell::get) - before
}
