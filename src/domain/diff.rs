//! The structural difference of two JSON values: which places were added, removed or changed.

use super::vocabulary::vocabulary;
use serde_json::{Map, Value};

/// Most changes that a difference lists.
pub const CHANGES_MAX: usize = 500;

vocabulary!(
    /// How a place of a state differs.
    ChangeKind as AuditChangeKind {
        /// It is there now and was not.
        Added = "ADDED",
        /// It was there and is not now.
        Removed = "REMOVED",
        /// It has another value.
        Changed = "CHANGED",
    }
);

/// One place that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where: a JSON Pointer (RFC 6901); empty for the whole value.
    pub path: String,
    /// How.
    pub kind: ChangeKind,
    /// What was there; `None` where nothing was. JSON null is a value.
    pub before: Option<Value>,
    /// What is there now; `None` where nothing is.
    pub after: Option<Value>,
}

/// The places that differ. Done one after the other they lead from before to after: objects in bytewise order of their
/// keys, lists place by place, what a list lost from its end backwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// The places.
    pub changes: Vec<Change>,
    /// Whether there are more of them than are listed.
    pub is_truncated: bool,
}

impl Diff {
    /// The difference of two values; at most `max` changes. `None` is no value at all.
    #[must_use]
    pub fn of(before: Option<&Value>, after: Option<&Value>, max: usize) -> Self {
        let mut diff = Self::default();
        diff.place(&mut String::new(), before, after, max);
        diff
    }

    fn place(&mut self, path: &mut String, before: Option<&Value>, after: Option<&Value>, max: usize) {
        match (before, after) {
            (None, None) => {}
            (Some(before), Some(after)) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.objects(path, before, after, max),
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(path, before, after, max),
            (before, after) => {
                let kind = match (before, after) {
                    (None, _) => ChangeKind::Added,
                    (_, None) => ChangeKind::Removed,
                    _ => ChangeKind::Changed,
                };
                if self.changes.len() >= max {
                    self.is_truncated = true;
                    return;
                }
                let (before, after) = (before.cloned(), after.cloned());
                self.changes.push(Change { path: path.clone(), kind, before, after });
            }
        }
    }

    fn objects(&mut self, path: &mut String, before: &Map<String, Value>, after: &Map<String, Value>, max: usize) {
        let mut keys: Vec<&String> =
            before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))).collect();
        keys.sort_unstable();
        for key in keys {
            self.below(path, &escape(key), before.get(key), after.get(key), max);
        }
    }

    fn lists(&mut self, path: &mut String, before: &[Value], after: &[Value], max: usize) {
        for (at, after) in after.iter().enumerate() {
            self.below(path, &at.to_string(), before.get(at), Some(after), max);
        }
        for (at, before) in before.iter().enumerate().skip(after.len()).rev() {
            self.below(path, &at.to_string(), Some(before), None, max);
        }
    }

    fn below(&mut self, path: &mut String, token: &str, before: Option<&Value>, after: Option<&Value>, max: usize) {
        if self.is_truncated {
            return;
        }
        let length = path.len();
        path.push('/');
        path.push_str(token);
        self.place(path, before, after, max);
        path.truncate(length);
    }
}

/// A key as a token of a JSON Pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Does the changes, the way RFC 6901 and RFC 6902 read them.
    fn apply(before: Option<Value>, diff: &Diff) -> Option<Value> {
        diff.changes.iter().fold(before, |value, change| {
            let Some((parent, token)) = change.path.rsplit_once('/') else { return change.after.clone() };
            let mut value = value.expect("a value to change");
            let key = token.replace("~1", "/").replace("~0", "~");
            match (value.pointer_mut(parent).expect("a place"), change.kind) {
                (Value::Object(members), ChangeKind::Removed) => {
                    assert_eq!(members.remove(&key), change.before);
                }
                (Value::Object(members), _) => {
                    assert_eq!(members.insert(key, change.after.clone().expect("a value")), change.before);
                }
                (Value::Array(items), ChangeKind::Added) => {
                    assert_eq!(items.len().to_string(), key, "added at the end");
                    items.push(change.after.clone().expect("a value"));
                }
                (Value::Array(items), ChangeKind::Removed) => assert_eq!(items.pop(), change.before),
                (Value::Array(items), ChangeKind::Changed) => {
                    let at: usize = key.parse().expect("a place in a list");
                    items[at] = change.after.clone().expect("a value");
                }
                (leaf, _) => panic!("{leaf} has no places"),
            }
            Some(value)
        })
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            "[a/~]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[a/~]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn applying_the_difference_to_before_gives_after(
            before in prop::option::of(values()), after in prop::option::of(values())
        ) {
            let diff = Diff::of(before.as_ref(), after.as_ref(), usize::MAX);
            prop_assert!(!diff.is_truncated);
            prop_assert_eq!(apply(before, &diff), after);
        }

        #[test]
        fn a_cap_keeps_the_first_changes_and_says_so(before in values(), after in values(), max in 0..6_usize) {
            let whole = Diff::of(Some(&before), Some(&after), usize::MAX);
            let capped = Diff::of(Some(&before), Some(&after), max);
            let kept = whole.changes.len().min(max);
            prop_assert_eq!(&capped.changes[..], &whole.changes[..kept]);
            prop_assert_eq!(capped.is_truncated, whole.changes.len() > max);
        }
    }

    #[test]
    fn places_are_json_pointers() {
        let before = json!({"a/b": 1, "m~n": [1, 2], "same": {"x": null}, "type": [1]});
        let after = json!({"a/b": 2, "m~n": [1], "same": {"x": null}, "type": {"0": 1}, "": 0});
        let diff = Diff::of(Some(&before), Some(&after), 100);
        let places: Vec<_> = diff.changes.iter().map(|change| (change.path.as_str(), change.kind)).collect();
        assert_eq!(
            places,
            [
                ("/", ChangeKind::Added),
                ("/a~1b", ChangeKind::Changed),
                ("/m~0n/1", ChangeKind::Removed),
                ("/type", ChangeKind::Changed)
            ]
        );
    }

    #[test]
    fn null_is_a_value_and_absent_is_not() {
        let of = |before: Option<Value>, after: Option<Value>| Diff::of(before.as_ref(), after.as_ref(), 9).changes;
        assert_eq!(of(None, None), []);
        let added = Change { path: String::new(), kind: ChangeKind::Added, before: None, after: Some(Value::Null) };
        assert_eq!(of(None, Some(Value::Null)), [added]);
        assert_eq!(of(Some(json!({"a": null})), Some(json!({})))[0].kind, ChangeKind::Removed);
    }
}
