//! Digests of content that came as log events, put where the content of a span itself would have gone.
//!
//! A step whose span bears content of a side keeps that digest. Otherwise it takes that of the log events of its span: of
//! several kinds of content the one that ranks first (`gen_ai.input.messages` before single messages). One event's digest
//! is of its text as it was sent, so that `contentDigest` gives the same; of several events (a message each) it is the
//! keyed digest of their digests in hex, in order of time, with a comma between them: the texts themselves are gone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;

use super::digest::ContentHasher;
use crate::domain::draft::SealSource;
use crate::domain::ids::{Digest, TraceId};
use crate::domain::span_content::{ContentSide, SpanContent};
use crate::domain::trace::TraceStep;

/// Fills in the hashes that a step lacks. The contents are those of its span, in order of side, rank, instant and digest.
pub fn fill(hasher: &ContentHasher, step: &mut TraceStep, contents: &[SpanContent]) {
    step.input_hash = step.input_hash.or_else(|| digest(hasher, contents, ContentSide::Input));
    step.output_hash = step.output_hash.or_else(|| digest(hasher, contents, ContentSide::Output));
}

/// A trace with the hashes that its steps lack: for the run only. What is on record of the steps stays as it is, and so does
/// the root over them, which the caller computes from the trace as it was.
#[must_use]
pub fn fill_source<'s, S: BuildHasher>(
    hasher: &ContentHasher,
    source: &'s SealSource,
    contents: &HashMap<(TraceId, String), Vec<SpanContent>, S>,
) -> Cow<'s, SealSource> {
    let of = |step: &TraceStep| contents.get(&(step.trace_id.clone(), step.span_id.clone()));
    if contents.is_empty() || !source.steps.iter().any(|(step, _)| of(step).is_some()) {
        return Cow::Borrowed(source);
    }
    let mut filled = source.clone();
    for (step, _) in &mut filled.steps {
        if let Some(contents) = of(step) {
            fill(hasher, step, contents);
        }
    }
    Cow::Owned(filled)
}

fn digest(hasher: &ContentHasher, contents: &[SpanContent], side: ContentSide) -> Option<Digest> {
    let mut of_side = contents.iter().filter(|content| content.side == side).peekable();
    let rank = of_side.peek()?.rank;
    let digests: Vec<Digest> =
        of_side.take_while(|content| content.rank == rank).map(|content| content.digest).collect();
    match digests.as_slice() {
        [digest] => Some(*digest),
        several => {
            let hex: Vec<String> = several.iter().map(|digest| digest.to_hex()).collect();
            Some(hasher.digest(&hex.join(",")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn content(side: ContentSide, rank: i64, at: i64, byte: u8) -> SpanContent {
        SpanContent {
            trace_id: TraceId::trusted("t"),
            span_id: "s".to_owned(),
            side,
            rank,
            at: Timestamp::from_micros_clamped(at),
            digest: Digest([byte; 32]),
        }
    }

    #[test]
    fn the_first_rank_counts_and_several_digests_become_one() {
        let hasher = ContentHasher::new(&[0; 32]);
        let of = |contents: &[SpanContent]| digest(&hasher, contents, ContentSide::Input);
        let alone = [content(ContentSide::Input, 0, 1, 7), content(ContentSide::Input, 200, 0, 8)];
        assert_eq!(of(&alone), Some(Digest([7; 32])));
        let two = [content(ContentSide::Input, 200, 1, 7), content(ContentSide::Input, 200, 2, 8)];
        assert_eq!(of(&two), Some(hasher.digest(&format!("{},{}", "07".repeat(32), "08".repeat(32)))));
        assert_eq!(of(&[content(ContentSide::Output, 0, 1, 7)]), None);
    }
}
