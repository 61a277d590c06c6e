//! Digests of content that came as log events, until the step or the run takes them.

use std::collections::HashMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set};

use super::Store;
use super::convert::decode_in_turns;
use super::scoped::{any_text, scoped};
use crate::domain::ids::{TenantId, TraceId};
use crate::domain::span_content::SpanContent;
use crate::entity::span_content;
use crate::error::Result;

/// Rows of one statement: eight values each, far below SQLite's 32,766 parameters.
const ROWS_OF_A_STATEMENT: usize = 1_000;
/// Most contents that are read of the traces of one batch.
const CONTENTS_MAX: u64 = 20_000;

/// Contents by trace and span, in order of side, rank, instant and digest.
pub type SpanContents = HashMap<(TraceId, String), Vec<SpanContent>>;

impl Store {
    /// Keeps digests; those that are kept already stay as they are. Answers after commit.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn keep_span_contents(&self, tenant: &TenantId, contents: &[SpanContent]) -> Result<()> {
        let now = self.clock().now().as_micros();
        for contents in contents.chunks(ROWS_OF_A_STATEMENT) {
            let rows = contents.iter().map(|content| span_content::ActiveModel {
                tenant_id: Set(tenant.as_str().to_owned()),
                trace_id: Set(content.trace_id.as_str().to_owned()),
                span_id: Set(content.span_id.clone()),
                side: Set(content.side.as_str().to_owned()),
                rank: Set(content.rank),
                at: Set(content.at.as_micros()),
                digest: Set(content.digest.0.to_vec()),
                received_at: Set(now),
            });
            let insert = span_content::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
            self.db().change(insert.build(self.db().backend)).await?;
        }
        Ok(())
    }

    /// Whether any digest of the tenant waits.
    ///
    /// # Errors
    /// As for [`Self::span_contents`].
    pub async fn has_span_contents(&self, tenant: &TenantId) -> Result<bool> {
        let select = scoped::<span_content::Entity>(tenant)
            .select_only()
            .column(span_content::Column::ReceivedAt)
            .order_by_asc(span_content::Column::ReceivedAt)
            .limit(1);
        Ok(!self.db().rows(select.build(self.db().backend)).await?.is_empty())
    }

    /// The digests of the spans of some traces.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn span_contents(&self, tenant: &TenantId, trace_ids: &[TraceId]) -> Result<SpanContents> {
        use span_content::Column as C;
        let names = trace_ids.iter().map(TraceId::as_str);
        let select = scoped::<span_content::Entity>(tenant)
            .filter(any_text(self.db().backend, C::TraceId.into_expr(), names)?)
            .order_by_asc(C::TraceId)
            .order_by_asc(C::SpanId)
            .order_by_asc(C::Side)
            .order_by_asc(C::Rank)
            .order_by_asc(C::At)
            .order_by_asc(C::Digest)
            .limit(CONTENTS_MAX);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let contents = decode_in_turns(rows, "span_content", |columns| {
            columns.skip(1);
            Ok(SpanContent {
                trace_id: TraceId::trusted(columns.take::<&str>()?),
                span_id: columns.take()?,
                side: columns.field()?,
                rank: columns.take()?,
                at: columns.field()?,
                digest: columns.field()?,
            })
        })
        .await?;
        let mut by_span = SpanContents::new();
        for content in contents {
            by_span.entry((content.trace_id.clone(), content.span_id.clone())).or_default().push(content);
        }
        Ok(by_span)
    }
}
