//! OTLP requests in JSON.
#![no_main]

mod otlp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = runledger::capture::otlp::decode_json(bytes) {
        otlp::check(request);
    }
});
