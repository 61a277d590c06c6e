//! A running server, and how it stops: no new requests, running ones finish, the workers stop in order, the queue is written
//! out, the logs are signed a last time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::instance::InstanceFile;
use super::listen::Listeners;
use super::{AppError, api, listen, parts};
use crate::config::Config;
use crate::facade::Logs;
use crate::http::{self, HttpState};
use crate::store::Store;
use crate::telemetry;
use crate::work::{self, Times, Upkeep, Workers};

/// Everything that a server needs, ready to run.
pub struct Server {
    store: Store,
    logs: Logs,
    state: HttpState,
    shutdown: CancellationToken,
    shutdown_timeout: Duration,
    workers: Workers,
    tls: Option<RustlsConfig>,
    api: Router,
    instance: InstanceFile,
}

impl Server {
    /// Puts a server together over an open store.
    ///
    /// # Errors
    /// When keys, certificate or metrics cannot be set up.
    pub async fn new(config: &Config, store: Store, logs: Logs, instance: InstanceFile) -> Result<Self, AppError> {
        let tls = listen::tls(config).await?;
        let metrics = telemetry::init_metrics(&http::metrics::catalog::histograms())
            .map_err(|error| AppError::new(format!("metrics: {error}")))?;
        http::metrics::begin();
        telemetry::count_dropped_lines();
        let shutdown = CancellationToken::new();
        let backend = Arc::new(logs.clone());
        let upkeep = Upkeep { metrics: metrics.clone() };
        let state = HttpState::new(backend, parts::http_settings(config), metrics, shutdown.clone())?;
        let api = api::routes(config, &logs);
        let (sign, note, verify) = (config.checkpoint_interval, config.platform_log_interval, config.verify_interval);
        let id = &instance.instance().id;
        let mut workers = work::of_logs(&logs, Times { sign, note, verify }, id);
        workers.push(Box::new(upkeep));
        let workers = Workers::new(workers, store.leases(id))?;
        state.watch(workers.pulses());
        let shutdown_timeout = config.shutdown_timeout;
        Ok(Self { store, logs, state, shutdown, shutdown_timeout, workers, tls, api, instance })
    }

    /// Serves until `stop` is done, then stops in order.
    ///
    /// # Errors
    /// When a listener fails, or what waits cannot be written in time.
    pub async fn run(self, listeners: Listeners, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let handle = Handle::<SocketAddr>::new();
        let mut servers = JoinSet::new();
        let router = http::router(self.state.clone(), self.api.clone(), api::pages());
        let connections = listeners.connections;
        servers.spawn(listen::serve(listeners.http, router, self.tls.clone(), handle.clone(), connections.clone()));
        let grpc_handle = Handle::<SocketAddr>::new();
        if let Some(listener) = listeners.grpc {
            let router = http::grpc_router(self.state.clone());
            servers.spawn(listen::serve(listener, router, self.tls.clone(), grpc_handle.clone(), connections));
        }
        let workers = self.workers.start(&self.shutdown);

        let failed = tokio::select! {
            () = stop => None,
            Some(ended) = servers.join_next() => Some(ended),
        };
        tracing::info!("stopping: no new requests are taken");
        self.shutdown.cancel();
        handle.graceful_shutdown(Some(self.shutdown_timeout));
        grpc_handle.graceful_shutdown(Some(self.shutdown_timeout));
        while servers.join_next().await.is_some() {}
        let finish = async {
            let finished = workers.stop().await;
            self.store.close().await;
            finished
        };
        let finished = tokio::time::timeout(self.shutdown_timeout.max(Duration::from_secs(1)), finish).await;
        finished.map_err(|_| AppError::new("records that wait could not be written within shutdown-timeout"))??;
        tracing::info!("stopped");
        failed.map_or(Ok(()), |ended| Err(AppError::new(format!("a listener failed: {}", reason(ended)))))
    }
}

impl Server {
    /// Records what happened to this server before it serves; to be called before it [runs](Self::run). A ledger that takes
    /// nothing more does not keep it from starting: it says so itself, at `/readyz` and to everyone who asks.
    ///
    /// # Errors
    /// When that could not be written.
    pub async fn record_startup(&mut self) -> Result<(), AppError> {
        let written = async {
            self.logs.record_migrations(self.store.migrations(), None).await?;
            self.logs.record_startup(self.instance.instance()).await
        };
        match written.await {
            Err(error) if self.store.check_writable().is_err() => {
                tracing::error!(?error, "the start is not on record: the ledger takes nothing more");
            }
            written => written?,
        }
        self.instance.save()
    }
}

fn reason(ended: Result<io::Result<()>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "it ended by itself".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Is done at the first SIGTERM or SIGINT; the second one ends the process at once.
///
/// # Errors
/// When the system does not deliver signals.
pub fn until_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        next(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            next(&mut terminate, &mut interrupt).await;
            tracing::warn!("second signal: ending at once");
            std::process::exit(130);
        });
    })
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
