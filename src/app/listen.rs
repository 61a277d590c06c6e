//! Ports: bound before anything else, so that a second server stops before it touches the database.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;

use super::AppError;
use super::connections::{Connections, Patience, raise_file_limit};
use crate::config::Config;

/// How often a quiet HTTP/2 peer is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// Calls of one HTTP/2 connection that are open at a time.
const STREAMS_MAX: u32 = 64;
/// Bytes that one call may send before they are read, and all calls of a connection.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 512 << 10;
/// Files that are kept for the database, the log and the like.
const FILES_RESERVED: usize = 128;
/// Connections where neither the setting nor the limit of files says less: each takes some 20 kB.
const CONNECTIONS_MAX: usize = 4096;
const CONNECTIONS_MIN: usize = 16;

/// The bound ports.
pub struct Listeners {
    pub(super) http: TcpListener,
    pub(super) grpc: Option<TcpListener>,
    pub(super) connections: Connections,
}

impl Listeners {
    /// Binds the ports of the settings.
    ///
    /// # Errors
    /// The setting whose address cannot be had.
    pub fn bind(config: &Config) -> Result<Self, AppError> {
        let http = bind("listen", config.listen)?;
        let grpc = config.otlp_grpc_listen.map(|address| bind("otlp-grpc-listen", address)).transpose()?;
        let limit = connections(usize::try_from(config.connections).unwrap_or(usize::MAX), raise_file_limit())?;
        Ok(Self { http, grpc, connections: Connections::new(limit, Patience::default()) })
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

/// Connections by the setting, or where it is 0 by the limit of open files.
fn connections(setting: usize, files: usize) -> Result<usize, AppError> {
    let there_are = files.saturating_sub(FILES_RESERVED);
    match setting {
        0 => Ok((there_are / 4 * 3).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)),
        setting if setting <= there_are => Ok(setting),
        setting => Err(AppError::setting(format!(
            "connections: {setting} need {} open files, and this process may have {files}; raise that limit (ulimit -n), or \
             set at most {there_are}",
            setting + FILES_RESERVED
        ))),
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
    connections: Connections,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    // The library counts from the first byte on; what is quiet before it, and between requests, the connections see to.
    let patience = connections.patience();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(patience.idle);
    let mut http2 = server.http_builder().http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL).max_concurrent_streams(STREAMS_MAX);
    http2.initial_stream_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    match tls {
        None => server.acceptor(connections).serve(service).await,
        Some(tls) => {
            let tls = RustlsAcceptor::new(tls).handshake_timeout(patience.first);
            server.acceptor(tls.acceptor(connections)).serve(service).await
        }
    }
}

/// The certificate, where there is one.
pub(super) async fn tls(config: &Config) -> Result<Option<RustlsConfig>, AppError> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let loaded = RustlsConfig::from_pem_file(cert, key).await;
    loaded.map(Some).map_err(|error| AppError::setting(format!("tls-cert, tls-key: {error}; both are PEM files")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        let limit = |setting, files| connections(setting, files).map_err(|error| error.to_string());
        assert_eq!(limit(0, 1024), Ok(672));
        assert_eq!(limit(0, 1 << 20), Ok(CONNECTIONS_MAX));
        assert_eq!(limit(0, 64), Ok(CONNECTIONS_MIN));
        assert_eq!(limit(500, 1024), Ok(500));
        let refused = limit(1_000, 1_024).expect_err("too many");
        assert!(refused.contains("1128") && refused.contains("896"), "{refused}");
    }
}
