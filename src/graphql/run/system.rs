//! The platform around a run: the environment it began in, what affected it, and what happened at its decisive moment.

use async_graphql::{Context, ID, Object};

use crate::domain::evidence;
use crate::domain::run::StoredRun;
use crate::domain::system::StoredSystemRecord;
use crate::facade::system;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{InflectionRule, SystemComponent, SystemEventType, SystemSeverity};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json};
use crate::graphql::system::telemetry_series::SystemTelemetry;
use crate::graphql::system::{SystemRecord, details};

/// The platform around a run.
pub struct RunSystem(pub StoredRun);

/// The platform around a run: the environment it began in, metrics of its service, and what happened while it ran.
#[Object]
impl RunSystem {
    /// The newest of snapshots: the last change of the environment before the run began. Null when none is on record.
    async fn snapshot(&self, ctx: &Context<'_>) -> Maybe<Row<SystemSnapshot>> {
        let newest = |snapshots: Vec<Row<SystemSnapshot>>| {
            // Of equals the first component in the order of the vocabulary.
            snapshots.into_iter().rev().max_by_key(|snapshot| snapshot.record.occurred_at)
        };
        Maybe::of(self.load_snapshots(ctx).await.map(newest))
    }

    /// The environment that the run began in: of each component of the platform the newest STARTUP, RESTART, DEPLOY,
    /// CONFIG_CHANGE or MIGRATION record at or before the run's start, the tenant's own or one of the whole platform.
    /// Where the run names its service instance, records of other instances do not count. Empty when none is on record.
    async fn snapshots(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<SystemSnapshot>>> {
        self.load_snapshots(ctx).await
    }

    /// Metrics of the run's own service from 30 seconds before its start to 30 seconds after its end.
    async fn telemetry(&self, ctx: &Context<'_>) -> ApiResult<Row<SystemTelemetry>> {
        let telemetry = ctx.facade()?.run_telemetry(&self.0).await?;
        Ok(Row(SystemTelemetry { run: self.0.clone(), telemetry }))
    }

    /// What affected the run: records that are correlated with it, and records of severity WARN or above while it ran.
    async fn events(&self, ctx: &Context<'_>) -> ApiResult<Row<SystemEvents>> {
        let (events, is_truncated) = ctx.facade()?.run_system_events(&self.0).await?;
        Ok(Row(SystemEvents { run: self.0.clone(), events, is_truncated }))
    }

    /// What happened to the platform around the decisive moment of the run.
    async fn replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 60, desc = "How wide the window is, 1 to 600 seconds; the moment lies in its middle.")]
        window_seconds: i32,
    ) -> ApiResult<Row<SystemReplay>> {
        let replay = ctx.facade()?.run_system_replay(&self.0, window_seconds.into()).await?;
        Ok(Row(SystemReplay { run: self.0.clone(), replay }))
    }
}

impl RunSystem {
    async fn load_snapshots(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<SystemSnapshot>>> {
        let records = ctx.facade()?.run_baseline(&self.0).await?;
        Ok(records.into_iter().map(|record| Row(SystemSnapshot { run: self.0.clone(), record })).collect())
    }
}

/// One component of a run's environment.
pub struct SystemSnapshot {
    run: StoredRun,
    record: StoredSystemRecord,
}

/// One component of the platform as it was when a run began: the last change of it that is on record.
#[Object]
impl SystemSnapshot {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.run.run_id.to_string())
    }

    /// The part of the platform.
    fn component(&self) -> SystemComponent {
        self.record.component.into()
    }

    /// The last change.
    fn event_type(&self) -> SystemEventType {
        self.record.event_type.into()
    }

    /// How bad it was.
    fn severity(&self) -> SystemSeverity {
        self.record.severity.into()
    }

    /// What was changed in one line, redacted.
    fn summary(&self) -> &str {
        &self.record.summary
    }

    /// Anything else that is known of the change, redacted. Null when nothing was recorded or it was erased. Needs the
    /// scope payloads:read.
    async fn details(&self, ctx: &Context<'_>) -> Maybe<Json> {
        Maybe::of(details(ctx, &self.record).await)
    }

    /// When the change happened: at or before the start of the run.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.record.occurred_at)
    }

    /// When the change was recorded.
    fn created_at(&self) -> DateTime {
        DateTime(self.record.created_at)
    }

    /// The record of the change.
    fn record(&self) -> Row<SystemRecord> {
        self.record.clone().into()
    }

    /// Who, what, when and from where, for use as evidence.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_system_record(&self.record, Some(&self.run)))
    }
}

columns!(SystemSnapshot {
    "runId" => run_id, "component" => component, "eventType" => event_type, "severity" => severity,
    "summary" => summary, "occurredAt" => occurred_at, "createdAt" => created_at, "record" => record,
    "metadata" => metadata,
});

/// What affected a run.
pub struct SystemEvents {
    run: StoredRun,
    events: Vec<StoredSystemRecord>,
    is_truncated: bool,
}

/// What affected a run.
#[Object]
impl SystemEvents {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.run.run_id.to_string())
    }

    /// The tenant's records whose correlationId is the run's runId or traceId, and the tenant's and the platform's records
    /// of severity WARN or CRITICAL from the start of the run to its end, both included. In order of time; at most 200.
    fn events(&self) -> Vec<Row<SystemRecord>> {
        self.events.iter().cloned().map(Into::into).collect()
    }

    /// Whether there are more than are shown.
    fn truncated(&self) -> bool {
        self.is_truncated
    }

    /// When the newest of them happened and was recorded; null when there is none.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        let (tenant, run) = (&self.run.tenant_id, Some(&*self.run));
        metadata(evidence::EvidenceMetadata::of_system_answer(tenant, run, &self.events))
    }
}

columns!(SystemEvents { "runId" => run_id, "events" => events, "truncated" => truncated, "metadata" => metadata });

/// What happened around the decisive moment of a run.
pub struct SystemReplay {
    run: StoredRun,
    replay: system::SystemReplay,
}

/// What happened to the platform around the decisive moment of a run.
#[Object]
impl SystemReplay {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.run.run_id.to_string())
    }

    /// The decisive moment.
    fn inflection_timestamp(&self) -> DateTime {
        DateTime(self.replay.inflection.at)
    }

    /// The rule that found the decisive moment.
    fn inflection_rule(&self) -> InflectionRule {
        self.replay.inflection.rule.into()
    }

    /// The first instant of the window.
    fn window_start(&self) -> DateTime {
        DateTime(self.replay.window.from())
    }

    /// The first instant after the window.
    fn window_end(&self) -> DateTime {
        DateTime(self.replay.window.to())
    }

    /// The tenant's and the platform's records of what happened in the window. In order of time; at most 1,000.
    fn events(&self) -> Vec<Row<SystemRecord>> {
        self.replay.events.iter().cloned().map(Into::into).collect()
    }

    /// Whether there are more than are shown.
    fn truncated(&self) -> bool {
        self.replay.is_truncated
    }

    /// When the newest of them happened and was recorded; null when there is none.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        let (tenant, run) = (&self.run.tenant_id, Some(&*self.run));
        metadata(evidence::EvidenceMetadata::of_system_answer(tenant, run, &self.replay.events))
    }
}

columns!(SystemReplay {
    "runId" => run_id, "inflectionTimestamp" => inflection_timestamp, "inflectionRule" => inflection_rule, "windowStart" => window_start,
    "windowEnd" => window_end, "events" => events, "truncated" => truncated, "metadata" => metadata,
});
