//! From a body that has arrived to what is on record, alike for HTTP and gRPC. A small request is worked on where it is
//! served, a large one by threads of its own; both when it is their tenant's turn, and charged for what they hold.

use super::super::body::{Arrived, Refused};
use super::super::current;
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
    if arrived.is_light()? {
        let _turn = state.turn(&scope.tenant, false).await?;
        return work::<S>(state, scope, encoding, arrived).await;
    }
    let turn = state.turn(&scope.tenant, true).await?;
    let (owned, current) = (state.clone(), current::current());
    let work = async move {
        let _turn = turn;
        let work = work::<S>(&owned, scope, encoding, arrived);
        match current {
            Some(current) => current.serve(work).await,
            None => work.await,
        }
    };
    state.bulk().run(work).await?
}

async fn work<S: Exported>(
    state: &HttpState,
    scope: Scope,
    encoding: OtlpEncoding,
    arrived: Arrived,
) -> Result<Option<Partial>, Refused> {
    let body = arrived.unpack()?;
    let mut share = body.share.another();
    let admit = |bytes| share.grow(usize::try_from(bytes).unwrap_or(usize::MAX));
    let message = decode_otlp_if::<S>(encoding, &body.bytes, admit)?;
    drop(body);
    Ok(S::ingest(state.backend(), scope, message).await?)
}
