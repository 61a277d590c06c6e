//! Reads request bodies. What a body may cost is counted as it comes: bytes that are held, before they are; time, in all and
//! between two pieces; gzip, which is unpacked only as far as the limit, and away from the serving threads once it is large.

mod gunzip;

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt as _;

use self::gunzip::{Gunzip, MEMBERS_MAX};
use super::apart::Apart;
use super::fair::{FairPermit, FairPool, NoPermit};
use super::state::busy;
use crate::domain::ids::TenantId;
use crate::error::{Code, Error};

/// Time for a body to arrive.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Time in which a further piece of it must.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// What is larger than a batch that exporters send by themselves is unpacked and read into messages away from the threads that
/// serve requests, and has few turns.
pub(super) const LIGHT_BYTES: usize = 256 << 10;

/// Why a body was not taken.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// What to do.
    pub error: Error,
}

impl Refused {
    pub(super) fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }
}

/// How large bodies may be, one and all together.
#[derive(Clone)]
pub struct BodyLimit {
    /// Bytes of one body after decompression.
    pub bytes_max: usize,
    /// The budget that its bytes are charged to; `None` where they are small enough not to count.
    pub budget: Option<Budget>,
}

/// Bytes that requests hold, by tenant: one cannot take what all need.
#[derive(Clone)]
pub struct Budget {
    pub(super) pool: FairPool,
    pub(super) tenant: TenantId,
}

/// What of the budget a request holds, given back when it is dropped. Without a budget it is nothing.
#[derive(Default)]
pub struct Share {
    budget: Option<Budget>,
    held: Option<FairPermit>,
}

impl Share {
    /// One of this budget, which holds nothing yet.
    pub(super) fn of(budget: Option<Budget>) -> Self {
        Self { budget, held: None }
    }

    /// Takes more of the budget.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when there is not as much.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(budget) = self.budget.as_ref().filter(|_| bytes > 0) else { return Ok(()) };
        let more = budget.pool.try_acquire_many(&budget.tenant, bytes).map_err(|none| match none {
            NoPermit::OwnShare => {
                Error::unavailable("this tenant's requests hold as many bytes as they may: send it again", 1_000)
            }
            NoPermit::Full | NoPermit::Late => busy(),
        })?;
        match &mut self.held {
            // Both are of one pool and tenant, so it is taken.
            Some(held) => drop(held.merge(more)),
            held => *held = Some(more),
        }
        Ok(())
    }

    /// Keeps so much at most, and gives the rest back.
    fn shrink_to(&mut self, bytes: usize) {
        if let Some(held) = &mut self.held {
            held.shrink_to(bytes);
        }
    }

    /// Another one of the same budget, which holds nothing yet.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::of(self.budget.clone())
    }
}

/// A body that was read.
pub struct ReadBody {
    /// The decompressed bytes.
    pub bytes: Vec<u8>,
    /// To be held for as long as what was made of the bytes is.
    pub share: Share,
}

/// A body as it came.
pub struct Arrived {
    state: State,
    bytes_max: usize,
    share: Share,
}

enum State {
    Plain(Vec<u8>),
    Packed(Box<Gunzip>),
}

impl Arrived {
    /// Bytes that came, with what they take of the budget; `is_gzip` says how they are to be read.
    ///
    /// # Errors
    /// 400 where there are none, and so no gzip.
    pub(super) fn new(bytes: Vec<u8>, is_gzip: bool, bytes_max: usize, share: Share) -> Result<Self, Refused> {
        if is_gzip && bytes.is_empty() {
            return Err(broken("it is empty"));
        }
        let state = if is_gzip { State::Packed(Box::new(Gunzip::new(bytes))) } else { State::Plain(bytes) };
        Ok(Self { state, bytes_max, share })
    }

    /// Unpacks the first bytes; true when that was all, and little.
    ///
    /// # Errors
    /// As for [`Self::unpack`].
    pub fn is_light(&mut self) -> Result<bool, Refused> {
        match &mut self.state {
            State::Plain(bytes) => Ok(bytes.len() <= LIGHT_BYTES),
            State::Packed(gunzip) if gunzip.packed_bytes() > LIGHT_BYTES => Ok(false),
            State::Packed(_) => self.run(LIGHT_BYTES),
        }
    }

    /// The bytes, unpacked; what they were made of is gone, and counts no longer.
    ///
    /// # Errors
    /// 413 over the limit, 400 for broken gzip, 503 when so much cannot be held.
    pub fn unpack(mut self) -> Result<ReadBody, Refused> {
        self.run(usize::MAX)?;
        let bytes = match self.state {
            State::Plain(bytes) => bytes,
            State::Packed(gunzip) => gunzip.finish(),
        };
        self.share.shrink_to(bytes.len());
        Ok(ReadBody { bytes, share: self.share })
    }

    fn run(&mut self, up_to: usize) -> Result<bool, Refused> {
        let (bytes_max, share) = (self.bytes_max, &mut self.share);
        let State::Packed(gunzip) = &mut self.state else { return Ok(true) };
        loop {
            if gunzip.len() > bytes_max {
                return Err(too_large(bytes_max, None));
            }
            if gunzip.members() > MEMBERS_MAX {
                let limit = MEMBERS_MAX as u64;
                let message = format!("gzip has at most {limit} members in one body; send it as one");
                return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Error::limit(message, limit, None)));
            }
            if gunzip.is_done() || gunzip.len() >= up_to {
                return Ok(gunzip.is_done());
            }
            let more = gunzip.step().map_err(broken)?;
            share.grow(more)?;
        }
    }
}

/// Reads a body that is plain or in gzip; a large one is unpacked apart.
///
/// # Errors
/// 415 for another encoding, 413 over the limit, 400 for broken gzip, 408 when it does not arrive in time, 503 when the
/// server holds too many bytes already.
pub(super) async fn read(
    apart: &Apart,
    tenant: &TenantId,
    headers: &HeaderMap,
    body: Body,
    limit: &BodyLimit,
) -> Result<ReadBody, Refused> {
    let mut arrived = arrive(headers, body, limit).await?;
    if arrived.is_light()? || matches!(arrived.state, State::Plain(_)) {
        return arrived.unpack();
    }
    apart.run(tenant, usize::MAX, move || arrived.unpack()).await.map_err(Refused::from)?
}

/// Takes a body as it comes.
///
/// # Errors
/// As for [`read`].
pub(super) async fn arrive(headers: &HeaderMap, body: Body, limit: &BodyLimit) -> Result<Arrived, Refused> {
    let is_gzip = is_gzip(headers)?;
    let (bytes, share) = collect(headers, body, limit, 0).await?;
    Arrived::new(bytes, is_gzip, limit.bytes_max, share)
}

/// The bytes of a body, whatever they are, with so many around it that the limit does not count.
///
/// # Errors
/// As for [`read`].
pub(super) async fn collect(
    headers: &HeaderMap,
    body: Body,
    limit: &BodyLimit,
    around: usize,
) -> Result<(Vec<u8>, Share), Refused> {
    collect_within(headers, body, limit, around, READ_TIMEOUT, STALL_TIMEOUT).await
}

async fn collect_within(
    headers: &HeaderMap,
    body: Body,
    limit: &BodyLimit,
    around: usize,
    in_all: Duration,
    a_piece: Duration,
) -> Result<(Vec<u8>, Share), Refused> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let announced = announced.map(|announced| announced.saturating_sub(around as u64));
    if let Some(announced) = announced.filter(|announced| *announced > limit.bytes_max as u64) {
        return Err(too_large(limit.bytes_max, Some(announced)));
    }
    let late = |time| Refused::new(StatusCode::REQUEST_TIMEOUT, late(time));
    let reading = async {
        let (mut bytes, mut share) = (Vec::new(), Share::of(limit.budget.clone()));
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = tokio::time::timeout(a_piece, chunks.next()).await.map_err(|_| late(a_piece))? {
            let chunk = chunk.map_err(broken)?;
            if bytes.len() + chunk.len() > limit.bytes_max.saturating_add(around) {
                return Err(too_large(limit.bytes_max, None));
            }
            share.grow(chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        Ok((bytes, share))
    };
    tokio::time::timeout(in_all, reading).await.map_err(|_| late(in_all))?
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refused> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = encodings.next().map_or(b"identity".as_slice(), |value| value.as_bytes());
    let is = |name: &str| encoding.eq_ignore_ascii_case(name.as_bytes());
    match encodings.next() {
        None if is("gzip") || is("x-gzip") => Ok(true),
        None if encoding.is_empty() || is("identity") => Ok(false),
        _ => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::new(Code::BadUserInput, "this content encoding is not read; send gzip or no content encoding"),
        )),
    }
}

/// The body did not arrive in time.
fn late(time: Duration) -> Error {
    let message = format!(
        "the body, or a piece of it, did not arrive within {time:?}; it has {READ_TIMEOUT:?} in all and {STALL_TIMEOUT:?} a \
         piece: send it again"
    );
    Error::new(Code::Timeout, message)
}

fn too_large(limit: usize, value: Option<u64>) -> Refused {
    let message = format!("a body has at most {limit} bytes after decompression; send less in one request");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Error::limit(message, limit as u64, value))
}

pub(super) fn broken(cause: impl std::fmt::Display) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, Error::new(Code::BadUserInput, format!("the body cannot be read: {cause}")))
}

#[cfg(test)]
mod tests;
