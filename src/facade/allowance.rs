//! What one request may still do: the bytes that its answer may have, and the work until others get their turn.
//!
//! Resolvers run on the task of their request and spend here as they go, so that an answer that grows too large is given up
//! while it is made, and so that one that is long in the making lets the thread serve others in between and can be given up
//! when its time is over. It costs each field a look at a variable of the thread: an extension of the engine would box a
//! future for each.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Error;

/// Units of work of one turn: a field is one, and some bytes are. About a quarter of a millisecond.
const WORK_A_TURN: u32 = 2_048;
/// Bytes that are as much work as a field.
const BYTES_A_UNIT: usize = 512;

#[derive(Clone, Copy)]
struct Now {
    used: u64,
    limit: u64,
    work: u32,
    is_paused: bool,
    is_request: bool,
}

/// Nothing is counted outside of a request.
const OUTSIDE: Now = Now { used: 0, limit: u64::MAX, work: u32::MAX, is_paused: false, is_request: false };

thread_local! {
    /// Of the request that is being polled.
    static NOW: Cell<Now> = const { Cell::new(OUTSIDE) };
}

/// Counts bytes of the answer, as they will be written. False when there are more than it may have: then whoever makes them
/// stops.
pub fn charge(bytes: usize) -> bool {
    let mut now = NOW.get();
    if !now.is_request {
        return true;
    }
    now.used = now.used.saturating_add(bytes as u64);
    now.work = now.work.saturating_sub(u32::try_from(bytes / BYTES_A_UNIT).unwrap_or(u32::MAX).saturating_add(1));
    NOW.set(now);
    now.used <= now.limit
}

/// Bytes that were counted so far.
#[must_use]
pub fn used() -> u64 {
    NOW.get().used
}

/// Forgets what was counted since [`used`] said so many: it is not put into the answer, but made again. What was too much
/// stays too much.
pub fn forget_since(used: u64) {
    let now = NOW.get();
    if now.used <= now.limit {
        NOW.set(Now { used, ..now });
    }
}

/// Lets others have their turn, if this one has had its own.
#[must_use]
pub fn breathe() -> Breathe {
    Breathe
}

/// See [`breathe`].
pub struct Breathe;

impl Future for Breathe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = NOW.get();
        if now.work > 0 {
            return Poll::Ready(());
        }
        NOW.set(Now { is_paused: true, ..now });
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How far a request came in its turn.
pub(super) enum Turn<T> {
    /// To its end.
    Done(T),
    /// It waits for what it asked for.
    Waits,
    /// Its turn is over, and it could go on.
    Pauses,
    /// It may not go on.
    Spent(Error),
}

/// The allowance of one request.
pub(super) struct Allowance {
    limit: u64,
    used: u64,
    work: u32,
}

impl Allowance {
    pub fn of(limit: u64) -> Self {
        Self { limit, used: 0, work: WORK_A_TURN }
    }

    /// A turn begins.
    pub fn begin(&mut self) {
        self.work = WORK_A_TURN;
    }

    /// Bytes that the answer has so far.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Polls the request's execution on this allowance.
    pub fn poll<F: Future>(&mut self, execution: Pin<&mut F>, context: &mut Context<'_>) -> Turn<F::Output> {
        let Self { limit, used, work } = *self;
        if work == 0 {
            context.waker().wake_by_ref();
            return Turn::Pauses;
        }
        /// Puts back what stood there, also when a resolver panics.
        struct Before(Now);
        impl Drop for Before {
            fn drop(&mut self) {
                NOW.set(self.0);
            }
        }
        let before = Before(NOW.replace(Now { used, limit, work, is_paused: false, is_request: true }));
        let polled = execution.poll(context);
        let now = NOW.get();
        drop(before);
        (self.used, self.work) = (now.used, now.work);
        if now.used > limit {
            let message = format!(
                "the answer has more than {limit} bytes, the most that one may have: ask for fewer rows or fields at once"
            );
            return Turn::Spent(Error::limit(message, limit, Some(now.used)));
        }
        match polled {
            Poll::Ready(output) => Turn::Done(output),
            Poll::Pending if now.is_paused => Turn::Pauses,
            Poll::Pending => Turn::Waits,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn poll<F: Future>(allowance: &mut Allowance, execution: Pin<&mut F>) -> Turn<F::Output> {
        allowance.poll(execution, &mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn what_is_spent_stops_the_request_and_nobody_else() {
        let mut allowance = Allowance::of(100);
        let mut made = 0;
        let turn = {
            let made = &mut made;
            let execution = pin!(async move {
                while charge(30) {
                    *made += 1;
                }
            });
            poll(&mut allowance, execution)
        };
        let Turn::Spent(error) = turn else { panic!("it goes on") };
        assert_eq!((made, error.code().as_str(), allowance.used()), (3, "LIMIT_EXCEEDED", 120));
        assert!(charge(usize::MAX), "no request, no limit");
    }

    #[test]
    fn what_is_made_twice_counts_once() {
        let mut allowance = Allowance::of(100);
        let execution = pin!(async {
            let before = used();
            let _ = charge(90);
            forget_since(before);
            charge(90)
        });
        assert!(matches!(poll(&mut allowance, execution), Turn::Done(true)));
        assert_eq!(allowance.used(), 90);
    }

    #[test]
    fn long_work_pauses_once_a_turn() {
        let mut allowance = Allowance::of(u64::MAX);
        let fields = WORK_A_TURN * 3;
        let mut execution = pin!(async {
            for _ in 0..fields {
                breathe().await;
                let _ = charge(1);
            }
        });
        let mut turns = 1;
        while matches!(poll(&mut allowance, execution.as_mut()), Turn::Pauses) {
            allowance.begin();
            turns += 1;
        }
        assert_eq!(turns, 3);
    }
}
