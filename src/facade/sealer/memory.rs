//! What is remembered of large traces that were sealed: their steps, which never change, and the leaves over how they
//! behaved. Who seals such a trace again reads and hashes only what is new. It is memory of this process alone, of bounded
//! size: what is forgotten is read again.

use std::mem::size_of;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::domain::draft::SealSource;
use crate::domain::ids::{Digest, TenantId, TraceId};
use crate::domain::trace::TraceStep;

/// Traces with fewer steps are read again: that costs little, and they would drive out large ones.
const STEPS_MIN: usize = 500;
/// Bytes of all that is remembered: some 40,000 steps.
const BYTES_MAX: u64 = 48 << 20;
/// Late steps come within minutes, if they come at all.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// The steps of a trace with their facts, in order of recording, and the leaves of the first of them.
#[derive(Default)]
pub(in crate::facade) struct Kept {
    steps: Vec<(TraceStep, String)>,
    pub leaves: Vec<Digest>,
}

impl Kept {
    /// How many steps are known.
    pub fn known(&self) -> usize {
        self.steps.len()
    }

    /// Puts the steps that are known before those that were read.
    pub fn complete(&mut self, source: &mut SealSource) {
        if source.first == 0 {
            // What was known is not what is on record, or there was nothing.
            *self = Self::default();
            return;
        }
        let mut steps = std::mem::take(&mut self.steps);
        steps.truncate(source.first);
        steps.append(&mut source.steps);
        (source.steps, source.first) = (steps, 0);
    }
}

/// Somebody who seals a trace takes its steps out, and puts them back with what came.
struct Slot {
    bytes: u32,
    kept: Mutex<Option<Kept>>,
}

/// The memory of one process.
pub(in crate::facade) struct Memory(Cache<(TenantId, TraceId), Arc<Slot>>);

impl Default for Memory {
    fn default() -> Self {
        Self::of(BYTES_MAX)
    }
}

impl Memory {
    fn of(bytes_max: u64) -> Self {
        let weigh = |_: &(TenantId, TraceId), slot: &Arc<Slot>| slot.bytes;
        let cache = Cache::builder().weigher(weigh).max_capacity(bytes_max).time_to_idle(IDLE);
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    /// What is known of a trace; nobody else has it meanwhile.
    pub fn take(&self, tenant: &TenantId, trace_id: &TraceId) -> Kept {
        let slot = self.0.remove(&(tenant.clone(), trace_id.clone()));
        let kept = slot.and_then(|slot| slot.kept.lock().unwrap_or_else(PoisonError::into_inner).take());
        kept.unwrap_or_default()
    }

    /// Remembers the steps of a trace, all of which the source has, if they are many.
    pub fn keep(&self, source: SealSource, mut kept: Kept) {
        if source.steps.len() < STEPS_MIN {
            return;
        }
        kept.steps = source.steps;
        let bytes = u32::try_from(bytes(&kept)).unwrap_or(u32::MAX);
        let key = (source.trace.tenant_id.clone(), source.trace.record.trace_id);
        self.0.insert(key, Arc::new(Slot { bytes, kept: Mutex::new(Some(kept)) }));
        self.0.run_pending_tasks();
    }
}

fn bytes(kept: &Kept) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts = |(step, facts): &(TraceStep, String)| {
        let optional = [
            &step.parent_span_id,
            &step.outcome_code,
            &step.provider,
            &step.model,
            &step.response_id,
            &step.idempotency_key,
            &step.duplicate_of,
        ];
        step.span_id.len() + step.skill_name.len() + facts.len() + optional.into_iter().map(text).sum::<usize>()
    };
    kept.steps.len() * size_of::<(TraceStep, String)>()
        + kept.leaves.len() * size_of::<Digest>()
        + kept.steps.iter().map(texts).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::calls::tests::step;
    use crate::capture::input;
    use crate::domain::ids::RecordId;
    use crate::domain::input::TraceInput;
    use crate::domain::run::Stored;
    use crate::domain::settle::TraceSignals;
    use crate::domain::time::Timestamp;

    fn source(name: &str, steps: std::ops::Range<usize>) -> SealSource {
        let first = steps.start;
        let steps = steps.map(|number| step(&number.to_string(), None, "ai", None, 0)).collect();
        let began = Timestamp::default();
        let record = input::trace(TraceInput::default(), &TraceId::trusted(name), began).expect("a trace").trace;
        let id = RecordId(uuid::Uuid::from_u128(1));
        let trace = Stored { id, tenant_id: tenant(), seq: 0, created_at: began, record };
        SealSource { trace, steps, first, seal_revision: 0, run: None, signals: TraceSignals::default(), version: 1 }
    }

    fn tenant() -> TenantId {
        TenantId::trusted("acme")
    }

    #[test]
    fn what_is_new_is_put_behind_what_is_known() {
        let memory = Memory::default();
        let take = |name: &str| memory.take(&tenant(), &TraceId::trusted(name));
        memory.keep(source("t", 0..STEPS_MIN), Kept { leaves: vec![Digest([1; 32])], ..Kept::default() });
        let mut kept = take("t");
        assert_eq!((kept.known(), kept.leaves.len()), (STEPS_MIN, 1));
        assert_eq!(take("t").known(), 0, "somebody else has it");
        let mut late = source("t", STEPS_MIN..STEPS_MIN + 10);
        kept.complete(&mut late);
        assert_eq!((&late.steps, late.first), (&source("t", 0..STEPS_MIN + 10).steps, 0));
        memory.keep(late, kept);
        // What is on record is not what was known: it was read whole.
        let mut kept = take("t");
        let mut whole = source("t", 0..3);
        kept.complete(&mut whole);
        assert_eq!((whole.steps.len(), kept.known(), kept.leaves.len()), (3, 0, 0));
        memory.keep(whole, kept);
        assert_eq!(take("t").known(), 0, "few are not remembered");
        memory.keep(source("t", 0..STEPS_MIN), Kept::default());
        assert_eq!(memory.take(&TenantId::trusted("zeta"), &TraceId::trusted("t")).known(), 0, "nor another's");
    }

    #[test]
    fn what_was_sealed_longest_ago_is_forgotten_first() {
        let one = bytes(&Kept { steps: source("a", 0..STEPS_MIN).steps, ..Kept::default() });
        let memory = Memory::of(u64::try_from(one * 5 / 2).expect("few"));
        for name in ["a", "b", "c"] {
            memory.keep(source(name, 0..STEPS_MIN), Kept::default());
        }
        let known = ["a", "b", "c"].map(|name| memory.take(&tenant(), &TraceId::trusted(name)).known());
        assert_eq!(known, [0, STEPS_MIN, STEPS_MIN]);
    }
}
