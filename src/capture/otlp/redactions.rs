//! Each text of a document is redacted once and whole, however often the document is written: within a smaller budget it is
//! cut anew, and never before it is redacted, so that no half of a secret stays.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::payload::stored_key;
use crate::capture::genai::content;
use crate::capture::redact::redact_text;
use crate::capture::text::clip;

/// Shorter texts are read again, in bytes: that costs no more than to look them up.
const REMEMBERED_BYTES_MIN: usize = 32;

/// What became of a text.
enum Redacted<'a> {
    /// Nothing: it holds no secrets.
    Same(&'a str),
    Other(Box<str>),
}

impl<'a> Redacted<'a> {
    fn of(text: &'a str) -> Self {
        match redact_text(text) {
            Cow::Borrowed(same) => Self::Same(same),
            Cow::Owned(other) => Self::Other(other.into_boxed_str()),
        }
    }

    fn clipped(&self, bytes: usize) -> Cow<'a, str> {
        match self {
            Self::Same(text) => clip(text, bytes),
            Self::Other(text) => Cow::Owned(clip(text, bytes).into_owned()),
        }
    }
}

/// The texts of one document that were redacted. They outlive it, so that a place in memory is one text for as long as it
/// is asked.
#[derive(Default)]
pub(super) struct Redactions<'a> {
    texts: RefCell<HashMap<(usize, usize), Redacted<'a>>>,
    keys: RefCell<HashMap<(usize, usize), Cow<'a, str>>>,
    /// Settings without the content among them; `None` where the text is no JSON object.
    settings: RefCell<HashMap<(usize, usize), Option<String>>>,
}

impl<'a> Redactions<'a> {
    /// The text without secrets, of at most so many bytes and what says how many are missing.
    pub(super) fn clipped(&self, text: &'a str, bytes: usize) -> Cow<'a, str> {
        if text.len() < REMEMBERED_BYTES_MIN {
            return Redacted::of(text).clipped(bytes);
        }
        self.texts.borrow_mut().entry(place(text)).or_insert_with(|| Redacted::of(text)).clipped(bytes)
    }

    /// A name of an attribute as it is stored.
    pub(super) fn key(&self, key: &'a str) -> Cow<'a, str> {
        if key.len() < REMEMBERED_BYTES_MIN {
            return stored_key(key);
        }
        let mut keys = self.keys.borrow_mut();
        match keys.entry(place(key)).or_insert_with(|| stored_key(key)) {
            Cow::Borrowed(key) => Cow::Borrowed(key),
            Cow::Owned(key) => Cow::Owned(key.clone()),
        }
    }

    /// Whether the text holds secrets.
    pub(super) fn is_secret(&self, text: &'a str) -> bool {
        let mut texts = self.texts.borrow_mut();
        matches!(texts.entry(place(text)).or_insert_with(|| Redacted::of(text)), Redacted::Other(_))
    }

    /// JSON settings without content and secrets; `None` where the text is no JSON object.
    pub(super) fn settings(&self, text: &'a str, bytes: usize) -> Option<String> {
        let mut settings = self.settings.borrow_mut();
        let scrubbed = settings.entry(place(text)).or_insert_with(|| {
            let mut value: serde_json::Value = serde_json::from_str(text).ok().filter(serde_json::Value::is_object)?;
            content::scrub(&mut value);
            Some(redact_text(&value.to_string()).into_owned())
        });
        scrubbed.as_deref().map(|text| clip(text, bytes).into_owned())
    }
}

fn place(text: &str) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    use super::*;
    use crate::capture::genai::content::Treatment;
    use crate::capture::otlp::document::within;
    use crate::capture::otlp::payload::{BUDGETS, write_kept};
    use crate::capture::redact::work_of;

    fn attributes(count: usize, text: &str) -> Vec<KeyValue> {
        (0..count)
            .map(|at| KeyValue {
                key: format!("key{at}"),
                value: Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) }),
                ..KeyValue::default()
            })
            .collect()
    }

    fn written(attributes: &[KeyValue], bytes: usize) -> Option<String> {
        within(bytes, |out, budget, redactions| {
            write_kept(out, attributes, budget, redactions, |_, _, _| Treatment::Keep);
        })
    }

    #[test]
    fn every_text_is_redacted_once_whatever_the_budgets() {
        let texts = attributes(40, &"mail jane@example.test and password=hunter2 ".repeat(250));
        let once = work_of(|| {
            written(&texts, usize::MAX).expect("it fits");
        });
        let (mut all, mut last) = (0, None);
        // Only the last budget fits.
        all += work_of(|| last = written(&texts, 5_000));
        let last = last.expect("the last budget fits");
        assert!(last.contains("…[") && last.contains("[REDACTED]") && !last.contains("hunter2"), "{last}");
        assert!(all < once + once / 4, "{all} where once is {once}");
    }

    #[test]
    fn no_half_of_a_secret_stays_where_a_text_is_cut() {
        for budget in BUDGETS {
            for before in 0..80_usize {
                let text = format!(
                    "{}sk-proj-0123456789abcdef0123456789abcdef tail",
                    "a ".repeat((budget.string_bytes + 20).saturating_sub(before) / 2)
                );
                let texts = attributes(1, &text);
                let mut out = String::new();
                write_kept(&mut out, &texts, budget, &Redactions::default(), |_, _, _| Treatment::Keep);
                assert!(!out.contains("sk-p") && !out.contains("0123"), "{out}");
            }
        }
    }
}
