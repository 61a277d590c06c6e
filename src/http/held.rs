//! Answers that count in their caller's budget of bytes until the last of them has left: who asks and does not read takes
//! from what is theirs.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::body::Share;
use crate::error::Error;

/// Room for an answer to begin with; a page of runs with steps has some 100 kB.
pub(super) const ANSWER_BYTES: usize = 32 << 10;
/// Bytes that are handed over, and compressed, at once: under a millisecond.
pub(super) const CHUNK_BYTES: usize = 32 << 10;

/// Takes what an answer has beyond the [`ANSWER_BYTES`] that its share has taken.
///
/// # Errors
/// `UNAVAILABLE` with a time to wait when the caller has too much to read already.
pub(super) fn grow(share: &mut Share, bytes: usize) -> Result<(), Error> {
    share.grow(bytes.saturating_sub(ANSWER_BYTES))
}

/// An answer with what it takes of its caller's budget.
struct Held {
    bytes: Vec<u8>,
    /// Given back when no byte is held any more, by whoever sends them either.
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of an answer. A long one goes out in pieces, with turns of others between them: whoever compresses it takes a
/// piece at a time.
pub(super) fn body(bytes: Vec<u8>, share: Share) -> Body {
    let bytes = Bytes::from_owner(Held { bytes, _share: share });
    if bytes.len() <= CHUNK_BYTES {
        return Body::from(bytes);
    }
    // Fused: the compression asks once more after the end.
    let pieces = stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::task::yield_now().await;
        let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
        Some((Ok::<_, Infallible>(chunk), rest))
    });
    Body::from_stream(pieces.fuse())
}
