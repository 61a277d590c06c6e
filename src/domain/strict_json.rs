//! JSON that is read without losing anything: an object that names a member twice is refused, since reading it would keep
//! the last of them and hide the others from whoever looks at the value. Names that `serde_json` has kept for itself, and
//! whose objects it reads as something else, are names like any other.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// What JSON is read into.
pub trait Json:
    From<()> + From<bool> + From<i64> + From<u64> + From<f64> + From<String> + From<Vec<Self>> + From<Self::Members>
{
    /// The members of an object.
    type Members: Default;
    /// Adds a member; gives its name back when one of that name is there already.
    fn insert(members: &mut Self::Members, name: String, member: Self) -> Result<(), String>;
}

impl Json for Value {
    type Members = Map<String, Self>;

    fn insert(members: &mut Self::Members, name: String, member: Self) -> Result<(), String> {
        match members.entry(name) {
            Entry::Vacant(place) => {
                place.insert(member);
                Ok(())
            }
            Entry::Occupied(place) => Err(place.key().clone()),
        }
    }
}

/// A value in which every object names each member once.
#[derive(Debug)]
pub struct Strict<T>(pub T);

impl<'de, T: Json> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor(PhantomData)).map(Strict)
    }
}

struct StrictVisitor<T>(PhantomData<T>);

impl<'de, T: Json> Visitor<'de> for StrictVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON that names no member twice")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(().into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<T, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<T, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(value.to_owned().into())
    }

    fn visit_string<E>(self, value: String) -> Result<T, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<T, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element::<Strict<T>>()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<T, A::Error> {
        let mut members = T::Members::default();
        while let Some((name, Strict(member))) = access.next_entry::<String, Strict<T>>()? {
            T::insert(&mut members, name, member)
                .map_err(|name| A::Error::custom(format!("an object names its member {name} twice")))?;
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_library_reads_but_no_member_twice() {
        let read = |text: &str| serde_json::from_str::<Strict<Value>>(text).map(|strict| strict.0);
        let text = r#"{"a":{"b":[1,-2,2.5,"x","\u0041",true,null,{}],"c":18446744073709551615}}"#;
        assert_eq!(read(text).expect("JSON"), serde_json::from_str::<Value>(text).expect("JSON"));
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"a":[{"b":1,"\u0062":2}]}]"#, "{"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let refusal = read(r#"{"a":1,"a":1}"#).expect_err("a member twice").to_string();
        assert!(refusal.contains("an object names its member a twice"), "{refusal}");
        let kept = r#"{"$serde_json::private::RawValue":"[1]"}"#;
        assert_eq!(read(kept).expect("JSON").to_string(), kept);
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(read(&deep).is_err(), "the parser's own bound on depth holds");
    }
}
