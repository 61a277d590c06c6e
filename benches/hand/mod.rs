//! The route that a person would write by hand for this one page: the same three statements, rows straight into JSON. It
//! gives what the GraphQL query of the benchmark gives, cursors apart, which it takes from the rows.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Extension, Router};
use chrono::{DateTime, SecondsFormat};
use runledger::domain::scope::Scope;
use sea_orm::sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sea_orm::sqlx::{self, Row};
use serde::Serialize;
use uuid::Uuid;

const RUNS: &str = include_str!("runs.sql");
const TRACES: &str = include_str!("traces.sql");
const STEPS: &str = include_str!("steps.sql");
const PAGE: usize = 50;
const STEPS_PAGE: i64 = 10;

/// The route `/hand`.
pub async fn routes(url: &str) -> Router {
    let pool = PgPoolOptions::new().max_connections(8).test_before_acquire(false).connect(url).await.expect("connects");
    Router::new().route("/hand", post(page)).with_state(pool)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step<'r> {
    cursor: String,
    step_index: i64,
    span_id: &'r str,
    kind: &'r str,
    skill_name: &'r str,
    status: &'r str,
    started_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'r> {
    trace_id: &'r str,
    status: &'r str,
    steps: Vec<Step<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r> {
    cursor: String,
    id: String,
    run_id: &'r str,
    provider: &'r str,
    model: &'r str,
    execution_status: &'r str,
    input_tokens: i64,
    output_tokens: i64,
    cost_usd: Option<String>,
    started_at: String,
    trace: Option<Trace<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'r> {
    runs: Vec<Run<'r>>,
    has_next_page: bool,
    end_cursor: Option<String>,
}

fn text(row: &PgRow, column: usize) -> &str {
    row.get(column)
}

fn instant(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).expect("in range").to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn usd(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn steps<'r>(rows: &[&'r PgRow]) -> Vec<Step<'r>> {
    let shown = rows.iter().take(usize::try_from(STEPS_PAGE).expect("small"));
    shown
        .map(|row| Step {
            cursor: row.get::<i64, _>(5).to_string(),
            step_index: row.get(5),
            span_id: text(row, 8),
            kind: text(row, 11),
            skill_name: text(row, 12),
            status: text(row, 13),
            started_at: instant(row.get(22)),
        })
        .collect()
}

async fn page(State(pool): State<PgPool>, Extension(scope): Extension<Scope>) -> impl IntoResponse {
    let tenant = scope.tenant.as_str();
    let runs =
        sqlx::query(RUNS).bind(tenant).bind(1_i64).bind(0_i64).bind(51_i64).fetch_all(&pool).await.expect("runs");
    let names: Arc<Vec<String>> =
        Arc::new(runs.iter().take(PAGE).filter_map(|row| row.get::<Option<String>, _>(6)).collect());
    let traces = sqlx::query(TRACES).bind(tenant).bind(names.as_slice()).fetch_all(&pool);
    let step_rows = sqlx::query(STEPS)
        .bind(tenant)
        .bind(names.as_slice())
        .bind(Vec::<String>::new())
        .bind(Vec::<String>::new())
        .bind(0_i64)
        .bind(i64::MAX)
        .bind(STEPS_PAGE + 1)
        .fetch_all(&pool);
    let (traces, step_rows) = futures_util::try_join!(traces, step_rows).expect("traces and steps");
    let traces: HashMap<&str, &PgRow> = traces.iter().map(|row| (text(row, 4), row)).collect();
    let mut steps_of: HashMap<&str, Vec<&PgRow>> = HashMap::new();
    for row in &step_rows {
        steps_of.entry(text(row, 4)).or_default().push(row);
    }
    let shown = runs.iter().take(PAGE).map(|row| Run {
        cursor: row.get::<i64, _>(2).to_string(),
        id: format!("run_{}", row.get::<Uuid, _>(1)),
        run_id: text(row, 4),
        provider: text(row, 12),
        model: text(row, 13),
        execution_status: text(row, 29),
        input_tokens: row.get(21),
        output_tokens: row.get(22),
        cost_usd: row.get::<Option<i64>, _>(27).map(usd),
        started_at: instant(row.get(31)),
        trace: row.get::<Option<&str>, _>(6).and_then(|name| traces.get(name)).map(|trace| Trace {
            trace_id: text(trace, 4),
            status: trace.get::<Option<&str>, _>(29).unwrap_or("RUNNING"),
            steps: steps_of.get(text(trace, 4)).map(|rows| steps(rows)).unwrap_or_default(),
        }),
    });
    let shown: Vec<Run<'_>> = shown.collect();
    let end_cursor = shown.last().map(|run| run.cursor.clone());
    let page = Page { has_next_page: runs.len() > PAGE, end_cursor, runs: shown };
    ([(header::CONTENT_TYPE, "application/json")], serde_json::to_vec(&page).expect("JSON"))
}
