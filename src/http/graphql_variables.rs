//! Variables, read without losing anything: an object that names a member twice is refused, since reading it would keep the
//! last of them and nobody could tell.

use std::fmt;

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value, Variables};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Reads variables: an object, or null for none.
///
/// # Errors
/// What is wrong with them, in words.
pub fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
    match Strict::deserialize(deserializer)?.0 {
        Value::Null => Ok(Variables::default()),
        object @ Value::Object(_) => Ok(Variables::from_value(object)),
        _ => Err(D::Error::custom("variables is an object")),
    }
}

/// A value in which every object names each member once.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON that names no member twice")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = IndexMap::new();
        while let Some((name, Strict(member))) = access.next_entry::<String, Strict>()? {
            let name = Name::new(name);
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("an object names its member {name} twice")));
            }
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Variables, serde_json::Error> {
        variables(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn reads_what_the_library_reads_but_no_member_twice() {
        let text = r#"{"a":{"b":[1,-2,2.5,"x",true,null,{}],"c":18446744073709551615}}"#;
        assert_eq!(read(text).expect("variables"), serde_json::from_str::<Variables>(text).expect("variables"));
        assert_eq!(read("null").expect("none"), Variables::default());
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#, "[]", "1", "\"x\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
