//! Erasure: the one mutation that takes something out of the ledger, and says so in it.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::domain::ids::RecordId;
use crate::error::{Code, Error};
use crate::graphql::ledger::entries::LedgerEvent;
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::PayloadPart;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::row::Row;

/// What erasePayload takes.
#[derive(InputObject)]
pub struct ErasePayloadInput {
    /// The record that the payload belongs to. An identifier: it is not redacted.
    record_id: ID,
    /// Which of its payloads.
    part: PayloadPart,
    /// Why it is erased, 1 to 512 bytes. It stays in the ledger for ever: name no person in it. Redacted.
    reason: String,
}

/// What erasePayload gives.
#[derive(SimpleObject)]
pub struct ErasePayloadPayload {
    /// The record of the erasure. Null with an error where something that is selected of it cannot be read: the payload is
    /// erased either way.
    event: Option<Row<LedgerEvent>>,
    /// The receipt of that record, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
}

/// Writes about the ledger itself.
#[derive(Default)]
pub struct LedgerMutations;

#[Object]
impl LedgerMutations {
    /// Deletes a payload for good, with the salt that its commitment was made with, and records who did it and why. The
    /// record itself, its leaf and every proof stay as they are; fields that showed the payload read null. Needs the scope
    /// admin.
    async fn erase_payload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which payload, and why.")] input: ErasePayloadInput,
    ) -> ApiResult<ErasePayloadPayload> {
        let facade = ctx.facade()?;
        let missing = || Error::new(Code::NotFound, "there is no record with this recordId");
        let (kind, record) = RecordId::parse_typed(&input.record_id.0).ok_or_else(missing)?;
        let event = facade.erase_payload(kind, record, input.part.into(), &input.reason).await?;
        let receipt = Receipt(Some(event.id));
        Ok(ErasePayloadPayload { receipt, event: Some(Row(LedgerEvent(event))) })
    }
}
