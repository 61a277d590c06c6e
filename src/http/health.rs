//! Whether the process lives, and whether it can serve.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::HttpState;

/// Answers as long as the process can answer at all.
pub async fn live() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// 503 with the reasons while requests cannot be served.
pub async fn ready(State(state): State<HttpState>) -> Response {
    let mut reasons = Vec::new();
    if state.is_stopping() {
        reasons.push("the server is stopping".to_owned());
    }
    if let Err(error) = state.backend().ready().await {
        tracing::warn!(?error, "not ready");
        reasons.push(error.message().to_owned());
    }
    if reasons.is_empty() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable", "reasons": reasons }))).into_response()
}
