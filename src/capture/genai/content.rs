//! Which attributes hold message content: prompts, answers, arguments, results, documents, vectors. Content is digested as
//! sent and dropped.
//!
//! Names that are known are in tables; others are judged by their last word and by the shape of their value. Doubt ends in
//! dropping: a digest and the length stay either way.

use std::collections::HashMap;
use std::sync::LazyLock;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::table;

mod names;

use self::names::{FAMILIES, NAMES, SAFE, WORDS};

/// Which side of a call content is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What went in.
    Input,
    /// What came out.
    Output,
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment<'k> {
    /// Kept, redacted.
    Keep,
    /// Kept, redacted, without the members of its JSON that hold content.
    Scrub,
    /// Digested and dropped.
    Drop {
        /// Its side.
        side: Side,
        /// Of several contents of one side the lowest gives the step's hash.
        rank: u8,
        /// Attributes of one family (`gen_ai.prompt.0.role`, `gen_ai.prompt.0.content`) are digested as one.
        family: &'k str,
    },
}

/// Rank of content that is known by its word or shape only.
const RANK_BY_WORD: u8 = 100;
/// Rank of content of events.
pub const RANK_OF_EVENTS: u8 = 200;
/// Strings longer than this under names that nobody knows are taken for content.
const UNKNOWN_BYTES_MAX: usize = 1_024;

static NAME_INDEX: LazyLock<HashMap<&'static str, (Side, u8)>> = LazyLock::new(|| {
    let ranked = NAMES.iter().enumerate();
    ranked.map(|(place, (name, side))| (*name, (*side, u8::try_from(place).unwrap_or(RANK_BY_WORD)))).collect()
});

/// The safe beginnings by their first byte.
static SAFE_INDEX: LazyLock<Vec<Vec<&'static str>>> = LazyLock::new(|| {
    let begins = |byte: usize| SAFE.iter().copied().filter(move |safe| usize::from(safe.as_bytes()[0]) == byte);
    (0..=usize::from(u8::MAX)).map(|byte| begins(byte).collect()).collect()
});

/// What becomes of an attribute of a span.
#[must_use]
pub fn treatment<'k>(key: &'k str, value: &AnyValue) -> Treatment<'k> {
    if table::lookup(key).is_some() {
        return Treatment::Keep;
    }
    if let Some((side, rank)) = NAME_INDEX.get(key) {
        return drop_of(*side, *rank, key);
    }
    // Numbers and flags are no content: counts, scores, settings.
    if matches!(&value.value, None | Some(Value::IntValue(_) | Value::DoubleValue(_) | Value::BoolValue(_))) {
        return Treatment::Keep;
    }
    let first = usize::from(key.as_bytes().first().copied().unwrap_or_default());
    if SAFE_INDEX[first].iter().any(|safe| key.starts_with(safe)) {
        return Treatment::Keep;
    }
    if let Some((prefix, side)) = FAMILIES.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        let side = if key.ends_with(".vector") { Side::Output } else { *side };
        return drop_of(side, RANK_BY_WORD - 1, prefix.trim_end_matches('.'));
    }
    by_name_or_shape(key, value)
}

fn drop_of(side: Side, rank: u8, family: &str) -> Treatment<'_> {
    Treatment::Drop { side, rank, family }
}

fn by_name_or_shape<'k>(key: &'k str, value: &AnyValue) -> Treatment<'k> {
    if let Some((side, family)) = by_word(key) {
        return drop_of(side, RANK_BY_WORD, family);
    }
    if has_shape_of_content(value) {
        return drop_of(side_of(key, Side::Input), RANK_BY_WORD, key);
    }
    match last_word(key.rsplit('.').next().unwrap_or(key)) {
        "parameters" if key == "tool.parameters" => match &value.value {
            Some(Value::StringValue(text)) if text.contains("\"properties\"") => Treatment::Keep,
            _ => drop_of(Side::Input, RANK_BY_WORD, key),
        },
        "parameters" | "params" | "metadata" | "settings" | "config" | "kwargs" | "options" => Treatment::Scrub,
        _ => Treatment::Keep,
    }
}

/// Side and family of a name whose last word, or whose word before a number, is a word for content.
fn by_word(key: &str) -> Option<(Side, &str)> {
    let mut end = 0;
    let mut segments = key.split('.').peekable();
    while let Some(segment) = segments.next() {
        end += segment.len();
        let next = segments.peek();
        let is_last = next.is_none();
        let is_indexed = next.is_some_and(|next| is_index(next));
        if (is_last || is_indexed)
            && let Some(side) = word_side(last_word(segment))
        {
            return Some((side_of(key, side), &key[..end]));
        }
        end += 1;
    }
    None
}

fn is_index(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

fn word_side(word: &str) -> Option<Side> {
    WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, side)| *side)
}

/// The last word of `snake_case`, `kebab-case` and `camelCase`.
fn last_word(segment: &str) -> &str {
    let start = segment
        .char_indices()
        .rev()
        .find_map(|(at, character)| match character {
            '_' | '-' | '/' | ' ' => Some(at + character.len_utf8()),
            _ if character.is_uppercase() => Some(at),
            _ => None,
        })
        .unwrap_or(0);
    &segment[start..]
}

/// The side that a name says anywhere, else `otherwise`.
fn side_of(key: &str, otherwise: Side) -> Side {
    let lower = key.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["output", "response", "result", "completion", "answer", "generat"]) {
        Side::Output
    } else if says(&["input", "prompt", "request", "argument", "query"]) {
        Side::Input
    } else {
        otherwise
    }
}

fn holds_text(value: &AnyValue) -> bool {
    match &value.value {
        Some(Value::StringValue(_) | Value::BytesValue(_)) => true,
        Some(Value::ArrayValue(items)) => items.values.iter().any(holds_text),
        Some(Value::KvlistValue(members)) => {
            members.values.iter().any(|member| member.value.as_ref().is_some_and(holds_text))
        }
        _ => false,
    }
}

/// Messages, pictures, and long text under a name that nobody knows.
fn has_shape_of_content(value: &AnyValue) -> bool {
    match &value.value {
        Some(Value::StringValue(text)) => {
            text.len() > UNKNOWN_BYTES_MAX
                || text.starts_with("data:")
                || (text.starts_with(['[', '{']) && has_messages(text))
        }
        // A long list of numbers is an embedding.
        Some(Value::ArrayValue(items)) => {
            items.values.iter().any(has_shape_of_content)
                || (items.values.len() > 64 && !items.values.iter().any(holds_text))
        }
        Some(Value::KvlistValue(members)) => {
            members.values.iter().any(|member| matches!(member.key.as_str(), "role" | "parts" | "content"))
        }
        Some(Value::BytesValue(bytes)) => bytes.len() > UNKNOWN_BYTES_MAX,
        _ => false,
    }
}

fn has_messages(text: &str) -> bool {
    (text.contains("\"role\"") || text.contains("\"type\""))
        && (text.contains("\"content\"") || text.contains("\"parts\""))
}

/// What becomes of an attribute of an event. Events that are messages hold content under bare names.
#[must_use]
pub fn event_treatment<'k>(event: &str, key: &'k str, value: &AnyValue) -> Treatment<'k> {
    if event == "exception" {
        return Treatment::Keep;
    }
    let is_message = event.starts_with("gen_ai.")
        || event.contains("message")
        || event.contains("prompt")
        || event.contains("choice");
    let is_bare = !key.contains('.') && !matches!(key, "id" | "role" | "name" | "index" | "finish_reason" | "type");
    if is_message && (is_bare || key == "gen_ai.event.content") && holds_text(value) {
        return drop_of(event_side(event), RANK_OF_EVENTS, key);
    }
    match treatment(key, value) {
        Treatment::Drop { side, rank, family } if rank >= RANK_BY_WORD => {
            let side = if is_message { event_side(event) } else { side };
            drop_of(side, RANK_OF_EVENTS, family)
        }
        other => other,
    }
}

/// The side that a message event is on.
#[must_use]
pub fn event_side(event: &str) -> Side {
    let is_output = ["choice", "completion", "output", "response", "result"].iter().any(|word| event.contains(word));
    if is_output { Side::Output } else { Side::Input }
}

/// Takes the content out of JSON that also holds settings: members whose name is a word for content. Tool definitions
/// and schemas stay.
pub fn scrub(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => items.iter_mut().for_each(scrub),
        serde_json::Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                if matches!(
                    key.as_str(),
                    "tools" | "functions" | "function_tools" | "output_tools" | "schema" | "json_schema"
                ) {
                    continue;
                }
                let is_plain = member.is_number() || member.is_boolean() || member.is_null();
                if !is_plain && word_side(last_word(key)).is_some() && !is_format(member) {
                    *member = serde_json::Value::String(CONTENT.to_owned());
                } else {
                    scrub(member);
                }
            }
        }
        _ => {}
    }
}

/// What stands in the place of content within settings.
pub const CONTENT: &str = "[CONTENT]";

/// `"text": {"format": ...}` of the Responses API is a setting.
fn is_format(member: &serde_json::Value) -> bool {
    member.as_object().is_some_and(|members| members.keys().all(|key| matches!(key.as_str(), "format" | "verbosity")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> AnyValue {
        AnyValue { value: Some(Value::StringValue(text.to_owned())) }
    }

    fn side(key: &str) -> Option<Side> {
        match treatment(key, &text("what?")) {
            Treatment::Drop { side, .. } => Some(side),
            _ => None,
        }
    }

    #[test]
    fn known_and_unknown_names_of_content() {
        for key in [
            "gen_ai.input.messages",
            "gen_ai.system_instructions",
            "gen_ai.prompt.0.content",
            "gen_ai.prompt",
            "llm.prompts.0.content",
            "llm.input_messages.0.message.content",
            "input.value",
            "ai.prompt",
            "ai.prompt.messages",
            "ai.toolCall.args",
            "traceloop.entity.input",
            "gen_ai.tool.call.arguments",
            "haystack.component.input",
            "haystack.pipeline.input_data",
            "mlflow.spanInputs",
            "langfuse.observation.input",
            "tool_arguments",
            "embedding.embeddings.0.embedding.text",
            "some.new.tool.userPrompt",
            "some.new.messages.3.anything",
            "db.query.text",
            "gen_ai.prompt.0.tool_calls.0.arguments",
        ] {
            assert_eq!(side(key), Some(Side::Input), "{key}");
        }
        for key in [
            "gen_ai.output.messages",
            "gen_ai.completion.0.content",
            "llm.output_messages.0.message.content",
            "output.value",
            "ai.response.text",
            "ai.response.toolCalls",
            "ai.toolCall.result",
            "traceloop.entity.output",
            "gen_ai.tool.call.result",
            "retrieval.documents.0.document.content",
            "crewai.crew.result",
            "final_result",
            "haystack.component.output",
            "some.response.content",
            "embedding.embeddings.0.embedding.vector",
        ] {
            assert_eq!(side(key), Some(Side::Output), "{key}");
        }
    }

    #[test]
    fn names_that_only_resemble_content_are_kept() {
        for key in [
            "gen_ai.request.model",
            "gen_ai.response.id",
            "gen_ai.response.finish_reasons",
            "gen_ai.completion.0.finish_reason",
            "http.request.method",
            "http.route",
            "url.query",
            "exception.message",
            "error.message",
            "session.id",
            "input.mime_type",
            "gen_ai.tool.definitions",
            "llm.tools.0.tool.json_schema",
            "gen_ai.tool.description",
            "ai.prompt.tools",
            "gen_ai.output.type",
            "traceloop.entity.path",
            "gen_ai.task.status",
            "graph.node.id",
            "tool_call.id",
        ] {
            assert_eq!(treatment(key, &text("x")), Treatment::Keep, "{key}");
        }
        let number = AnyValue { value: Some(Value::IntValue(3)) };
        assert_eq!(treatment("retrieval.documents.0.document.score", &number), Treatment::Keep);
        assert_eq!(treatment("llm.invocation_parameters", &text("{}")), Treatment::Scrub);
    }

    #[test]
    fn shape_tells_where_names_do_not() {
        assert!(matches!(treatment("x.y", &text(r#"[{"role":"user","content":"hi"}]"#)), Treatment::Drop { .. }));
        assert!(matches!(treatment("x.y", &text(&"long ".repeat(300))), Treatment::Drop { .. }));
        assert!(matches!(treatment("x.y", &text("data:image/png;base64,AAAA")), Treatment::Drop { .. }));
        assert_eq!(treatment("x.y", &text("short")), Treatment::Keep);
    }

    #[test]
    fn events_that_are_messages_hold_content_under_bare_names() {
        assert!(matches!(
            event_treatment("gen_ai.user.message", "content", &text("hi")),
            Treatment::Drop { side: Side::Input, .. }
        ));
        assert!(matches!(
            event_treatment("gen_ai.choice", "message", &text("hi")),
            Treatment::Drop { side: Side::Output, .. }
        ));
        assert_eq!(event_treatment("gen_ai.choice", "finish_reason", &text("stop")), Treatment::Keep);
        assert_eq!(event_treatment("exception", "exception.message", &text("no")), Treatment::Keep);
        assert!(matches!(
            event_treatment("gen_ai.content.prompt", "gen_ai.prompt", &text("hi")),
            Treatment::Drop { .. }
        ));
    }

    #[test]
    fn settings_lose_the_content_among_them() {
        let mut value = json!({
            "model": "gpt-4o", "instructions": "be kind", "temperature": 1.0, "text": {"format": {"type": "text"}},
            "tools": [{"parameters": {"properties": {"query": {"type": "string"}}}}], "instruction_parts": [{"content": "x"}],
        });
        scrub(&mut value);
        assert_eq!(value["instructions"], CONTENT);
        assert_eq!(value["instruction_parts"][0]["content"], CONTENT);
        assert_eq!(value["text"]["format"]["type"], "text");
        assert_eq!(value["tools"][0]["parameters"]["properties"]["query"]["type"], "string");
        assert_eq!(value["model"], "gpt-4o");
    }
}
