//! The counters as they are before anything has happened: each with the values of its labels that alerts look at.

use axum::http::StatusCode;
use metrics::counter;

use super::super::otlp;
use super::grpc_name;
use crate::error::Code;

/// Routes for data, each with its methods.
const ROUTES: [(&str, &[&str]); 7] = [
    ("/graphql", &["POST", "GET"]),
    (otlp::PATH, &["POST"]),
    (otlp::METRICS_PATH, &["POST"]),
    (otlp::LOGS_PATH, &["POST"]),
    ("/livez", &["GET"]),
    ("/readyz", &["GET"]),
    ("/metrics", &["GET"]),
];
/// Answers that somebody is woken for, or that say how much is refused.
const STATUSES: [StatusCode; 9] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
const GRPC: [tonic::Code; 8] = [
    tonic::Code::Ok,
    tonic::Code::InvalidArgument,
    tonic::Code::DeadlineExceeded,
    tonic::Code::PermissionDenied,
    tonic::Code::ResourceExhausted,
    tonic::Code::Internal,
    tonic::Code::Unavailable,
    tonic::Code::Unauthenticated,
];
/// What becomes of what is sent by OTLP.
const OUTCOMES: [(&str, &[&str]); 3] = [
    ("runledger_otlp_spans_total", &["accepted", "existing", "differing", "rejected"]),
    ("runledger_otlp_points_total", &["accepted", "dropped", "rejected"]),
    ("runledger_otlp_log_records_total", &["accepted", "digested", "dropped", "rejected"]),
];

/// Counts nothing, of everything that is known to be counted.
pub(super) fn begin() {
    for (route, methods) in ROUTES {
        for method in methods {
            for status in STATUSES {
                let status = status.as_u16().to_string();
                let labels = [("route", route.to_owned()), ("method", (*method).to_owned()), ("status", status)];
                counter!("runledger_http_requests_total", &labels).increment(0);
            }
        }
    }
    for route in otlp::grpc::METHODS {
        for status in GRPC {
            counter!("runledger_grpc_requests_total", "route" => route, "status" => grpc_name(status)).increment(0);
        }
    }
    for code in Code::ALL {
        counter!("runledger_graphql_errors_total", "code" => code.as_str()).increment(0);
    }
    for (name, outcomes) in OUTCOMES {
        for outcome in outcomes {
            counter!(name, "outcome" => *outcome).increment(0);
        }
    }
    counter!("runledger_traces_sealed_total").increment(0);
    counter!("runledger_checkpoints_signed_total").increment(0);
}
