//! What the demo tells around its real runs: a deploy and a change of settings, a policy that is tightened, a run that it
//! blocks, the incident of that, and two people who look into it. Every record goes through the use cases that callers
//! have, by people and programs that are made up.

use serde_json::json;

use super::demo_metrics;
use super::demo_rules::{INCIDENT, POLICY, activations, entries, incident};
use crate::app::AppError;
use crate::domain::filter::{LlmRunFilter, LlmRunOrder, TraceFilter, TraceOrder};
use crate::domain::ids::{IdKind, TenantId};
use crate::domain::input::AuditEntryInput;
use crate::domain::page::PageRequest;
use crate::domain::payload::PayloadPart;
use crate::domain::run::StoredRun;
use crate::domain::scope::{Actor, Permission, Permissions, Scope};
use crate::domain::system::SystemRecordInput;
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::domain::trace::{StepFilter, StoredStep};
use crate::domain::vocabulary::{
    ActorType, StepKind, StepStatus, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity, TraceStatus,
};
use crate::facade::access::AuditedRequest;
use crate::facade::audit::{RunNames, StoredAuditEntry};
use crate::facade::capture::SystemRecordResult;
use crate::facade::{Logs, LogsFacade};
use crate::http::auth::DEMO_TENANT;

/// Runs that are looked through for the one that the story is about.
const RUNS_MAX: u32 = 200;
pub(super) const MINUTE_US: i64 = 60 * MICROS_PER_SECOND;

/// Somebody of the story.
#[derive(Clone, Copy)]
pub(super) struct Character {
    pub(super) actor_type: ActorType,
    pub(super) id: &'static str,
}

/// The demo itself.
pub(super) const PROGRAM: Character = Character { actor_type: ActorType::System, id: "demo" };
pub(super) const OPERATOR: Character = Character { actor_type: ActorType::Human, id: "jo.park" };
pub(super) const AUDITOR: Character = Character { actor_type: ActorType::Human, id: "ines.weber" };

impl Character {
    /// The use cases for one request of somebody who may do everything.
    pub(super) fn facade(self, logs: &Logs) -> Result<LogsFacade, AppError> {
        self.facade_with(logs, Permissions::all_of_tenant())
    }

    fn facade_with(self, logs: &Logs, permissions: Permissions) -> Result<LogsFacade, AppError> {
        let actor = Actor { actor_type: self.actor_type, id: self.id.to_owned() };
        Ok(logs.facade(Scope { tenant: TenantId::parse(DEMO_TENANT)?, actor, permissions }))
    }
}

/// The run that the story is about, and the step that was blocked.
pub(super) struct Blocked {
    pub(super) run: StoredRun,
    pub(super) step: StoredStep,
}

/// Tells the story. The runs are sealed.
pub(super) async fn tell(logs: &Logs, now: Timestamp) -> Result<(), AppError> {
    let demo = PROGRAM.facade(logs)?;
    let blocked = demo.loads().drive(Box::pin(find(&demo))).await?;
    // The story was looked up by a program: that is on record too.
    demo.audit().close(&AuditedRequest::new(Some("demo".to_owned()), "demo", b"")).await?;
    Box::pin(cancel_open(logs)).await?;
    let demo = PROGRAM.facade(logs)?;
    system(&demo, &blocked.run).await?;
    let report = demo.ingest_otlp_metrics(demo_metrics::of_run(&blocked.run)?).await?;
    if report.rejected > 0 {
        return Err(AppError::new(format!("a demo metric was refused: {}", report.message.unwrap_or_default())));
    }
    for activation in activations(&blocked) {
        demo.record_policy_activation(activation, None).await?;
    }
    let entries = append(&demo, entries(&blocked, now)).await?;
    for revision in incident(&blocked, now) {
        demo.record_incident_evidence(revision, None).await?;
    }
    identity(logs, &entries).await?;
    reads(logs, &blocked.run).await
}

/// The newest run with a tool that failed: in the story it failed because it was blocked.
async fn find(demo: &LogsFacade) -> Result<Blocked, AppError> {
    let (filter, order) = (LlmRunFilter::default(), LlmRunOrder::default());
    let runs = demo.list_llm_runs(&filter, order, &PageRequest::first(RUNS_MAX), None).await?;
    let failed_tool = StepFilter { kinds: vec![StepKind::Tool], statuses: vec![StepStatus::Failure] };
    for run in runs.rows.into_iter().map(|row| row.item).filter(|run| run.service_instance_id.is_some()) {
        let Some(trace_id) = &run.trace_id else { continue };
        let steps = demo.list_trace_steps(trace_id, &failed_tool, &PageRequest::first(1)).await?;
        if let Some(row) = steps.rows.into_iter().next() {
            return Ok(Blocked { run, step: StoredStep::clone(&row.item) });
        }
    }
    Err(AppError::new("no run of the demo has a tool that failed"))
}

/// A trace whose root was never sent stays open: somebody cancels it.
async fn cancel_open(logs: &Logs) -> Result<(), AppError> {
    let operator = OPERATOR.facade(logs)?;
    operator.enter("traces")?;
    let filter = TraceFilter { statuses: Some(vec![TraceStatus::Running]), ..TraceFilter::default() };
    let open = operator.list_traces(&filter, TraceOrder::default(), &PageRequest::first(RUNS_MAX), None).await?;
    for trace in open.rows.into_iter().map(|row| row.item.trace.clone()) {
        let reason = Some("its root never arrived: cancelled by hand".to_owned());
        let abort = operator.abort_trace(trace.trace_id.clone(), reason, None);
        Box::pin(operator.loads().drive(abort)).await?;
    }
    let query = "query OpenTraces { traces(filter: { status: [RUNNING] }) { nodes { traceId } } }";
    Ok(operator.audit().close(&AuditedRequest::new(Some("OpenTraces".to_owned()), query, b"")).await?)
}

/// What happened to the run's service: before the run, while it ran, and just after.
fn happened(run: &StoredRun) -> Vec<SystemRecordInput> {
    let (start, end) = (run.started_at, run.completed_at.unwrap_or(run.started_at));
    let middle = start.plus_micros(end.since(start) / 2);
    let base = |component, event_type, summary: &str, occurred_at| SystemRecordInput {
        component,
        event_type,
        severity: None,
        summary: summary.to_owned(),
        caused_by: Some(SystemCausedBy::Automation),
        actor_type: Some(ActorType::System),
        actor_id: Some("deployer".to_owned()),
        correlation_id: None,
        service_name: run.service_name.clone(),
        service_instance_id: run.service_instance_id.clone(),
        source_component: Some("deployer".to_owned()),
        occurred_at: Some(occurred_at),
        details: None,
    };
    let before = |minutes: i64| start.plus_micros(-minutes * MINUTE_US);
    vec![
        SystemRecordInput {
            details: Some(json!({ "version": run.service_version, "strategy": "rolling", "replicas": 2 })),
            ..base(
                SystemComponent::Worker,
                SystemEventType::Deploy,
                "new version of the agents rolled out",
                before(240),
            )
        },
        base(SystemComponent::Db, SystemEventType::Migration, "index on conversations added", before(238)),
        SystemRecordInput {
            caused_by: Some(SystemCausedBy::Human),
            actor_type: Some(ActorType::Human),
            actor_id: Some(OPERATOR.id.to_owned()),
            details: Some(json!({ "tool_allowlist": { "mode": "enforce", "was": "warn" } })),
            ..base(
                SystemComponent::Api,
                SystemEventType::ConfigChange,
                "tool allowlist: from warn to enforce",
                before(8),
            )
        },
        SystemRecordInput {
            severity: Some(SystemSeverity::Warn),
            caused_by: Some(SystemCausedBy::System),
            correlation_id: Some(run.run_id.as_str().to_owned()),
            details: Some(json!({ "policy_id": POLICY, "queue_depth": 41 })),
            ..base(SystemComponent::Worker, SystemEventType::Other, "tool calls wait for the policy engine", middle)
        },
        SystemRecordInput {
            severity: Some(SystemSeverity::Critical),
            caused_by: Some(SystemCausedBy::System),
            correlation_id: Some(run.run_id.as_str().to_owned()),
            ..base(
                SystemComponent::Worker,
                SystemEventType::Error,
                "an agent gave up after a tool was blocked",
                end.plus_micros(MICROS_PER_SECOND),
            )
        },
        base(
            SystemComponent::Worker,
            SystemEventType::Restart,
            "worker restarted",
            end.plus_micros(12 * MICROS_PER_SECOND),
        ),
    ]
}

async fn system(demo: &LogsFacade, run: &StoredRun) -> Result<(), AppError> {
    for result in demo.record_system_records(happened(run).into_iter().map(Ok).collect(), false, None).await?.results {
        if let SystemRecordResult::Rejected(error) = result {
            return Err(error.into());
        }
    }
    Ok(())
}

async fn append(demo: &LogsFacade, entries: Vec<AuditEntryInput>) -> Result<Vec<StoredAuditEntry>, AppError> {
    let results = demo.append_audit_entries(entries.into_iter().map(Ok).collect(), None).await?.results;
    Ok(results.into_iter().collect::<Result<_, _>>()?)
}

/// A key comes and goes, somebody is refused, and what a person's entry said of them is erased.
async fn identity(logs: &Logs, entries: &[StoredAuditEntry]) -> Result<(), AppError> {
    let operator = OPERATOR.facade(logs)?;
    let scopes = [Permission::RunsRead, Permission::AuditRead].into_iter().collect();
    let (key, _) = operator.create_api_key(Some("quarterly review".to_owned()), scopes, None).await?;
    operator.revoke_api_key(&key.key_id).await?;
    let auditor = AUDITOR.facade_with(logs, scopes)?;
    if auditor.enter("erasePayload").is_ok() {
        return Err(AppError::new("somebody without the permission to erase was let in"));
    }
    auditor.audit().close(&AuditedRequest::new(None, "mutation { erasePayload }", b"")).await?;
    if let Some(granted) = entries.first() {
        let reason = "the person asked for it";
        operator.erase_payload(IdKind::Audit, granted.id, PayloadPart::AfterState, reason).await?;
    }
    Ok(())
}

/// Two people look into what happened.
async fn reads(logs: &Logs, run: &StoredRun) -> Result<(), AppError> {
    let operator = OPERATOR.facade(logs)?;
    operator.enter("llmRun")?;
    let read = async {
        operator.get_llm_run(&run.run_id).await?;
        operator.list_run_governance(&RunNames::of(run), &PageRequest::first(50)).await
    };
    operator.loads().drive(read).await?;
    let query =
        "query WhyBlocked($runId: ID!) { llmRun(runId: $runId) { governance { events { nodes { decision } } } } }";
    let variables = json!({ "runId": run.run_id.as_str() }).to_string();
    operator.audit().close(&AuditedRequest::new(Some("WhyBlocked".to_owned()), query, variables.as_bytes())).await?;

    let auditor = AUDITOR.facade(logs)?;
    auditor.enter("incidentEvidence")?;
    auditor.loads().drive(auditor.get_incident_evidence(INCIDENT)).await?;
    let query = "query Review($id: ID!) { incidentEvidence(incidentId: $id) { title } }";
    let variables = json!({ "id": INCIDENT }).to_string();
    Ok(auditor.audit().close(&AuditedRequest::new(Some("Review".to_owned()), query, variables.as_bytes())).await?)
}
