//! Logs for the standard tools of transparency logs: C2SP tlog-tiles, authenticated like everything else.
//!
//! `/ledger/{log}/checkpoint` is the newest signed checkpoint; `/ledger/{log}/tile/<L>/<N>[.p/<W>]` are the hashes of
//! level L, 256 a tile; `/ledger/{log}/tile/entries/<N>[.p/<W>]` are leaves, each behind its length in two bytes. N is
//! written in groups of three digits, all but the last behind an `x`: `x001/x234/067`. A tile that the newest checkpoint
//! does not cover, and a log that is not the caller's, are not found.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use uuid::Uuid;

use super::body::{Budget, Share};
use super::error;
use super::held::{self, ANSWER_BYTES};
use crate::domain::scope::Scope;
use crate::error::{Code, Error, Result};
use crate::facade::access::AuditedRequest;
use crate::facade::tiles::{TILE_WIDTH, Tile, TileKind};
use crate::facade::{Logs, LogsFacade};

/// A tile never changes, whole or partial: its width is a part of its name.
const FOR_EVER: &str = "private, max-age=31536000, immutable";
/// What the answer depends on beside the path.
const DEPENDS_ON: &str = "authorization, x-runledger-tenant";
/// The highest level of a tree that 64 bits can count.
const LEVEL_MAX: u8 = 7;

/// The routes; authentication stands before them and puts a [`Scope`] into the request's extensions.
pub fn routes(logs: Logs) -> Router {
    Router::new()
        .route("/ledger/{log}/checkpoint", get(checkpoint))
        .route("/ledger/{log}/tile/{*tile}", get(tile))
        .with_state(logs)
}

async fn checkpoint(State(logs): State<Logs>, Path(log): Path<String>, scope: Option<Extension<Scope>>) -> Response {
    let note = async {
        let facade = logs.facade(admitted(scope)?);
        let Some(log_id) = parse_log(&log) else { return Ok(None) };
        audited(&facade, "ledgerCheckpoint", &log, facade.published_checkpoint(log_id).await).await
    };
    match note.await {
        Ok(Some(checkpoint)) => {
            let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "private, no-cache")];
            (headers, [(VARY, DEPENDS_ON)], checkpoint.note).into_response()
        }
        Ok(None) => not_found("there is no such log, or nothing of it is signed yet"),
        Err(refusal) => error::response(error::status(&refusal), &refusal),
    }
}

async fn tile(
    State(logs): State<Logs>,
    Path((log, path)): Path<(String, String)>,
    scope: Option<Extension<Scope>>,
    budget: Option<Extension<Budget>>,
) -> Response {
    let bytes = async {
        // Who has not read earlier answers is told so before anything is read.
        let mut share = Share::of(budget.map(|budget| budget.0));
        share.grow(ANSWER_BYTES)?;
        let facade = logs.facade(admitted(scope)?);
        let (Some(log_id), Some(tile)) = (parse_log(&log), parse_tile(&path)) else { return Ok(None) };
        let tile = audited(&facade, "ledgerTile", &format!("{log}/{path}"), facade.tile(log_id, tile).await).await?;
        let Some(bytes) = tile else { return Ok(None) };
        held::grow(&mut share, bytes.len())?;
        Ok(Some((bytes.len(), held::body(bytes, share))))
    };
    match bytes.await {
        Ok(Some((length, body))) => {
            let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, FOR_EVER), (VARY, DEPENDS_ON)];
            (headers, [(CONTENT_LENGTH, length)], body).into_response()
        }
        Ok(None) => not_found("there is no such tile below the newest checkpoint of a log of yours"),
        Err(refusal) => error::response(error::status(&refusal), &refusal),
    }
}

/// Gives the answer once it is on record that it was given, or refused.
async fn audited<T>(facade: &LogsFacade, operation: &str, what: &str, answer: Result<T>) -> Result<T> {
    facade.audit().close(&AuditedRequest::new(Some(operation.to_owned()), what, b"")).await?;
    answer
}

/// Who asks; the door lets nobody in without.
fn admitted(scope: Option<Extension<Scope>>) -> Result<Scope> {
    scope.map(|scope| scope.0).ok_or_else(|| Error::new(Code::Unauthenticated, "send an API key"))
}

fn not_found(message: &str) -> Response {
    error::response(StatusCode::NOT_FOUND, &Error::new(Code::NotFound, message))
}

/// The plain form only: each log has one address.
fn parse_log(text: &str) -> Option<Uuid> {
    let log_id = Uuid::try_parse(text).ok()?;
    (log_id.simple().to_string() == text).then_some(log_id)
}

/// `<L>/<N>`, `<L>/<N>.p/<W>`, and the same with `entries` for L.
fn parse_tile(path: &str) -> Option<Tile> {
    let (level, rest) = path.split_once('/')?;
    let kind = match level {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(
            plain_number(level).and_then(|level| u8::try_from(level).ok()).filter(|level| *level <= LEVEL_MAX)?,
        ),
    };
    let (place, width) = match rest.split_once(".p/") {
        None => (rest, TILE_WIDTH),
        Some((place, width)) => (place, plain_number(width).filter(|width| (1..TILE_WIDTH).contains(width))?),
    };
    Some(Tile { kind, index: parse_place(place)?, width })
}

/// `x001/x234/067` is 1234067. What would be written otherwise is no place.
fn parse_place(text: &str) -> Option<i64> {
    let mut groups = text.split('/').rev();
    let last = groups.next()?;
    let (mut place, mut unit) = (group(last)?, 1_000_i64);
    let mut first = place;
    for text in groups {
        first = group(text.strip_prefix('x')?)?;
        place = first.checked_mul(unit)?.checked_add(place)?;
        unit = unit.checked_mul(1_000)?;
    }
    (first > 0 || text.len() == last.len()).then_some(place)
}

fn group(text: &str) -> Option<i64> {
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Digits without a leading zero.
fn plain_number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(level: u8, index: i64, width: i64) -> Option<Tile> {
        Some(Tile { kind: TileKind::Hashes(level), index, width })
    }

    #[test]
    fn tiles_are_named_as_the_specification_says() {
        assert_eq!(parse_tile("0/000"), hashes(0, 0, 256));
        assert_eq!(parse_tile("3/x001/x234/067"), hashes(3, 1_234_067, 256));
        assert_eq!(parse_tile("0/x001/000.p/255"), hashes(0, 1_000, 255));
        let entries = Tile { kind: TileKind::Entries, index: 7, width: 1 };
        assert_eq!(parse_tile("entries/007.p/1"), Some(entries));
    }

    #[test]
    fn other_names_are_none() {
        for path in [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "00/000",
            "8/000",
            "-1/000",
            "data/000",
            "0/x000/001",
            "0/001/002",
            "0/x001",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/000.p/1/2",
            "0/+01",
            "0/x001/x002/",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
            "entries/x01/000",
        ] {
            assert_eq!(parse_tile(path), None, "{path}");
        }
        assert_eq!(parse_log("01970000-0000-7000-8000-000000000001"), None);
        assert!(parse_log("01970000000070008000000000000001").is_some());
    }

    proptest::proptest! {
        #[test]
        fn reads_what_the_tools_write(level in 0_u8..8, index in 0_i64..1 << 40, width in 1_i64..=256) {
            let tool = tlog_tiles::Tile::new(8, level, index.cast_unsigned(), u32::try_from(width).expect("small"), false);
            let path = tool.path();
            let path = path.strip_prefix("tile/8/").expect("of height 8");
            proptest::prop_assert_eq!(parse_tile(path), hashes(level, index, width));
        }
    }
}
