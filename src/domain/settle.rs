//! When a trace is due to be sealed.

use super::time::Timestamp;

/// Steps of a sealed trace for which late ones wait one settle time more.
const STEPS_OF_A_WAIT: i64 = 1_000;

/// How long a trace must be quiet before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlePolicy {
    /// After the root span has arrived; 0 seals at once.
    pub settle_us: i64,
    /// Where the topmost span's parent lives in another service.
    pub settle_remote_us: i64,
    /// Silence after which a trace is sealed as TIMEOUT.
    pub timeout_us: i64,
}

/// What arrival of spans says about a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSignals {
    /// A span without a parent is among them.
    pub has_root: bool,
    /// A span whose parent is remote, or may be: the exporter's flags do not rule it out.
    pub has_remote_parent: bool,
    /// LLM work is among them: a model call, an embedding, a span that names a model or bears usage.
    pub has_llm_work: bool,
    /// The trace is kept open by its writer (`startTrace`): only silence or its completion ends it.
    pub is_open: bool,
}

impl TraceSignals {
    /// What both say together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            has_root: self.has_root || other.has_root,
            has_remote_parent: self.has_remote_parent || other.has_remote_parent,
            has_llm_work: self.has_llm_work || other.has_llm_work,
            is_open: self.is_open || other.is_open,
        }
    }
}

impl SettlePolicy {
    /// When a trace that was last touched at `now` is due, from everything that is known of it.
    #[must_use]
    pub fn due_at(&self, signals: TraceSignals, now: Timestamp) -> Timestamp {
        let wait = if signals.is_open {
            self.timeout_us
        } else if signals.has_root {
            self.settle_us
        } else if signals.has_remote_parent {
            self.settle_remote_us
        } else {
            self.timeout_us
        };
        now.plus_micros(wait)
    }

    /// When a trace that was sealed before is due again. Sealing goes through all of it, so a large one waits longer for what else
    /// comes late: so many times as long as it has thousands of steps, from the first late step on, and no longer than silence
    /// may last. `due` is when it was due before this touch; `None` where it was not.
    #[must_use]
    pub fn due_again_at(
        &self,
        signals: TraceSignals,
        step_count: i64,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> Timestamp {
        let quiet = self.due_at(signals, now);
        let times = step_count / STEPS_OF_A_WAIT;
        if times <= 1 {
            return quiet;
        }
        let wait = self.settle_us.saturating_mul(times).min(self.timeout_us.max(self.settle_us));
        quiet.max(due.unwrap_or_else(|| now.plus_micros(wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_then_remote_parent_then_silence() {
        let policy = SettlePolicy { settle_us: 1, settle_remote_us: 2, timeout_us: 3 };
        let now = Timestamp::from_micros_clamped(100);
        let due = |signals| policy.due_at(signals, now).as_micros() - 100;
        let none = TraceSignals::default();
        assert_eq!(due(none), 3);
        assert_eq!(due(TraceSignals { has_remote_parent: true, ..none }), 2);
        assert_eq!(due(TraceSignals { has_remote_parent: true, has_root: true, ..none }), 1);
        assert_eq!(due(TraceSignals { has_root: true, is_open: true, ..none }), 3);
    }

    #[test]
    fn a_large_trace_is_sealed_again_once_for_many_late_steps() {
        let policy = SettlePolicy { settle_us: 10, settle_remote_us: 20, timeout_us: 3_000 };
        let signals = TraceSignals { has_root: true, ..TraceSignals::default() };
        let at = Timestamp::from_micros_clamped;
        let again =
            |steps, due: Option<i64>, now| policy.due_again_at(signals, steps, due.map(at), at(now)).as_micros();
        assert_eq!(again(1_999, None, 100), 110, "a small one as before");
        assert_eq!(again(20_000, None, 100), 300, "a large one when the first late step has waited");
        assert_eq!(again(20_000, Some(300), 150), 300, "others come along without putting it off");
        assert_eq!(again(20_000, Some(300), 295), 305, "but for the quiet that every trace has");
        assert_eq!(again(20_000_000, None, 100), 3_100, "within the time of silence");
        let at_once = SettlePolicy { settle_us: 0, settle_remote_us: 0, timeout_us: 3_000 };
        assert_eq!(at_once.due_again_at(signals, 20_000, None, at(100)), at(100));
        let never = SettlePolicy { settle_us: i64::MAX, settle_remote_us: i64::MAX, timeout_us: i64::MAX };
        assert_eq!(never.due_again_at(signals, 20_000, None, at(100)), never.due_at(signals, at(100)));
    }
}
