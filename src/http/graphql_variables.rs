//! Variables, read without losing anything.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value, Variables};
use serde::de::{Deserialize, Deserializer, Error as _};

use crate::domain::strict_json::{Json, Strict};

/// Reads variables: an object, or null for none.
///
/// # Errors
/// What is wrong with them, in words.
pub fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
    match Strict::<Value>::deserialize(deserializer)?.0 {
        Value::Null => Ok(Variables::default()),
        object @ Value::Object(_) => Ok(Variables::from_value(object)),
        _ => Err(D::Error::custom("variables is an object")),
    }
}

impl Json for Value {
    type Members = IndexMap<Name, Self>;

    fn insert(members: &mut Self::Members, name: String, member: Self) -> Result<(), String> {
        if members.contains_key(name.as_str()) {
            return Err(name);
        }
        members.insert(Name::new(name), member);
        Ok(())
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
