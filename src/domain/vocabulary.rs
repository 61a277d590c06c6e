//! Closed vocabularies. Each value is stored and hashed as its text.

/// Declares an enum with its text form, its parser and the list of its values.
/// A closed set of words.
pub trait Vocabulary: Copy + Eq + Send + Sync + 'static {
    /// What the API calls it.
    const NAME: &'static str;
    /// What it is for, line by line.
    const DOC: &'static [&'static str];
    /// Every word, with what it means, line by line.
    const WORDS: &'static [(Self, &'static [&'static str])];

    /// The word as it is stored and hashed. The API shows it in capitals.
    fn text(self) -> &'static str;
}

/// Declares a vocabulary; `as` says what the API calls it, where that is another name.
macro_rules! vocabulary {
    (
        $(#[doc = $doc:literal])+
        $name:ident $(as $shown:ident)? {
            $($(#[doc = $value_doc:literal])+ $value:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $value_doc])+ $value),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The text that is stored and hashed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }

            /// The value with this text; `None` when there is none.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$value),)+ _ => None }
            }
        }

        impl $crate::domain::vocabulary::Vocabulary for $name {
            const NAME: &'static str = $crate::domain::vocabulary::shown_name!($name $($shown)?);
            const DOC: &'static [&'static str] = &[$($doc),+];
            const WORDS: &'static [(Self, &'static [&'static str])] = &[$((Self::$value, &[$($value_doc),+])),+];

            fn text(self) -> &'static str {
                self.as_str()
            }
        }

        impl $crate::domain::record::Field for $name {
            const KIND: $crate::domain::record::Kind = $crate::domain::record::Kind::Text;
            type Cell = String;

            fn datum(&self) -> $crate::domain::record::Datum<'_> {
                $crate::domain::record::Datum::Text(self.as_str())
            }

            fn take<'r>(cells: &mut impl $crate::domain::record::Cells<'r>) -> $crate::error::Result<Option<Self>> {
                let Some(text) = cells.text()? else { return Ok(None) };
                let word = Self::parse(text);
                word.map(Some).ok_or_else(|| cells.corrupt(&format_args!("{text:?} is not in the vocabulary")))
            }
        }
    };
}

macro_rules! shown_name {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $shown:ident) => {
        stringify!($shown)
    };
}

pub(super) use {shown_name, vocabulary};

mod audit;
mod export;
mod ledger;
mod system;

pub use audit::*;
pub use export::*;
pub use ledger::*;
pub use system::*;

vocabulary!(
    /// How a run ended.
    ExecutionStatus {
        /// It ended without an error.
        Succeeded = "SUCCEEDED",
        /// It ended with an error.
        Failed = "FAILED",
        /// It was cancelled.
        Aborted = "ABORTED",
        /// It ran out of time, or fell silent for longer than the server waits for a trace.
        Timeout = "TIMEOUT",
    }
);

vocabulary!(
    /// Where a trace stands. Follows from its newest seal.
    TraceStatus {
        /// It has no seal yet: steps may still arrive.
        Running = "RUNNING",
        /// It was sealed without an error.
        Completed = "COMPLETED",
        /// It was sealed with an error.
        Failed = "FAILED",
        /// It was cancelled.
        Aborted = "ABORTED",
        /// It ran out of time, or fell silent for longer than the server waits for a trace.
        Timeout = "TIMEOUT",
    }
);

vocabulary!(
    /// How one step ended.
    StepStatus {
        /// It ended without an error.
        Success = "SUCCESS",
        /// It ended with an error.
        Failure = "FAILURE",
        /// It ended with an error and was tried again.
        Retry = "RETRY",
        /// It was not run.
        Skipped = "SKIPPED",
    }
);

vocabulary!(
    /// What a step did.
    StepKind {
        /// A call to a language model.
        Llm = "LLM",
        /// A call to a tool or function.
        Tool = "TOOL",
        /// The work of an agent.
        Agent = "AGENT",
        /// A chain, workflow or task around other steps.
        Chain = "CHAIN",
        /// A search in documents or vectors.
        Retriever = "RETRIEVER",
        /// A call to an embedding model.
        Embedding = "EMBEDDING",
        /// A reordering of search results.
        Reranker = "RERANKER",
        /// A check of input or output against a policy.
        Guardrail = "GUARDRAIL",
        /// A judgement of quality.
        Evaluator = "EVALUATOR",
        /// Anything else.
        Other = "OTHER",
    }
);

vocabulary!(
    /// The kind of a step's outcome.
    OutcomeCategory {
        /// It worked.
        Success = "SUCCESS",
        /// It failed in a way that may pass: a time-out, a rate limit, a server error.
        Transient = "TRANSIENT",
        /// It failed in a way that will not pass by itself.
        Permanent = "PERMANENT",
        /// A policy, a guardrail or a content filter stopped it.
        Policy = "POLICY",
        /// It was cancelled.
        Cancelled = "CANCELLED",
        /// The record does not say.
        Unknown = "UNKNOWN",
    }
);

vocabulary!(
    /// The severity of a step. Follows from its status.
    StepLevel {
        /// The step did not fail.
        Info = "INFO",
        /// The step failed and was tried again.
        Warn = "WARN",
        /// The step failed.
        Error = "ERROR",
    }
);

vocabulary!(
    /// Who brought a run to the ledger.
    RecordSource {
        /// A caller of this GraphQL API.
        Api = "API",
        /// A client library.
        Sdk = "SDK",
        /// The server itself.
        System = "SYSTEM",
        /// A generator of test data.
        Synthetic = "SYNTHETIC",
        /// A background worker.
        Worker = "WORKER",
        /// OpenTelemetry spans.
        Otlp = "OTLP",
    }
);

vocabulary!(
    /// What kind of actor acted.
    ActorType {
        /// A person.
        Human = "HUMAN",
        /// A program.
        System = "SYSTEM",
        /// An AI agent.
        Agent = "AGENT",
    }
);

vocabulary!(
    /// The part of the domain that evidence comes from.
    SourceDomain {
        /// LLM runs and their traces.
        Activity = "ACTIVITY",
        /// Policies.
        Policy = "POLICY",
        /// Incidents.
        Incidents = "INCIDENTS",
        /// The audit of logs.
        Logs = "LOGS",
        /// System records.
        System = "SYSTEM",
    }
);

vocabulary!(
    /// What kind of actor stands behind a record.
    Origin {
        /// A program.
        System = "SYSTEM",
        /// A person.
        Human = "HUMAN",
        /// An AI agent.
        Agent = "AGENT",
        /// An import of older records.
        Migration = "MIGRATION",
        /// A run that replays another one.
        Replay = "REPLAY",
    }
);

impl StepStatus {
    /// FAILURE is an ERROR, RETRY a WARN, everything else INFO.
    #[must_use]
    pub const fn level(self) -> StepLevel {
        match self {
            Self::Failure => StepLevel::Error,
            Self::Retry => StepLevel::Warn,
            Self::Success | Self::Skipped => StepLevel::Info,
        }
    }
}

impl From<ExecutionStatus> for TraceStatus {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Succeeded => Self::Completed,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Aborted => Self::Aborted,
            ExecutionStatus::Timeout => Self::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_parses_back() {
        for value in StepKind::ALL {
            assert_eq!(StepKind::parse(value.as_str()), Some(*value));
        }
        assert_eq!(StepKind::parse("llm"), None);
    }
}
