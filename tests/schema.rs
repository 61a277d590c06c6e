//! The schema as clients see it: its printed form is committed, everything in it is described, and nothing of it is open
//! by accident.
#![expect(clippy::expect_used, reason = "a test may fail")]

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition};
use runledger::facade::authorize;
use runledger::graphql::root::schema;

/// The committed schema.
const COMMITTED: &str = include_str!("../schema.graphql");

/// The types of the schema by name.
fn types() -> Vec<TypeDefinition> {
    let document = parse_schema(schema::sdl()).expect("our own schema parses");
    document
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        })
        .collect()
}

/// The fields of objects and interfaces.
fn fields(definition: &TypeDefinition) -> Vec<&FieldDefinition> {
    match &definition.kind {
        TypeKind::Object(object) => object.fields.iter().map(|field| &field.node).collect(),
        TypeKind::Interface(interface) => interface.fields.iter().map(|field| &field.node).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn schema_graphql_is_up_to_date() {
    let printed = schema::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
        std::fs::write(path, &printed).expect("schema.graphql can be written");
        return;
    }
    assert!(
        printed == COMMITTED,
        "schema.graphql differs from the schema: run `UPDATE_SCHEMA=1 cargo test --test schema` and look at the change"
    );
}

#[test]
fn the_printed_schema_is_the_same_every_time() {
    assert_eq!(schema::sdl(), schema::sdl());
}

#[test]
fn every_root_field_is_in_the_authorisation_table() {
    let mut roots: BTreeSet<String> = types()
        .iter()
        .filter(|definition| matches!(definition.name.node.as_str(), "Query" | "Mutation"))
        .flat_map(|definition| fields(definition).into_iter().map(|field| field.name.node.to_string()))
        .collect();
    // Federation adds these to Query; the printed form leaves them out.
    roots.extend(["_entities".to_owned(), "_service".to_owned()]);
    let listed: BTreeSet<String> = authorize::TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(roots, listed);
}

#[test]
fn a_root_field_that_names_its_scope_needs_that_one() {
    let mut stated = 0;
    for definition in types() {
        if !matches!(definition.name.node.as_str(), "Query" | "Mutation") {
            continue;
        }
        for field in fields(&definition) {
            let description = field.description.as_ref().map_or("", |text| text.node.as_str()).replace('\n', " ");
            let Some((_, scope)) = description.split_once("Needs the scope ") else { continue };
            let scope = scope.split_once('.').map_or(scope, |(scope, _)| scope);
            let needed = authorize::permission(&field.name.node).expect("listed");
            assert_eq!(needed.map(|permission| permission.as_str()), Some(scope), "{}", field.name.node);
            stated += 1;
        }
    }
    assert!(stated >= 10, "only {stated} root fields name their scope");
}

#[test]
fn everything_is_described_in_a_sentence() {
    let mut wrong = Vec::new();
    let mut check = |what: String, description: Option<&str>| {
        let is_sentence = description.is_some_and(|text| text.starts_with(char::is_uppercase) && text.ends_with('.'));
        if !is_sentence {
            wrong.push(what);
        }
    };
    for definition in types() {
        let name = definition.name.node.as_str();
        check(name.to_owned(), definition.description.as_ref().map(|text| text.node.as_str()));
        for field in fields(&definition) {
            let name = format!("{name}.{}", field.name.node);
            check(name.clone(), field.description.as_ref().map(|text| text.node.as_str()));
            for argument in &field.arguments {
                let description = argument.node.description.as_ref().map(|text| text.node.as_str());
                check(format!("{name}({})", argument.node.name.node), description);
            }
        }
        match &definition.kind {
            TypeKind::Enum(values) => {
                for value in &values.values {
                    let description = value.node.description.as_ref().map(|text| text.node.as_str());
                    check(format!("{name}.{}", value.node.value.node), description);
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    let description = field.node.description.as_ref().map(|text| text.node.as_str());
                    check(format!("{name}.{}", field.node.name.node), description);
                }
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "not described: {wrong:?}");
}

#[test]
fn every_mutation_names_its_scope() {
    for definition in types().iter().filter(|definition| definition.name.node == "Mutation") {
        for field in fields(definition) {
            let description = field.description.as_ref().map_or("", |text| text.node.as_str());
            assert!(description.replace('\n', " ").contains("Needs the scope "), "{}: {description}", field.name.node);
        }
    }
}

/// A write that stands is told, whatever else of the answer cannot be read: what may fail below a payload is nullable.
#[test]
fn what_a_mutation_gives_is_nullable_where_something_below_may_fail() {
    let types = types();
    let of = |name: &str| types.iter().find(|definition| definition.name.node == name);
    let named = |ty: &Type| {
        let mut ty = ty.clone();
        loop {
            match ty.base {
                BaseType::List(inner) => ty = *inner,
                BaseType::Named(name) => return (name.to_string(), ty.nullable),
            }
        }
    };
    // Objects of scalars alone have nothing that may fail; results stand each for one record.
    let is_plain = |name: &str| {
        let Some(definition) = of(name) else { return true };
        fields(definition).iter().all(|field| {
            let (name, _) = named(&field.ty.node);
            field.arguments.is_empty() && of(&name).is_none_or(|of| fields(of).is_empty())
        })
    };
    let mut open: Vec<String> =
        fields(of("Mutation").expect("there are mutations")).iter().map(|field| named(&field.ty.node).0).collect();
    let mut looked = 0;
    while let Some(payload) = open.pop() {
        for field in fields(of(&payload).expect("a type")) {
            let (name, nullable) = named(&field.ty.node);
            if name.ends_with("Result") {
                open.push(name);
            } else if !is_plain(&name) {
                assert!(nullable, "{payload}.{} is {name}!", field.name.node);
                looked += 1;
            }
        }
    }
    assert!(looked >= 12, "{looked}");
}
