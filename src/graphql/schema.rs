//! The schema, and its printed form.

use async_graphql::{EmptySubscription, SDLExportOptions};

use super::mutation::Mutation;
use super::node::Evidenced;
use super::query::Query;

/// The schema of the API. Cheap to clone.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// What of the schema a server shows to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaOptions {
    /// Whether `__schema` and `__type` answer. `_service { sdl }` always does: a gateway cannot do without it.
    pub introspection: bool,
    /// Whether an unknown field's error suggests known names.
    pub suggestions: bool,
}

impl Default for SchemaOptions {
    /// Introspection on, suggestions off.
    fn default() -> Self {
        Self { introspection: true, suggestions: false }
    }
}

/// Makes the schema. Document limits are no part of it: `guard::check` must run before `execute`.
#[must_use]
pub fn build(options: SchemaOptions) -> Schema {
    let mut builder = Schema::build(Query::default(), Mutation, EmptySubscription)
        .register_output_type::<Evidenced>()
        .enable_federation();
    if !options.introspection {
        builder = builder.disable_introspection();
    }
    if !options.suggestions {
        builder = builder.disable_suggestions();
    }
    builder.finish()
}

/// The schema as text, federation directives included; the same for the same schema, byte for byte.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .federation()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident();
    build(SchemaOptions::default()).sdl_with_options(options)
}
