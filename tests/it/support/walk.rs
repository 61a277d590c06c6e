//! Queries that select everything, made from the schema itself: what is added later is walked without a change here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::app::TestApp;

/// The question whose answer is the schema.
pub const INTROSPECTION: &str = "{ __schema {
  queryType { name } mutationType { name }
  types { kind name possibleTypes { name } enumValues { name }
    inputFields { name type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }
    fields { name
      args { name defaultValue type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }
      type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

/// The schema as far as walking needs it.
pub struct Schema {
    types: BTreeMap<String, Value>,
    /// The lists around what is being selected: no document may select one below itself.
    around: Mutex<Vec<String>>,
}

/// The name under non-null and list wrappers.
pub fn named(reference: &Value) -> &str {
    match reference["kind"].as_str() {
        Some("NON_NULL" | "LIST") => named(&reference["ofType"]),
        _ => reference["name"].as_str().expect("a named type"),
    }
}

impl Schema {
    /// Asks the server for it.
    pub async fn of(app: &TestApp) -> Self {
        Self::read(&app.query(INTROSPECTION).await)
    }

    /// From the answer to [`INTROSPECTION`].
    pub fn read(answer: &Value) -> Self {
        let types = answer["__schema"]["types"].as_array().expect("types").clone();
        Self {
            types: types.into_iter().map(|each| (each["name"].as_str().expect("a name").to_owned(), each)).collect(),
            around: Mutex::default(),
        }
    }

    /// The fields of a type.
    pub fn fields(&self, type_name: &str) -> &[Value] {
        self.types[type_name]["fields"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The objects that a type may stand for: itself, or the members of an interface or union. None for a leaf.
    pub fn objects(&self, type_name: &str) -> Vec<&str> {
        let of = &self.types[type_name];
        match of["kind"].as_str() {
            Some("OBJECT") => vec![of["name"].as_str().expect("a name")],
            _ => {
                of["possibleTypes"].as_array().into_iter().flatten().filter_map(|each| each["name"].as_str()).collect()
            }
        }
    }

    /// Whether a field gives a list or a connection.
    pub fn is_list(&self, field: &Value) -> bool {
        fn is_wrapped(reference: &Value) -> bool {
            match reference["kind"].as_str() {
                Some("LIST") => true,
                Some("NON_NULL") => is_wrapped(&reference["ofType"]),
                _ => false,
            }
        }
        let below = named(&field["type"]);
        is_wrapped(&field["type"]) || self.fields(below).iter().any(|each| each["name"] == "pageInfo")
    }

    /// Whether a type is an object that is handed in.
    pub fn is_input(&self, type_name: &str) -> bool {
        self.types[type_name]["kind"] == "INPUT_OBJECT"
    }

    /// A value of a type in which every field is set: the first of an enum, one of a list, else what `leaf` makes of the path
    /// of names and the type's name. What is null stays unset.
    pub fn example(&self, path: &str, reference: &Value, leaf: &mut dyn FnMut(&str, &str) -> Value) -> Value {
        let wrapped = &reference["ofType"];
        match reference["kind"].as_str() {
            Some("NON_NULL") => return self.example(path, wrapped, leaf),
            Some("LIST") => return json!([self.example(path, wrapped, leaf)]),
            _ => {}
        }
        let name = named(reference);
        let made = leaf(path, name);
        if !made.is_null() || !self.is_input(name) {
            return made;
        }
        let fields = self.types[name]["inputFields"].as_array().expect("input fields").iter().map(|field| {
            let name = field["name"].as_str().expect("a name");
            (name.to_owned(), self.example(&format!("{path}.{name}"), &field["type"], leaf))
        });
        fields.filter(|(_, value)| !value.is_null()).collect::<serde_json::Map<_, _>>().into()
    }

    /// The first value of an enum; null for another type.
    pub fn first_of(&self, type_name: &str) -> Value {
        self.types[type_name]["enumValues"][0]["name"].clone()
    }

    /// `field(args) { everything below, to a depth }`; `None` when an argument is required that `argument` does not know.
    pub fn select(
        &self,
        field: &Value,
        depth: usize,
        argument: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let mut text = field["name"].as_str().expect("a name").to_owned();
        let mut arguments = Vec::new();
        for each in field["args"].as_array().expect("args") {
            let name = each["name"].as_str().expect("a name");
            match argument(field["name"].as_str().expect("a name"), name) {
                Some(value) => arguments.push(format!("{name}: {value}")),
                None if each["type"]["kind"] == "NON_NULL" && each["defaultValue"].is_null() => return None,
                None => {}
            }
        }
        if !arguments.is_empty() {
            write!(text, "({})", arguments.join(", ")).expect("a string");
        }
        let below = &self.types[named(&field["type"])];
        let is_leaf = matches!(below["kind"].as_str(), Some("SCALAR" | "ENUM"));
        if is_leaf || depth == 0 {
            return is_leaf.then_some(text);
        }
        let name = field["name"].as_str().expect("a name");
        let is_list = self.is_list(field);
        if is_list {
            let mut around = self.around.lock().expect("a lock");
            if around.iter().any(|list| list == name) {
                return None;
            }
            around.push(name.to_owned());
        }
        let selected = self.select_below(text, below, depth, argument);
        if is_list {
            self.around.lock().expect("a lock").pop();
        }
        selected
    }

    fn select_below(
        &self,
        text: String,
        below: &Value,
        depth: usize,
        argument: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        match below["kind"].as_str() {
            Some("OBJECT") => Some(format!("{text} {{ {} }}", self.selection(below, depth - 1, "", argument))),
            _ => {
                let each = below["possibleTypes"].as_array().expect("possible types").iter().map(|possible| {
                    let name = possible["name"].as_str().expect("a name");
                    let prefix = name.to_lowercase();
                    format!("... on {name} {{ {} }}", self.selection(&self.types[name], depth - 1, &prefix, argument))
                });
                Some(format!("{text} {{ __typename {} }}", each.collect::<Vec<_>>().join(" ")))
            }
        }
    }

    /// Everything that can be selected on a type.
    pub fn everything(&self, type_name: &str, depth: usize, argument: &dyn Fn(&str, &str) -> Option<String>) -> String {
        self.selection(&self.types[type_name], depth, "", argument)
    }

    /// Members of a union may have fields of one name and different types: with a prefix they get aliases.
    fn selection(
        &self,
        of: &Value,
        depth: usize,
        prefix: &str,
        argument: &dyn Fn(&str, &str) -> Option<String>,
    ) -> String {
        let mut selected = vec!["__typename".to_owned()];
        for (place, field) in of["fields"].as_array().expect("fields").iter().enumerate() {
            if let Some(field) = self.select(field, depth, argument) {
                let alias = if prefix.is_empty() { String::new() } else { format!("{prefix}{place}: ") };
                selected.push(format!("{alias}{field}"));
            }
        }
        selected.join(" ")
    }
}
