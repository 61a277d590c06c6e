//! The domain's vocabularies as GraphQL enums: the same names, values and words.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field;
use async_graphql::registry::{EnumBuilder, MetaEnumValue, MetaTypeId, Registry};
use async_graphql::{
    Context, ContextSelectionSet, InputType, InputValueError, InputValueResult, Name, OutputType, Positioned,
    ServerResult, Value,
};

use crate::domain::vocabulary::Vocabulary;
use crate::domain::{audit, diff, filter, page, payload, system, telemetry_series, trace, verification, vocabulary};
use crate::graphql::shared::row::{Column, leaf};

/// A word of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self(word)
    }
}

impl<T: Vocabulary> Word<T> {
    /// The name of its value.
    fn shown(self) -> Value {
        let text = self.0.text();
        // Some are stored in small letters.
        Value::Enum(if has_small_letters(text) { Name::new(text.to_ascii_uppercase()) } else { Name::new(text) })
    }

    fn register(registry: &mut Registry) -> String {
        registry.create_input_type::<Self, _>(MetaTypeId::Enum, |_| {
            let values = T::WORDS.iter().map(|(word, doc)| {
                let name = Self(*word).shown().to_string();
                (name.clone(), MetaEnumValue { description: Some(described(doc)), ..MetaEnumValue::new(name) })
            });
            EnumBuilder::new(T::NAME.to_owned(), values.collect::<IndexMap<_, _>>())
                .description(Some(described(T::DOC)))
                .rust_typename(std::any::type_name::<Self>())
                .build()
        })
    }
}

fn has_small_letters(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Documentation as the schema has it.
fn described(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}

impl<T: Vocabulary> InputType for Word<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Self::register(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let value = value.unwrap_or_default();
        let given = match &value {
            Value::Enum(name) => name.as_str(),
            Value::String(text) => text,
            _ => return Err(InputValueError::expected_type(value)),
        };
        // As it is shown, not as it may be stored.
        let is_shown = |word: &T| word.text().eq_ignore_ascii_case(given) && !has_small_letters(given);
        let word = T::WORDS.iter().map(|(word, _)| *word).find(is_shown).map(Self);
        word.ok_or_else(|| {
            InputValueError::custom(format_args!("Enumeration type does not contain value \"{given}\"."))
        })
    }

    fn to_value(&self) -> Value {
        self.shown()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl<T: Vocabulary> OutputType for Word<T> {
    fn type_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Self::register(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(self.shown())
    }
}

impl<T: Vocabulary> Column for Word<T> {
    fn now(&self, _: &Context<'_>) -> Option<Value> {
        leaf(self.shown())
    }
}

macro_rules! words {
    ($($name:ident = $vocabulary:path;)+) => { $(
        #[doc = concat!("See [`", stringify!($vocabulary), "`].")]
        pub type $name = Word<$vocabulary>;

        impl From<Word<$vocabulary>> for $vocabulary {
            fn from(word: Word<$vocabulary>) -> Self {
                word.0
            }
        }
    )+ };
}

words! {
    ExecutionStatus = vocabulary::ExecutionStatus;
    TraceStatus = vocabulary::TraceStatus;
    StepStatus = vocabulary::StepStatus;
    StepKind = vocabulary::StepKind;
    OutcomeCategory = vocabulary::OutcomeCategory;
    StepLevel = vocabulary::StepLevel;
    RecordSource = vocabulary::RecordSource;
    ActorType = vocabulary::ActorType;
    SourceDomain = vocabulary::SourceDomain;
    Origin = vocabulary::Origin;
    DivergenceReason = trace::DivergenceReason;
    OrderDirection = page::Direction;
    SystemComponent = vocabulary::SystemComponent;
    SystemEventType = vocabulary::SystemEventType;
    SystemSeverity = vocabulary::SystemSeverity;
    SystemCausedBy = vocabulary::SystemCausedBy;
    LedgerStream = vocabulary::Stream;
    RecordKind = vocabulary::RecordKind;
    LedgerEventKind = vocabulary::LedgerEventKind;
    PayloadPart = payload::PayloadPart;
    AuditOrderField = filter::AuditSort;
    LlmRunOrderField = filter::LlmRunSort;
    TraceOrderField = filter::TraceSort;
    AuditCategory = vocabulary::AuditCategory;
    AuditEntityType = vocabulary::AuditEntityType;
    Verdict = vocabulary::Verdict;
    AuditAction = vocabulary::AuditAction;
    Decision = audit::Decision;
    AuditChangeKind = diff::ChangeKind;
    VerificationStatus = verification::VerificationStatus;
    VerificationMode = verification::VerificationMode;
    TrustLevel = verification::TrustLevel;
    AnomalyKind = verification::AnomalyKind;
    SystemRecordOrderField = system::SystemRecordSort;
    MetricKind = telemetry_series::MetricKind;
    MetricTemporality = telemetry_series::Temporality;
    IncidentSeverity = vocabulary::IncidentSeverity;
    InflectionRule = vocabulary::InflectionRule;
    ReplaySource = vocabulary::ReplaySource;
    ExportScope = vocabulary::ExportScope;
    ExportFormat = vocabulary::ExportFormat;
    ExportStatus = vocabulary::ExportStatus;
    ComplianceTag = vocabulary::ComplianceTag;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shown_in_capitals_and_read_back() {
        let stream = LedgerStream::from(vocabulary::Stream::Evidence);
        assert_eq!(stream.shown(), Value::Enum(Name::new("EVIDENCE")));
        assert_eq!(LedgerStream::parse(Some(stream.shown())).ok(), Some(stream));
        assert!(LedgerStream::parse(Some(Value::from("evidence"))).is_err(), "as it is shown, not as it is stored");
        assert!(LedgerStream::parse(Some(Value::from(1))).is_err());
    }
}
