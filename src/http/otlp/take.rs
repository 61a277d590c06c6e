//! From a body that has arrived to what is on record, alike for HTTP and gRPC. A small request is read where it is served, a
//! large one by threads of its own; both when it is their tenant's turn, and charged for what they hold. What waits for the
//! database does so where requests are served, whatever the request: connections belong to who opened them.

use super::super::body::{Arrived, Refused, Share};
use super::super::state::HttpState;
use super::signals::{Exported, Partial};
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::facade::capture::{OtlpEncoding, decode_otlp_if};

/// Takes a request.
pub(super) async fn take<S: Exported>(
    state: &HttpState,
    scope: Scope,
    encoding: OtlpEncoding,
    mut arrived: Arrived,
) -> Result<Option<Partial>, Refused> {
    let is_bulk = !arrived.is_light()?;
    let _turn = state.turn(&scope.tenant, is_bulk).await?;
    let (message, _share) = if is_bulk {
        state.bulk().run(move || read::<S>(encoding, arrived)).await??
    } else {
        read::<S>(encoding, arrived)?
    };
    Ok(S::ingest(state.backend(), scope, message).await?)
}

/// Unpacks, counts and decodes a request; with what it takes of the budget, to be held for as long as it is.
fn read<S: Exported>(encoding: OtlpEncoding, arrived: Arrived) -> Result<(S, Share), Refused> {
    let body = arrived.unpack()?;
    let mut share = body.share.another();
    let admit = |bytes| share.grow(usize::try_from(bytes).unwrap_or(usize::MAX));
    let message = decode_otlp_if::<S>(encoding, &body.bytes, admit)?;
    Ok((message, share))
}
