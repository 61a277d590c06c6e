//! What a document may cost, decided before anything of it is validated or run.
//!
//! Three steps. `lexer` counts tokens and nesting of the text, so that no document can exhaust the parser. `measure`
//! walks the parsed document with one memo per fragment, so that a bomb of fragments that double 28 times is measured in
//! microseconds. [`check`] holds the result against [`Limits`]. All of it is pure: no schema, no database.

mod lexer;
mod measure;
mod shape;
mod values;

pub use values::check as check_values;

use async_graphql::Variables;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};

use crate::error::{Code, Error, Result};

/// What a document may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens of the text, comments and commas apart.
    pub tokens: u64,
    /// Brackets and braces that are open at once, in selections and in values alike.
    pub nesting: u64,
    /// Selections after every fragment has been put in its place.
    pub selections: u64,
    /// Fields below fields.
    pub depth: u64,
    /// Selections below selections, fragments counted too.
    pub levels: u64,
    /// Aliases.
    pub aliases: u64,
    /// Directives.
    pub directives: u64,
    /// Fields of the root.
    pub root_fields: u64,
    /// Fields to be resolved, each list counted with the rows that it asks for.
    pub complexity: u64,
    /// Rows that all lists together may give, each reckoned with the most that it can give.
    pub rows: u64,
    /// Representations that one `_entities` may resolve.
    pub representations: u64,
    /// Selections below `__schema` and `__type`, fragments put in their place.
    pub introspection_selections: u64,
    /// Fields below fields of introspection.
    pub introspection_depth: u64,
    /// How often introspection may go from a type to the types of its fields, interfaces or inputs.
    pub introspection_circles: u64,
    /// Whether `__schema` and `__type` are answered at all.
    pub introspection: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: 10_000,
            nesting: 64,
            selections: 10_000,
            depth: 15,
            levels: 32,
            aliases: 100,
            directives: 20,
            root_fields: 20,
            complexity: 50_000,
            rows: 250_000,
            representations: 1_000,
            introspection_selections: 500,
            introspection_depth: 20,
            introspection_circles: 2,
            introspection: true,
        }
    }
}

/// What an operation comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// As [`Limits::complexity`].
    pub complexity: u64,
    /// As [`Limits::rows`].
    pub rows: u64,
    /// As [`Limits::introspection_selections`].
    pub introspection: u64,
}

/// Learns the schema, so that no request has to wait until that is done.
///
/// # Errors
/// `INTERNAL` when the schema's own text does not parse.
pub fn learn() -> Result<()> {
    shape::Shape::get()?;
    values::learn()
}

/// Parses a document whose text stays within the limits of tokens and nesting.
///
/// # Errors
/// `LIMIT_EXCEEDED` with the limit; `GRAPHQL_PARSE_FAILED`.
pub fn parse(text: &str, limits: &Limits) -> Result<ExecutableDocument> {
    lexer::check(text, limits)?;
    async_graphql::parser::parse_query(text).map_err(|error| Error::new(Code::GraphqlParseFailed, error.to_string()))
}

/// Holds a parsed document against the limits.
///
/// # Errors
/// `LIMIT_EXCEEDED` with limit and value; `GRAPHQL_VALIDATION_FAILED` for fragments that spread themselves and for
/// introspection where it is turned off. The dearest operation is what comes back.
pub fn check(document: &ExecutableDocument, variables: &Variables, limits: &Limits) -> Result<Measured> {
    measure::check_written(document, limits)?;
    let mut dearest = Measured::default();
    for (_, operation) in document.operations.iter() {
        let measured = measure::check_expanded(document, &operation.node, variables, limits)?;
        dearest.complexity = dearest.complexity.max(measured.complexity);
        dearest.rows = dearest.rows.max(measured.rows);
        dearest.introspection = dearest.introspection.max(measured.introspection);
    }
    Ok(dearest)
}

/// The operation that is to be run.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED` when the name is missing among several operations or fits none.
pub fn operation<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Result<&'a OperationDefinition> {
    let missing = |message: &str| Error::new(Code::GraphqlValidationFailed, message);
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Single(_), Some(_)) => {
            Err(missing("the document has no operation with this operationName"))
        }
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).ok_or_else(|| missing("the document has no operation with this operationName"))
        }
        (DocumentOperations::Multiple(operations), None) => match operations.values().next() {
            Some(operation) if operations.len() == 1 => Ok(operation),
            _ => Err(missing("the document has several operations: say which one with operationName")),
        },
    };
    found.map(|operation| &operation.node)
}

/// The name of a document's only operation.
#[must_use]
pub fn only_name(document: &ExecutableDocument) -> Option<String> {
    match &document.operations {
        DocumentOperations::Multiple(operations) if operations.len() == 1 => {
            operations.keys().next().map(ToString::to_string)
        }
        _ => None,
    }
}

/// Whether an operation only reads.
#[must_use]
pub fn is_query(operation: &OperationDefinition) -> bool {
    operation.ty == OperationType::Query
}

/// Refuses an operation that lacks a variable it cannot do without.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED` that names the variable.
pub fn check_variables(operation: &OperationDefinition, variables: &Variables) -> Result<()> {
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        let is_null = matches!(variables.get(&definition.name.node), Some(async_graphql::Value::Null));
        let is_absent = !variables.contains_key(&definition.name.node) && definition.default_value.is_none();
        if !definition.var_type.node.nullable && (is_null || is_absent) {
            let message = format!("the variable ${} needs a value", definition.name.node);
            return Err(Error::new(Code::GraphqlValidationFailed, message));
        }
    }
    Ok(())
}

/// The settings that operators have for limits, by what is counted.
const SETTINGS: [(&str, &str); 7] = [
    ("aliases", "graphql-aliases"),
    ("directives", "graphql-directives"),
    ("fields to resolve", "graphql-complexity"),
    ("levels of fields", "graphql-depth"),
    ("root fields", "graphql-root-fields"),
    ("selections", "graphql-selections"),
    ("tokens", "graphql-tokens"),
];

/// `LIMIT_EXCEEDED` when a value is beyond its limit.
fn within(what: &str, value: u64, limit: u64) -> Result<()> {
    within_or(what, value, limit, || Ok("ask for less at once".to_owned()))
}

/// The same with what is to be done about it.
fn within_or(what: &str, value: u64, limit: u64, advice: impl FnOnce() -> Result<String>) -> Result<()> {
    if value <= limit {
        return Ok(());
    }
    let setting = SETTINGS.iter().find(|(of, _)| *of == what);
    let setting = setting.map(|(_, setting)| format!(" (whoever runs the server sets the limit with --{setting})"));
    let (advice, setting) = (advice()?, setting.unwrap_or_default());
    let message =
        format!("the document has too many {what}: {value}, and at most {limit} are allowed; {advice}{setting}");
    Err(Error::limit(message, limit, Some(value)))
}

#[cfg(test)]
mod tests;
