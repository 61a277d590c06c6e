//! Redaction of text and JSON: never panics, and what it has redacted it leaves alone.
#![no_main]

use runledger::capture::redact::{redact_json, redact_text};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let once = redact_text(text);
    assert_eq!(redact_text(&once), once);
    if let Ok(value) = serde_json::from_str(text)
        && let Ok(once) = redact_json(value)
    {
        assert_eq!(redact_json(once.clone()).expect("what was redacted can be redacted"), once);
    }
});
