//! Ports: bound before anything else, so that a second server stops before it touches the database.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;

use super::AppError;
use crate::config::Config;

/// Time for a request's headers to arrive, and for the next request on a quiet connection.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(60);

/// The bound ports.
pub struct Listeners {
    pub(super) http: TcpListener,
    pub(super) grpc: Option<TcpListener>,
}

impl Listeners {
    /// Binds the ports of the settings.
    ///
    /// # Errors
    /// The setting whose address cannot be had.
    pub fn bind(config: &Config) -> Result<Self, AppError> {
        let http = bind("listen", config.listen)?;
        let grpc = config.otlp_grpc_listen.map(|address| bind("otlp-grpc-listen", address)).transpose()?;
        Ok(Self { http, grpc })
    }

    /// Address of GraphQL and OTLP/HTTP.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn http_address(&self) -> io::Result<SocketAddr> {
        self.http.local_addr()
    }

    /// Address of OTLP/gRPC, where it is on.
    #[must_use]
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().and_then(|listener| listener.local_addr().ok())
    }
}

fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, AppError> {
    let bound = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| {
        AppError::new(format!("{setting}: {address} cannot be had: {error}; choose another with --{setting}"))
    })
}

/// Serves until the handle is told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    // A connection that sends nothing does not hold its place for ever.
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    server.http_builder().http2().timer(TokioTimer::new()).keep_alive_interval(HEADERS_TIMEOUT);
    match tls {
        None => server.acceptor(NoDelayAcceptor).serve(service).await,
        Some(tls) => server.acceptor(RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor)).serve(service).await,
    }
}

/// The certificate, where there is one.
pub(super) async fn tls(config: &Config) -> Result<Option<RustlsConfig>, AppError> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let loaded = RustlsConfig::from_pem_file(cert, key).await;
    loaded.map(Some).map_err(|error| AppError::new(format!("tls-cert, tls-key: {error}; both are PEM files")))
}
