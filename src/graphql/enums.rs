//! The domain's vocabularies as GraphQL enums: same names, same values.

mod topics;

pub use topics::*;

use async_graphql::Enum;

use crate::domain::{page, trace, vocabulary};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ExecutionStatus")]
pub enum ExecutionStatus {
    /// It ended without an error.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It was cancelled.
    Aborted,
    /// It ran out of time, or fell silent for longer than the server waits for a trace.
    Timeout,
}

/// Where a trace stands. Follows from its newest seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::TraceStatus")]
pub enum TraceStatus {
    /// It has no seal yet: steps may still arrive.
    Running,
    /// It was sealed without an error.
    Completed,
    /// It was sealed with an error.
    Failed,
    /// It was cancelled.
    Aborted,
    /// It ran out of time, or fell silent for longer than the server waits for a trace.
    Timeout,
}

/// How one step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::StepStatus")]
pub enum StepStatus {
    /// It ended without an error.
    Success,
    /// It ended with an error.
    Failure,
    /// It ended with an error and was tried again.
    Retry,
    /// It was not run.
    Skipped,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::StepKind")]
pub enum StepKind {
    /// A call to a language model.
    Llm,
    /// A call to a tool or function.
    Tool,
    /// The work of an agent.
    Agent,
    /// A chain, workflow or task around other steps.
    Chain,
    /// A search in documents or vectors.
    Retriever,
    /// A call to an embedding model.
    Embedding,
    /// A reordering of search results.
    Reranker,
    /// A check of input or output against a policy.
    Guardrail,
    /// A judgement of quality.
    Evaluator,
    /// Anything else.
    Other,
}

/// The kind of a step's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::OutcomeCategory")]
pub enum OutcomeCategory {
    /// It worked.
    Success,
    /// It failed in a way that may pass: a time-out, a rate limit, a server error.
    Transient,
    /// It failed in a way that will not pass by itself.
    Permanent,
    /// A policy, a guardrail or a content filter stopped it.
    Policy,
    /// It was cancelled.
    Cancelled,
    /// The record does not say.
    Unknown,
}

/// The severity of a step. Follows from its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::StepLevel")]
pub enum StepLevel {
    /// The step did not fail.
    Info,
    /// The step failed and was tried again.
    Warn,
    /// The step failed.
    Error,
}

/// Who brought a run to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::RecordSource")]
pub enum RecordSource {
    /// A caller of this GraphQL API.
    Api,
    /// A client library.
    Sdk,
    /// The server itself.
    System,
    /// A generator of test data.
    Synthetic,
    /// A background worker.
    Worker,
    /// OpenTelemetry spans.
    Otlp,
}

/// What kind of actor acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ActorType")]
pub enum ActorType {
    /// A person.
    Human,
    /// A program.
    System,
    /// An AI agent.
    Agent,
}

/// The part of the domain that evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::SourceDomain")]
pub enum SourceDomain {
    /// LLM runs and their traces.
    Activity,
    /// Policies.
    Policy,
    /// Incidents.
    Incidents,
    /// The audit of logs.
    Logs,
    /// System records.
    System,
}

/// What kind of actor stands behind a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::Origin")]
pub enum Origin {
    /// A program.
    System,
    /// A person.
    Human,
    /// An AI agent.
    Agent,
    /// An import of older records.
    Migration,
    /// A run that replays another one.
    Replay,
}

/// Why two traces do not behave alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "trace::DivergenceReason")]
pub enum DivergenceReason {
    /// The steps at that place differ in kind or in skill.
    Work,
    /// They differ in status or in outcome.
    Outcome,
    /// They differ in what went in.
    Input,
    /// They differ in the attempt.
    Attempt,
    /// One trace ends where the other one goes on.
    Length,
}

/// Which way a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "page::Direction")]
pub enum OrderDirection {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

/// A part of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::SystemComponent")]
pub enum SystemComponent {
    /// A background worker.
    Worker,
    /// An API server.
    Api,
    /// A scheduler.
    Scheduler,
    /// A database.
    Db,
    /// Authentication.
    Auth,
    /// A change of the schema.
    Migration,
    /// Anything else.
    Other,
}

/// What happened to the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::SystemEventType")]
pub enum SystemEventType {
    /// It started.
    Startup,
    /// It stopped.
    Shutdown,
    /// It stopped and started.
    Restart,
    /// Another version of it came into service.
    Deploy,
    /// Its schema or data were changed.
    Migration,
    /// Who may do what was changed.
    AuthChange,
    /// Its settings were changed.
    ConfigChange,
    /// It failed.
    Error,
    /// Its health was looked at.
    HealthCheck,
    /// Anything else.
    Other,
}

/// How bad a system record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::SystemSeverity")]
pub enum SystemSeverity {
    /// Nothing is wrong.
    Info,
    /// Something may go wrong.
    Warn,
    /// Something went wrong.
    Critical,
}

/// What kind of cause a system record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::SystemCausedBy")]
pub enum SystemCausedBy {
    /// The platform itself.
    System,
    /// A person.
    Human,
    /// A program that acts on the platform: a pipeline, a scaler.
    Automation,
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::Value;
    use async_graphql::resolver_utils::{EnumType, enum_value};

    /// Every value of the vocabulary is shown by the very text that is stored and hashed, and there are no others.
    macro_rules! same_text {
        ($($name:ident),+) => {
            $(
                let shown: Vec<_> = vocabulary::$name::ALL.iter().map(|value| enum_value($name::from(*value))).collect();
                let stored: Vec<_> = vocabulary::$name::ALL
                    .iter()
                    .map(|value| Value::Enum(async_graphql::Name::new(value.as_str())))
                    .collect();
                assert_eq!(shown, stored);
                assert_eq!($name::items().len(), stored.len());
            )+
        };
    }

    #[test]
    fn enums_show_the_stored_text() {
        same_text!(
            ExecutionStatus,
            TraceStatus,
            StepStatus,
            StepKind,
            OutcomeCategory,
            StepLevel,
            RecordSource,
            ActorType,
            SourceDomain,
            Origin,
            IncidentSeverity,
            InflectionRule,
            ReplaySource,
            ExportScope,
            ExportFormat,
            ExportStatus,
            ComplianceTag,
            SystemComponent,
            SystemEventType,
            SystemSeverity,
            SystemCausedBy
        );
    }
}
