//! Values that do not fit their types, told with what would: the validation of the library knows the type's name only.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::{Name, ScalarType, Value, Variables};

use super::shape::Shape;
use crate::error::{Code, Error, Result};
use crate::graphql::root::schema::sdl;
use crate::graphql::shared::scalars::{BigInt, DateTime, Decimal, SafeInt, Sha256};

/// Characters of a value that an error shows.
const SHOWN_MAX: usize = 64;

/// A scalar of ours, whether a value is one, and what one looks like.
type Form = (&'static str, fn(&Value) -> bool, &'static str);

const FORMS: [Form; 5] = [
    ("BigInt", BigInt::is_valid, "a whole number of up to 64 bits in quotes, for example \"42\""),
    ("DateTime", DateTime::is_valid, "an instant as RFC 3339 text, for example \"2026-11-21T08:30:00Z\""),
    ("Decimal", Decimal::is_valid, "a decimal number in quotes, for example \"0.001230\""),
    ("SafeInt", SafeInt::is_valid, "a whole number from -9007199254740991 to 9007199254740991, without quotes"),
    ("Sha256", Sha256::is_valid, "64 lower-case hexadecimal digits in quotes"),
];

/// The types of what is handed in.
#[derive(Debug, Default)]
struct Inputs {
    /// Of arguments, by type and field.
    arguments: HashMap<(Name, Name), HashMap<Name, Type>>,
    /// Of the fields of input objects.
    objects: HashMap<Name, HashMap<Name, Type>>,
    enums: HashMap<Name, Vec<Name>>,
}

impl Inputs {
    fn get() -> Result<&'static Self> {
        static INPUTS: LazyLock<Option<Inputs>> = LazyLock::new(|| Inputs::of(&sdl()));
        INPUTS.as_ref().ok_or_else(|| Error::internal("the schema's own text does not parse"))
    }

    fn of(sdl: &str) -> Option<Self> {
        let mut inputs = Self::default();
        for definition in parse_schema(sdl).ok()?.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                TypeKind::InputObject(object) => {
                    let fields = object.fields.into_iter().map(|field| (field.node.name.node, field.node.ty.node));
                    inputs.objects.insert(name, fields.collect());
                    continue;
                }
                TypeKind::Enum(values) => {
                    let values = values.values.into_iter().map(|value| value.node.value.node);
                    inputs.enums.insert(name, values.collect());
                    continue;
                }
                _ => continue,
            };
            for field in fields {
                let of = (name.clone(), field.node.name.node);
                let arguments = field.node.arguments.into_iter().map(|it| (it.node.name.node, it.node.ty.node));
                inputs.arguments.insert(of, arguments.collect());
            }
        }
        Some(inputs)
    }
}

/// Learns the types, so that no request has to wait until that is done.
pub fn learn() -> Result<()> {
    Inputs::get().map(drop)
}

/// Where a value stands.
enum Place<'a> {
    Of(&'a str),
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(name) => f.write_str(name),
            Self::Field(of, name) => write!(f, "{of}.{name}"),
            Self::Item(of, at) => write!(f, "{of}[{at}]"),
        }
    }
}

/// Refuses an operation with a value that does not fit, and one of a kind that there is not.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED` that says where the value stands, what was sent and what is allowed.
pub fn check(document: &ExecutableDocument, operation: &OperationDefinition, variables: &Variables) -> Result<()> {
    let root = match operation.ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => {
            return Err(refused(
                "there are no subscriptions: ask with a query, and ask again for what is new".to_owned(),
            ));
        }
    };
    let checker = Checker { inputs: Inputs::get()?, shape: Shape::get()? };
    for definition in operation.variable_definitions.iter().map(|definition| &definition.node) {
        let (name, of) = (format!("${}", definition.name.node), &definition.var_type.node);
        if let Some(default) = &definition.default_value {
            checker.value(&Place::Of(&name), of, &default.node, true)?;
        }
        if let Some(sent) = variables.get(&definition.name.node) {
            checker.value(&Place::Of(&name), of, sent, false)?;
        }
    }
    checker.set(&operation.selection_set.node, Some(root))?;
    document.fragments.values().try_for_each(|fragment| {
        let of = fragment.node.type_condition.node.on.node.as_str();
        checker.set(&fragment.node.selection_set.node, Some(of))
    })
}

struct Checker {
    inputs: &'static Inputs,
    shape: &'static Shape,
}

impl Checker {
    /// The arguments of a selection set as it is written; fragments stand for themselves. The lexer has bounded its depth.
    fn set(&self, set: &SelectionSet, of: Option<&str>) -> Result<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let (field, name) = (&field.node, &field.node.name.node);
                    let types = of.and_then(|of| self.inputs.arguments.get(&(Name::new(of), name.clone())));
                    for (argument, value) in &field.arguments {
                        let Some(of) = types.and_then(|types| types.get(&argument.node)) else { continue };
                        // Variables were checked as what they are.
                        let Ok(value) = value.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null)) else {
                            continue;
                        };
                        let place = Place::Of(name);
                        self.value(&Place::Field(&place, &argument.node), of, &value, true)?;
                    }
                    let gives = of.and_then(|of| self.shape.field(of, name)).map(|shape| shape.gives.as_str());
                    self.set(&field.selection_set.node, gives)?;
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let condition = condition.map(|condition| condition.node.on.node.as_str());
                    self.set(&fragment.node.selection_set.node, condition.or(of))?;
                }
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    /// A value, as it is written in the document or as it came as JSON.
    fn value(&self, place: &Place<'_>, of: &Type, value: &Value, is_written: bool) -> Result<()> {
        let name = match (&of.base, value) {
            (_, Value::Null) => return Ok(()),
            (BaseType::List(of), Value::List(items)) => {
                let mut items = items.iter().enumerate();
                return items.try_for_each(|(at, item)| self.value(&Place::Item(place, at), of, item, is_written));
            }
            (BaseType::List(of), value) => return self.value(place, of, value, is_written),
            (BaseType::Named(name), _) => name,
        };
        if let Some(values) = self.inputs.enums.get(name) {
            return check_enum(place, name, values, value, is_written);
        }
        if let Some((_, is_valid, form)) = FORMS.iter().find(|(scalar, ..)| name == *scalar) {
            return match is_valid(value) {
                true => Ok(()),
                false => Err(refused(format!("{place} is {}, but a {name} is {form}", shown(value)))),
            };
        }
        let (Some(fields), Value::Object(sent)) = (self.inputs.objects.get(name), value) else { return Ok(()) };
        sent.iter().try_for_each(|(field, value)| match fields.get(field) {
            Some(of) => self.value(&Place::Field(place, field), of, value, is_written),
            None => Ok(()),
        })
    }
}

fn check_enum(place: &Place<'_>, name: &Name, values: &[Name], value: &Value, is_written: bool) -> Result<()> {
    let is_known = |sent: &str| values.iter().any(|value| value == sent);
    match value {
        Value::Enum(sent) if is_known(sent) => Ok(()),
        Value::String(sent) if is_known(sent) && !is_written => Ok(()),
        Value::String(sent) if is_known(sent) => {
            Err(refused(format!("{place} is {}, but a value of {name} stands without quotes: {sent}", shown(value))))
        }
        _ => {
            let allowed = values.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            Err(refused(format!("{place} is {}, but {name} is one of {allowed}", shown(value))))
        }
    }
}

fn refused(message: String) -> Error {
    Error::new(Code::GraphqlValidationFailed, message)
}

/// The value as an error shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::List(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        value => format!("{:.SHOWN_MAX$}", value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::super::{Limits, operation, parse};
    use super::*;

    fn told(text: &str, variables: Value) -> String {
        let document = parse(text, &Limits::default()).expect("a document");
        let operation = operation(&document, None).expect("an operation");
        match check(&document, operation, &Variables::from_value(variables)) {
            Ok(()) => String::new(),
            Err(error) => {
                assert_eq!(error.code(), Code::GraphqlValidationFailed);
                error.message().to_owned()
            }
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_what_would() {
        let runs = |filter: &str| {
            told(&format!("{{ llmRuns(filter: {{ {filter} }}) {{ totalCount {{ value }} }} }}"), value!({}))
        };
        for (filter, place, allowed) in [
            ("executionStatus: [SUCCEEDED, BROKEN]", "llmRuns.filter.executionStatus[1] is BROKEN", "SUCCEEDED"),
            ("executionStatus: BROKEN", "llmRuns.filter.executionStatus is BROKEN", "TIMEOUT"),
            ("executionStatus: \"FAILED\"", "llmRuns.filter.executionStatus is \"FAILED\"", "without quotes: FAILED"),
            ("executionStatus: 3", "is 3", "ABORTED"),
            (
                "startedAt: { from: \"yesterday\" }",
                "llmRuns.filter.startedAt.from is \"yesterday\"",
                "2026-11-21T08:30:00Z",
            ),
            ("costUsd: { min: 0.5 }", "llmRuns.filter.costUsd.min is 0.5", "\"0.001230\""),
            ("inputTokens: { max: \"7\" }", "is \"7\"", "without quotes"),
        ] {
            let message = runs(filter);
            assert!(message.contains(place) && message.contains(allowed), "{filter}: {message}");
        }
        assert_eq!(
            runs("executionStatus: [FAILED], startedAt: { from: \"2026-11-21T08:30:00Z\" }, costUsd: { min: \"0.5\" }"),
            ""
        );
    }

    #[test]
    fn variables_and_fragments_are_looked_at_as_what_they_are() {
        let steps = "mutation($input: RecordStepsInput!) { recordSteps(input: $input) { isReplayed } }";
        let step = |status: &str| value!({ "input": { "traceId": "t", "steps": [{ "status": "SUCCESS" }, { "status": status }] } });
        assert_eq!(told(steps, step("FAILURE")), "", "JSON has no other way to write it");
        let message = told(steps, step("BROKEN"));
        assert!(message.starts_with("$input.steps[1].status is \"BROKEN\"") && message.contains("RETRY"), "{message}");
        let message = told("query($kind: [StepKind!] = [LLM, X]) { node(id: \"a\") { id } }", value!({}));
        assert!(message.starts_with("$kind[1] is X"), "{message}");
        let spread = "{ node(id: \"a\") { ...T } } fragment T on Trace { steps(kind: TALK) { nodes { id } } }";
        assert!(told(spread, value!({})).starts_with("steps.kind is TALK"));
        let inline = "{ node(id: \"a\") { ... on Trace { steps(status: [WELL]) { nodes { id } } } } }";
        assert!(told(inline, value!({})).starts_with("steps.status[0] is WELL"));
    }

    #[test]
    fn a_subscription_is_refused_in_one_sentence() {
        assert!(told("subscription { llmRunRecorded { id } }", value!({})).contains("no subscriptions"));
    }
}
