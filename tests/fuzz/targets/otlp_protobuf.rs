//! OTLP requests in protobuf.
#![no_main]

mod otlp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = runledger::capture::otlp::decode_protobuf(bytes) {
        otlp::check(request);
    }
});
