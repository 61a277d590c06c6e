//! Attribution: who or what caused which change of the infrastructure.

use async_graphql::{Context, ID, Object};

use crate::domain::evidence;
use crate::domain::ids::{IdKind, TenantId};
use crate::domain::system::StoredSystemRecord;
use crate::graphql::shared::connection::{Connection, Count, PageInfo};
use crate::graphql::shared::enums::{ActorType, SystemCausedBy, SystemComponent, SystemEventType};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json};
use crate::graphql::system::{SystemRecord, SystemRecordList};

/// A page of changes.
pub struct SystemAudit {
    /// Whose log they stand in.
    pub tenant: TenantId,
    /// The page.
    pub page: Row<Connection<SystemRecordList>>,
}

/// Changes of the infrastructure, each with who or what caused it.
#[Object]
impl SystemAudit {
    /// The changes of this page.
    fn items(&self) -> Vec<Row<SystemChange>> {
        self.page.items().map(|record| Row(SystemChange(record.0.clone()))).collect()
    }

    /// Where this page lies among all changes.
    fn page_info(&self, ctx: &Context<'_>) -> Row<PageInfo> {
        self.page.page_info(ctx)
    }

    /// How many changes the filter selects on all pages together. Counted only when this field is selected.
    async fn total_count(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default = 10_000,
            desc = "Where counting stops, 1 to 1,000,000. With more changes than this the value is the cap, and isExact is \
                    false."
        )]
        cap: i32,
    ) -> ApiResult<Count> {
        self.page.counted(ctx, cap).await
    }

    /// The filter that was given, as JSON. An empty object when there was none.
    fn filters_applied(&self, ctx: &Context<'_>) -> Json {
        self.page.filters_applied(ctx)
    }

    /// When the newest change of this page happened and was recorded; null when there is none.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        let records: Vec<StoredSystemRecord> = self.page.items().map(|record| record.0.clone()).collect();
        metadata(evidence::EvidenceMetadata::of_system_answer(&self.tenant, None, &records))
    }
}

columns!(SystemAudit { "items" => items, "pageInfo" => page_info, "filtersApplied" => filters_applied, "metadata" => metadata });

/// One change.
pub struct SystemChange(pub StoredSystemRecord);

/// A change of the infrastructure, and who or what caused it.
#[Object]
impl SystemChange {
    /// The id of the record of the change, for node. Opaque.
    fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::System))
    }

    /// What was done.
    fn event_type(&self) -> SystemEventType {
        self.0.event_type.into()
    }

    /// The part of the platform that it was done to.
    fn component(&self) -> SystemComponent {
        self.0.component.into()
    }

    /// The service that it was done to. Null when it is not known.
    fn service_name(&self) -> Option<&str> {
        self.0.service_name.as_deref()
    }

    /// What kind of cause it had. Null when nobody said.
    fn caused_by(&self) -> Option<SystemCausedBy> {
        self.0.caused_by.map(Into::into)
    }

    /// What kind of actor did it. Null when nobody said.
    fn actor_type(&self) -> Option<ActorType> {
        self.0.actor_type.map(Into::into)
    }

    /// Who did it, as the writer names them; not redacted. Null when nobody said.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
    }

    /// What was done in one line, redacted.
    fn summary(&self) -> &str {
        &self.0.summary
    }

    /// When it was done.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// When it was recorded.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// The record of the change.
    fn record(&self) -> Row<SystemRecord> {
        self.0.clone().into()
    }
}

columns!(SystemChange {
    "id" => id, "eventType" => event_type, "component" => component, "serviceName" => service_name,
    "causedBy" => caused_by, "actorType" => actor_type, "actorId" => actor_id, "summary" => summary,
    "occurredAt" => occurred_at, "createdAt" => created_at, "record" => record,
});
