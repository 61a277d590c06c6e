//! `google.rpc.Status`, the body of OTLP errors, in both encodings. Fields and type names are those of
//! `google/rpc/status.proto`, `google/rpc/error_details.proto` and `google/protobuf/{any,duration}.proto`.

use prost::Message;
use serde_json::{Value, json};

use crate::error::{Code, Detail, Error};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[derive(Clone, PartialEq, Message)]
pub(in crate::http) struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::http) struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::http) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::http) struct Duration {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// The gRPC code of an error. A busy server is UNAVAILABLE, which exporters try again; RESOURCE_EXHAUSTED with a time to
/// wait they do too, without one they do not.
pub(in crate::http) fn grpc_code(error: &Error) -> tonic::Code {
    match error.code() {
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::Forbidden => tonic::Code::PermissionDenied,
        Code::NotFound => tonic::Code::NotFound,
        Code::BadUserInput | Code::BadCursor | Code::GraphqlParseFailed | Code::GraphqlValidationFailed => {
            tonic::Code::InvalidArgument
        }
        // Not ABORTED, which exporters try again.
        Code::Conflict => tonic::Code::FailedPrecondition,
        Code::LimitExceeded => tonic::Code::ResourceExhausted,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::Timeout => tonic::Code::DeadlineExceeded,
        Code::Internal => tonic::Code::Internal,
    }
}

/// The error as a protobuf message, with RetryInfo where a time to wait is known.
pub(in crate::http) fn to_message(error: &Error) -> Status {
    let details = match error.detail() {
        Detail::RetryAfterMs(wait_ms) => {
            let nanos = i32::try_from(wait_ms % 1_000).unwrap_or(0) * 1_000_000;
            let delay = Duration { seconds: i64::try_from(wait_ms / 1_000).unwrap_or(i64::MAX), nanos };
            let info = RetryInfo { retry_delay: Some(delay) };
            vec![Any { type_url: RETRY_INFO.to_owned(), value: info.encode_to_vec() }]
        }
        _ => Vec::new(),
    };
    Status { code: grpc_code(error).into(), message: error.message().to_owned(), details }
}

/// The same in protobuf's JSON form.
pub(in crate::http) fn to_json(error: &Error) -> Value {
    let mut status = json!({ "code": i32::from(grpc_code(error)), "message": error.message() });
    if let Detail::RetryAfterMs(wait_ms) = error.detail() {
        let delay = format!("{}.{:03}s", wait_ms / 1_000, wait_ms % 1_000);
        status["details"] = json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_becomes_retry_info() {
        let error = Error::unavailable("busy", 1_500);
        let message = Status::decode(to_message(&error).encode_to_vec().as_slice()).expect("own message");
        assert_eq!((message.code, message.message.as_str()), (14, "busy"));
        let info = RetryInfo::decode(message.details[0].value.as_slice()).expect("own message");
        assert_eq!(info.retry_delay, Some(Duration { seconds: 1, nanos: 500_000_000 }));
        assert_eq!(to_json(&error)["details"][0]["retryDelay"], "1.500s");
        assert!(to_message(&Error::input("f", "bad")).details.is_empty());
    }
}
