//! The schema, and its printed form.

use async_graphql::{EmptySubscription, Request, Response, SDLExportOptions, SchemaBuilder, Value};

use crate::graphql::root::mutation::Mutation;
use crate::graphql::root::query::Query;
use crate::graphql::shared::error::{self, RequestId};
use crate::graphql::shared::gateway::Places;
use crate::graphql::shared::node::Evidenced;

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

/// What `_service { sdl }` gives by itself, and what it is to give.
struct ServiceSdl {
    engine: String,
    published: String,
}

/// Makes the schema. Document limits are no part of it: `guard::check` must run before [`execute`].
#[must_use]
pub fn build(options: SchemaOptions) -> Schema {
    let schema = builder(options).finish();
    let engine = schema.sdl_with_options(SDLExportOptions::new().federation().compose_directive());
    let published = without_one_of(&schema.sdl_with_options(print_options()));
    builder(options).data(ServiceSdl { engine, published }).finish()
}

/// The schema as text, federation directives included; the same for the same schema, byte for byte.
#[must_use]
pub fn sdl() -> String {
    builder(SchemaOptions::default()).finish().sdl_with_options(print_options())
}

/// Runs a request that the guard has passed, and makes its answer ready to leave.
pub async fn execute(schema: &Schema, request: Request, request_id: Option<&RequestId>) -> Response {
    let mut response = schema.execute(request.data(Places::default())).await;
    if let Some(sdl) = schema.data::<ServiceSdl>() {
        publish(&mut response.data, sdl);
    }
    error::finish(&mut response, request_id);
    response
}

fn builder(options: SchemaOptions) -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    let mut builder = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<Evidenced>()
        .enable_federation();
    if !options.introspection {
        builder = builder.disable_introspection();
    }
    if !options.suggestions {
        builder = builder.disable_suggestions();
    }
    builder
}

fn print_options() -> SDLExportOptions {
    SDLExportOptions::new()
        .federation()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident()
}

/// Composers disagree about `@oneOf`: one keeps it in the supergraph, another drops it. A gateway is told of neither; the
/// rule itself is enforced here, and introspection and the printed schema show it.
fn without_one_of(sdl: &str) -> String {
    sdl.replace(" @oneOf {", " {")
}

/// Puts the published text where the engine put its own.
fn publish(data: &mut Value, sdl: &ServiceSdl) {
    let Value::Object(roots) = data else { return };
    let services = roots.values_mut().filter_map(|root| match root {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    for value in services.flat_map(|fields| fields.values_mut()) {
        if matches!(value, Value::String(text) if *text == sdl.engine) {
            *value = Value::String(sdl.published.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gateway_gets_the_printed_schema_without_one_of() {
        let schema = build(SchemaOptions::default());
        let response = execute(&schema, Request::new("{ a: _service { b: sdl } }"), None).await;
        let data = response.data.into_json().expect("JSON");
        let published = data["a"]["b"].as_str().expect("a text");
        assert!(published.contains("input TraceRef {") && sdl().contains("input TraceRef @oneOf {"));
        assert_eq!(published, without_one_of(&sdl()));
    }

    #[tokio::test]
    async fn suggestions_and_introspection_are_options() {
        let typo = || Request::new("{ vieweer { actorId } }");
        let quiet = execute(&build(SchemaOptions::default()), typo(), None).await;
        assert!(!quiet.errors[0].message.contains("Did you mean"), "{:?}", quiet.errors);
        let options = SchemaOptions { suggestions: true, introspection: false };
        let helpful = execute(&build(options), typo(), None).await;
        assert!(helpful.errors[0].message.contains("Did you mean"), "{:?}", helpful.errors);
        let closed = execute(&build(options), Request::new("{ __schema { queryType { name } } }"), None).await;
        assert!(!closed.data.into_json().expect("JSON").to_string().contains("Query"));
    }

    #[tokio::test]
    async fn a_request_without_its_facade_fails_without_showing_why() {
        let request_id = RequestId("r-1".to_owned());
        let schema = build(SchemaOptions::default());
        let response = execute(&schema, Request::new("{ viewer { actorId } }"), Some(&request_id)).await;
        let errors = serde_json::to_value(&response.errors).expect("JSON");
        assert_eq!(errors[0]["message"], "internal error");
        assert_eq!(errors[0]["path"], serde_json::json!(["viewer"]));
        assert_eq!(errors[0]["extensions"], serde_json::json!({"code": "INTERNAL", "requestId": "r-1"}));
    }

    #[tokio::test]
    async fn a_nullable_field_fails_alone() {
        let schema = build(SchemaOptions::default());
        let text = "{ __typename node(id: \"run_x\") { id } llmRun(runId: \"r\") { id } }";
        let response = execute(&schema, Request::new(text), None).await;
        let data = serde_json::json!({"__typename": "Query", "node": null, "llmRun": null});
        assert_eq!(response.data.into_json().expect("JSON"), data);
        assert_eq!(response.errors.len(), 2);
    }
}
