//! A row answers exactly as the object that it wraps: the same selection is put to both, and the texts are compared.

use async_graphql::{EmptyMutation, EmptySubscription, Interface, Object, Schema, SimpleObject, Variables, value};
use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::scalars::SafeInt;

/// An object with a field of each sort, once with rows below it and once with plain objects; both are named `Thing`.
macro_rules! things {
    ($module:ident, [$($child:tt)+], $wrap:expr) => {
        mod $module {
            use super::*;

            pub struct Thing(pub i64);

            #[Object]
            impl Thing {
                pub fn number(&self) -> SafeInt {
                    SafeInt(self.0)
                }

                pub fn name(&self) -> Option<&str> {
                    (self.0 > 1).then_some("name")
                }

                pub fn tags(&self) -> Vec<String> {
                    vec!["a".to_owned(), "b".to_owned()]
                }

                /// An object of columns below.
                pub fn below(&self) -> Option<$($child)+> {
                    (self.0 > 0).then(|| $wrap(Thing(self.0 - 1)))
                }

                pub fn all(&self) -> Vec<$($child)+> {
                    (0..self.0.min(3)).map(|number| $wrap(Thing(number))).collect()
                }

                /// No column: it is waited for, so that what stands behind it in the answer is ready before it.
                async fn slow(&self, #[graphql(default = 1)] times: i64) -> SafeInt {
                    tokio::task::yield_now().await;
                    SafeInt(self.0 * times)
                }

                async fn pair(&self) -> Pair {
                    Pair { left: 1, right: 2 }
                }

                async fn missing(&self) -> Maybe<String> {
                    Maybe::of::<String>(Err(Error::input("missing", "not there").into()))
                }

                async fn broken(&self) -> ApiResult<String> {
                    Err(Error::input("broken", "it is broken").into())
                }
            }

            #[derive(Interface)]
            #[graphql(field(name = "number", method = "interface_number", ty = "SafeInt"))]
            pub enum Numbered {
                Thing($($child)+),
            }

            impl Thing {
                pub async fn interface_number(&self, ctx: &Context<'_>) -> ApiResult<SafeInt> {
                    Ok(self.number(ctx))
                }
            }

            pub struct Query;

            #[Object]
            impl Query {
                async fn root(&self, #[graphql(default = 2)] n: i64) -> Option<$($child)+> {
                    Some($wrap(Thing(n)))
                }

                async fn numbered(&self) -> Numbered {
                    Numbered::Thing($wrap(Thing(5)))
                }
            }
        }
    };
}
things!(objects, [Thing], std::convert::identity);
things!(rows, [Row<Thing>], Row);

columns!(rows::Thing { "number" => number, "name" => name, "tags" => tags, "below" => below, "all" => all });

#[derive(SimpleObject)]
struct Pair {
    left: i32,
    right: i32,
}

/// Data as text, for the order of its fields counts; errors sorted, for those that fail at once may come either way.
async fn answer<Q: ObjectType + 'static>(query: Q, text: &str) -> (String, Vec<String>) {
    let schema = Schema::new(query, EmptyMutation, EmptySubscription);
    let variables = Variables::from_value(value!({"yes": true, "no": false}));
    let response = schema.execute(async_graphql::Request::new(text).variables(variables)).await;
    let mut errors: Vec<_> = response.errors.iter().map(|error| serde_json::to_string(error).expect("JSON")).collect();
    errors.sort();
    (serde_json::to_string(&response.data).expect("JSON"), errors)
}

/// The answers of objects and of rows.
async fn answers(selection: &str, variables: &str, fragments: &str) -> [(String, Vec<String>); 2] {
    let text = format!("query{variables} {{ root{selection} numbered {{ number }} }} {fragments}");
    [answer(objects::Query, &text).await, answer(rows::Query, &text).await]
}

#[tokio::test]
async fn a_row_answers_as_its_object() {
    for (selection, variables, fragments) in [
        ("{ number name tags }", "", ""),
        ("{ __typename n: number m: number number }", "", ""),
        ("{ slow number a: slow(times: 2) b: slow(times: 3) name }", "", ""),
        ("{ number ...F ... on Thing { tags } ... { slow } }", "", "fragment F on Thing { name number slow }"),
        ("{ ... on Numbered { number } ... on Pair { left } }", "", ""),
        (
            "{ number @skip(if: $yes) name @include(if: $yes) tags @include(if: $no) }",
            "($yes: Boolean!, $no: Boolean!)",
            "",
        ),
        ("{ ... @include(if: $no) { number } ...F @skip(if: $no) }", "($no: Boolean!)", "fragment F on Thing { slow }"),
        ("{ below { number } below { name slow } ...F }", "", "fragment F on Thing { below { number tags } }"),
        ("{ pair { left } ...F }", "", "fragment F on Thing { pair { right left } }"),
        ("{ all { number } all { slow } all { below { number } } }", "", ""),
        ("{ below { below { below { number } } } }", "", ""),
        ("{ number missing slow }", "", ""),
        ("{ number broken slow }", "", ""),
        ("{ below { number broken } number }", "", ""),
        ("{ all { missing } }", "", ""),
        ("(n: 0) { name below { number } all { number } }", "", ""),
    ] {
        let [objects, rows] = answers(selection, variables, fragments).await;
        assert_eq!(objects, rows, "{selection}");
    }
}

#[tokio::test]
async fn errors_name_their_place() {
    let (_, errors) = answer(rows::Query, "{ root { below { broken } all { missing } } }").await;
    let path = |error: &String| serde_json::from_str::<serde_json::Value>(error).expect("JSON")["path"].to_string();
    let mut paths: Vec<_> = errors.iter().map(path).collect();
    paths.sort();
    let wanted = [r#"["root","all",0,"missing"]"#, r#"["root","all",1,"missing"]"#, r#"["root","below","broken"]"#];
    assert_eq!(paths, wanted);
}

#[tokio::test]
async fn a_row_stands_behind_interfaces() {
    let (data, errors) = answer(rows::Query, "{ numbered { __typename number ... on Thing { slow name } } }").await;
    assert_eq!(data, r#"{"numbered":{"__typename":"Thing","number":5,"slow":5,"name":"name"}}"#);
    assert!(errors.is_empty());
}

#[test]
fn a_row_is_its_object_in_the_schema() {
    let of_objects = Schema::new(objects::Query, EmptyMutation, EmptySubscription).sdl();
    assert_eq!(of_objects, Schema::new(rows::Query, EmptyMutation, EmptySubscription).sdl());
}

/// Each column of an object of ours: asked of the row and of the object alone, it is the same text.
#[tokio::test]
async fn columns_read_as_fields() {
    use crate::domain::evidence::EvidenceMetadata as Domain;
    use crate::domain::ids::{RunId, TenantId};
    use crate::domain::time::Timestamp;
    use crate::domain::vocabulary::{Origin, SourceDomain};
    fn evidence() -> Domain {
        Domain {
            tenant_id: TenantId::trusted("t"),
            run_id: Some(RunId::trusted("r")),
            human_actor_id: None,
            agent_id: Some("a".to_owned()),
            system_id: None,
            occurred_at: Timestamp::from_micros(1),
            recorded_at: None,
            trace_id: None,
            policy_ids: vec!["p".to_owned()],
            incident_ids: Vec::new(),
            export_id: None,
            correlation_id: None,
            source_domain: SourceDomain::Activity,
            source_component: Some("otlp".to_owned()),
            origin: Origin::Agent,
            is_immutable: true,
            sequence: Some(i64::MAX),
            record_id: None,
        }
    }
    struct Roots;
    #[Object]
    impl Roots {
        async fn object(&self) -> EvidenceMetadata {
            EvidenceMetadata(evidence())
        }
        async fn row(&self) -> Row<EvidenceMetadata> {
            metadata(evidence())
        }
    }
    let schema = Schema::new(Roots, EmptyMutation, EmptySubscription);
    let all = "{ tenantId runId humanActorId agentId systemId occurredAt recordedAt timezone traceId policyIds incidentIds \
               exportId correlationId sourceDomain sourceComponent origin immutable sequence }";
    let response = schema.execute(format!("{{ object {all} row {all} }}")).await;
    let data = response.data.into_json().expect("JSON");
    assert_eq!(data["object"].to_string(), data["row"].to_string());
    assert_eq!(data["row"]["origin"], "AGENT");
}

/// A selection of [`Thing`], up to a depth.
fn selections() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("number".to_owned()),
        Just("x: number".to_owned()),
        Just("name".to_owned()),
        Just("tags".to_owned()),
        Just("slow".to_owned()),
        Just("y: slow".to_owned()),
        Just("missing".to_owned()),
        Just("__typename".to_owned()),
        Just("pair { right }".to_owned()),
        Just("pair { left }".to_owned()),
        Just("broken".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let many = proptest::collection::vec(inner, 1..5).prop_map(|parts| parts.join(" "));
        prop_oneof![
            many.clone().prop_map(|inner| format!("below {{ {inner} }}")),
            many.clone().prop_map(|inner| format!("all {{ {inner} }}")),
            many.clone().prop_map(|inner| format!("... on Thing {{ {inner} }}")),
            many.prop_map(|inner| format!("... on Numbered {{ ... on Thing {{ {inner} }} }}")),
        ]
    })
}

proptest! {
    #[test]
    fn any_selection_is_answered_as_by_the_object(parts in proptest::collection::vec(selections(), 1..6)) {
        let selection = format!("(n: 3) {{ {} }}", parts.join(" "));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let [objects, rows] = runtime.block_on(answers(&selection, "", ""));
        prop_assert_eq!(objects, rows);
    }
}

#[tokio::test]
async fn bytes_of_an_answer_are_counted_once_and_end_it() {
    let loads = crate::facade::loaders::LoadQueue::default();
    let schema = || Schema::new(rows::Query, EmptyMutation, EmptySubscription);
    for selection in
        ["{ number name tags }", "{ slow name tags }", "{ below { number name } all { number slow tags } }"]
    {
        let text = format!("{{ root(n: 5) {selection} }}");
        let driven = loads.drive_within(u64::MAX, schema().execute(text.as_str())).await.expect("no limit");
        let written = serde_json::to_string(&driven.output.data).expect("JSON").len() as u64;
        let counted = driven.bytes;
        assert!(counted * 2 >= written && counted <= written * 2, "{text}: {counted} counted, {written} written");
        let error =
            loads.drive_within(counted - 1, schema().execute(text.as_str())).await.map(|_| ()).expect_err("more");
        assert_eq!(error.code().as_str(), "LIMIT_EXCEEDED", "{text}");
    }
}

#[tokio::test]
async fn a_long_resolution_ends_when_its_time_is_over() {
    let loads = crate::facade::loaders::LoadQueue::default();
    let endless = async {
        loop {
            breathe().await;
            let _ = charge(1);
        }
    };
    let time = std::time::Duration::from_millis(20);
    let given_up = tokio::time::timeout(time, loads.drive_within(u64::MAX, endless)).await;
    let given_up: Result<Result<crate::facade::loaders::Driven<()>, _>, _> = given_up;
    assert!(given_up.is_err(), "it never waits for anything, and is given up");
}
