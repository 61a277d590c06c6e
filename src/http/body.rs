//! Reads request bodies: limits count after decompression, chunk by chunk, so that a small bomb never becomes a large
//! buffer.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::state::busy;
use crate::error::{Code, Error};

/// Time for a body to arrive.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

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
    /// Bytes that all bodies may take together; `None` where they are small enough not to count.
    pub budget: Option<Arc<Semaphore>>,
}

/// A body's share of the budget, given back when it is dropped.
pub type Share = Option<OwnedSemaphorePermit>;

/// A body that was read.
pub struct ReadBody {
    /// The decompressed bytes.
    pub bytes: Vec<u8>,
    /// To be held for as long as what was made of the bytes is.
    pub share: Share,
}

/// Reads a body that is plain or in gzip.
///
/// # Errors
/// 415 for another encoding, 413 over the limit, 400 for broken gzip, 408 when it does not arrive in time, 503 when the
/// server holds too many bodies already.
pub async fn read(headers: &HeaderMap, body: Body, limit: &BodyLimit) -> Result<ReadBody, Refused> {
    let is_gzip = is_gzip(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(announced) = announced.filter(|announced| *announced > limit.bytes_max as u64) {
        return Err(too_large(limit.bytes_max, Some(announced)));
    }
    let sink = Sink { bytes: Vec::new(), limit: limit.clone(), share: None, refused: None };
    let reading = async move { if is_gzip { read_gzip(body, sink).await } else { read_plain(body, sink).await } };
    match tokio::time::timeout(READ_TIMEOUT, reading).await {
        Ok(read) => read,
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, late())),
    }
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

async fn read_plain(body: Body, mut sink: Sink) -> Result<ReadBody, Refused> {
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        sink.take(&chunk.map_err(broken)?)?;
    }
    Ok(sink.finish())
}

async fn read_gzip(body: Body, sink: Sink) -> Result<ReadBody, Refused> {
    let mut chunks = body.into_data_stream();
    let mut decoder = MultiGzDecoder::new(sink);
    let mut is_empty = true;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(broken)?;
        is_empty &= chunk.is_empty();
        if let Err(error) = decoder.write_all(&chunk) {
            return Err(decoder.get_mut().refused.take().unwrap_or_else(|| broken(error)));
        }
    }
    if is_empty {
        return Err(broken("it is empty"));
    }
    if let Err(error) = decoder.try_finish() {
        return Err(decoder.get_mut().refused.take().unwrap_or_else(|| broken(error)));
    }
    let sink = std::mem::replace(decoder.get_mut(), Sink::closed());
    Ok(sink.finish())
}

/// Collects decompressed bytes up to the limit.
struct Sink {
    bytes: Vec<u8>,
    limit: BodyLimit,
    share: Share,
    /// Why the last write failed: an `io::Error` cannot say it.
    refused: Option<Refused>,
}

impl Sink {
    /// A sink that takes nothing.
    fn closed() -> Self {
        Self { bytes: Vec::new(), limit: BodyLimit { bytes_max: 0, budget: None }, share: None, refused: None }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Refused> {
        if self.bytes.len() + chunk.len() > self.limit.bytes_max {
            return Err(too_large(self.limit.bytes_max, None));
        }
        if let (Some(budget), Ok(size)) = (&self.limit.budget, u32::try_from(chunk.len())) {
            let more = Arc::clone(budget)
                .try_acquire_many_owned(size)
                .map_err(|_| Refused::new(StatusCode::SERVICE_UNAVAILABLE, busy()))?;
            match &mut self.share {
                Some(share) => share.merge(more),
                None => self.share = Some(more),
            }
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    fn finish(self) -> ReadBody {
        ReadBody { bytes: self.bytes, share: self.share }
    }
}

impl Write for Sink {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        match self.take(chunk) {
            Ok(()) => Ok(chunk.len()),
            Err(refused) => {
                self.refused = Some(refused);
                Err(io::Error::other("refused"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body did not arrive in time.
pub(super) fn late() -> Error {
    Error::new(Code::Timeout, format!("the body did not arrive within {READ_TIMEOUT:?}; send it again"))
}

fn too_large(limit: usize, value: Option<u64>) -> Refused {
    let message = format!("a body has at most {limit} bytes after decompression; send less in one request");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Error::limit(message, limit as u64, value))
}

fn broken(cause: impl std::fmt::Display) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, Error::new(Code::BadUserInput, format!("the body cannot be read: {cause}")))
}
