//! Idempotency keys: a request under a key is carried out once, and answered as the first time ever after.
//!
//! The key is claimed in the transaction that writes the records, so a crash leaves both or neither, and the writer looks at
//! the claims before it looks at anything else. What is judged before that, on records that are there already, may have been
//! judged against the records of the same request, sent a moment ago: so where it ends in a conflict the key is looked at again.

use std::future::Future;

use super::super::LogsFacade;
use crate::capture::request::request_hash;
use crate::domain::append::{CALLERS_ACCESS_KEYS, CALLERS_KEYS, FirstAnswer, IdempotencyClaim};
use crate::domain::ids::{Digest, RecordId, check_name};
use crate::domain::input::IdempotencyKey;
use crate::error::{Code, Error, Result};

/// What is kept under an idempotency key: enough to find the records of the first answer.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
    /// The record of the trace's beginning, where the request wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seal: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<uuid::Uuid>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<uuid::Uuid>,
    /// Who asked first. To be told the answer again is a read for anybody else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
}

impl Answer {
    /// The records that it names.
    fn record_ids(&self) -> impl Iterator<Item = RecordId> {
        let one = [self.run, self.trace, self.seal].into_iter().flatten();
        one.chain(self.steps.iter().copied()).chain(self.records.iter().copied()).map(RecordId)
    }
}

/// A mutation's idempotency key with the hash of its request.
#[derive(Clone)]
pub(super) struct KeyedRequest {
    space: &'static str,
    operation: &'static str,
    key: String,
    request_hash: Digest,
    /// Who asks.
    by: String,
}

/// The first answer to a request, as it was kept.
pub(super) struct First {
    pub answer: Answer,
    /// The record that was there before, by the place of its record in the request, and whether it differed.
    pub existing: Vec<(usize, RecordId, bool)>,
}

impl KeyedRequest {
    /// Whether the request begins the trace that its answer names.
    pub fn begins_trace(&self) -> bool {
        matches!(self.operation, "recordLlmRun" | "recordTrace" | "startTrace")
    }

    /// The same for the part of the request that goes into the access log.
    pub fn of_access(self) -> Self {
        Self { space: CALLERS_ACCESS_KEYS, ..self }
    }

    /// The claim that goes into the transaction of the records: two requests at once cannot both be the first.
    pub fn claim(self, answer: &Answer) -> Result<IdempotencyClaim> {
        let Self { space, operation, key, request_hash, by } = self;
        let answer = Answer { by: Some(by), ..answer.clone() };
        let answer = serde_json::to_string(&answer).map_err(Error::internal)?;
        Ok(IdempotencyClaim { space, operation, key, request_hash, answer })
    }
}

impl LogsFacade {
    /// What a caller's idempotency key stands for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a key that is no name.
    pub(super) async fn keyed(
        &self,
        operation: &'static str,
        idempotency: Option<&IdempotencyKey>,
    ) -> Result<Option<KeyedRequest>> {
        let Some(IdempotencyKey { key, sent }) = idempotency else { return Ok(None) };
        check_name("idempotencyKey", key)?;
        let context = self.capture_context().await?;
        let request_hash = request_hash(&context.content_key, operation, sent)?;
        Ok(Some(KeyedRequest { space: CALLERS_KEYS, operation, key: key.clone(), request_hash, by: self.asker() }))
    }

    /// Carries a request out, once under its key: where it was carried out before, `replay` makes the answer of the first.
    ///
    /// # Errors
    /// `CONFLICT` where the key was used for something else; else as `write` says.
    pub(super) async fn once<T>(
        &self,
        keyed: Option<&KeyedRequest>,
        replay: impl Fn(First) -> Result<T>,
        write: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(keyed) = keyed else { return write.await };
        if let Some(first) = self.first(keyed).await? {
            return replay(first);
        }
        match write.await {
            Err(error) if error.code() == Code::Conflict => match self.first(keyed).await? {
                Some(first) => replay(first),
                None => Err(error),
            },
            written => written,
        }
    }

    /// The first answer under a key, where it was used.
    pub(super) async fn first(&self, keyed: &KeyedRequest) -> Result<Option<First>> {
        let KeyedRequest { space, operation, key, request_hash, .. } = keyed;
        let Some(claimed) = self.store().claimed(&self.scope, space, key).await? else { return Ok(None) };
        self.first_answer(claimed.answer_to(operation, key, *request_hash)?).map(Some)
    }

    /// The answer that a key stands for. Whoever asked first is told of their own records again.
    pub(super) fn first_answer(&self, kept: &FirstAnswer) -> Result<First> {
        let answer: Answer = serde_json::from_str(&kept.text).map_err(Error::internal)?;
        if answer.by.as_deref() == Some(self.asker().as_str()) {
            self.audit.wrote(answer.record_ids());
        }
        let existing = kept.existing.iter().map(|record| (record.place, RecordId(record.id), record.differs)).collect();
        Ok(First { answer, existing })
    }

    /// Who asks, as one text.
    fn asker(&self) -> String {
        format!("{} {}", self.scope.actor.actor_type.as_str(), self.scope.actor.id)
    }
}
