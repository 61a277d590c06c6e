//! A stream that ends when its connection is too quiet, and a service that says when requests begin and end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tower::Service;

use super::{Connection, Entered};
use crate::http::observed::Observed;

/// A stream that fails when its connection has been quiet for too long, or is closed for another.
pub(in crate::app) struct Guarded<I> {
    stream: I,
    entered: Entered,
    quiet: Pin<Box<Sleep>>,
    /// Runs while the peer takes nothing.
    unread: Option<Pin<Box<Sleep>>>,
}

impl<I> Guarded<I> {
    pub(super) fn new(stream: I, entered: Entered) -> Self {
        let quiet = Box::pin(sleep(entered.connection.time_left()));
        Self { stream, entered, quiet, unread: None }
    }

    /// Whether the connection must end; if not, the task is woken when it may have to.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let connection = &self.entered.connection;
        connection.reader.register(cx.waker());
        loop {
            let left = connection.time_left();
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Never later than when it would be too quiet, so that the end of a request shortens the wait.
            if self.quiet.deadline() > Instant::now() + left {
                self.quiet.as_mut().reset(Instant::now() + left);
            }
            if self.quiet.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            self.quiet.as_mut().reset(Instant::now() + left);
        }
    }

    /// What a write gave; an error when the peer has taken nothing for too long, or the connection must end. Nobody reads
    /// while an answer waits for its peer and the next request is there already, so that is looked at here too.
    fn poll_taken<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.unread = None;
            return written;
        }
        self.poll_quiet(cx)?;
        let patience = self.entered.connection.patience.unread;
        let unread = self.unread.get_or_insert_with(|| Box::pin(sleep(patience)));
        match unread.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guarded<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_quiet(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Guarded<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_taken(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.poll_taken(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A service whose connection knows what is under way.
#[derive(Clone)]
pub(in crate::app) struct Served<S> {
    service: S,
    connection: Arc<Connection>,
}

impl<S> Served<S> {
    pub(super) fn new(service: S, connection: Arc<Connection>) -> Self {
        Self { service, connection }
    }
}

impl<S, R> Service<R> for Served<S>
where
    S: Service<R, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (serving, answer) = (self.connection.begin(), self.service.call(request));
        Box::pin(async move { Ok(answer.await?.map(|body: Body| Observed::watch(body, serving))) })
    }
}
