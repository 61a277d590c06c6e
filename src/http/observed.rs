//! A body that somebody watches while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Watches a body; is dropped with it, whether it was sent or given up.
pub trait Observer: Send + Unpin + 'static {
    /// A piece goes out, of so many bytes of data.
    fn sent(&mut self, bytes: u64);
}

/// A watched body; otherwise as it was.
pub struct Observed<O> {
    body: Body,
    observer: O,
}

impl<O: Observer> Observed<O> {
    /// Watches a body.
    pub fn watch(body: Body, observer: O) -> Body {
        Body::new(Self { body, observer })
    }
}

impl<O: Observer> http_body::Body for Observed<O> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.observer.sent(bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
