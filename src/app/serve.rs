//! A running server, and how it stops: no new requests, running ones finish, the sealer stops, the queue is written out,
//! the logs are signed a last time.

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
use crate::facade::checkpoints::CheckpointTimes;
use crate::http::{self, HttpState};
use crate::store::Store;
use crate::telemetry;

/// The histogram keeps its samples apart until they are summed up.
const METRICS_UPKEEP: Duration = Duration::from_secs(30);

/// Everything that a server needs, ready to run.
pub struct Server {
    store: Store,
    logs: Logs,
    state: HttpState,
    shutdown: CancellationToken,
    shutdown_timeout: Duration,
    checkpoints: CheckpointTimes,
    tls: Option<RustlsConfig>,
    verify_interval: Duration,
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
        let upkeep = metrics.clone();
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(METRICS_UPKEEP).await;
                upkeep.run_upkeep();
                telemetry::count_dropped_lines();
            }
        }));
        let backend = Arc::new(logs.clone());
        let state = HttpState::new(backend, parts::http_settings(config), metrics, shutdown.clone())?;
        let api = api::routes(config, &logs);
        let checkpoints = CheckpointTimes { sign: config.checkpoint_interval, note: config.platform_log_interval };
        let (shutdown_timeout, verify_interval) = (config.shutdown_timeout, config.verify_interval);
        Ok(Self { store, logs, state, shutdown, shutdown_timeout, checkpoints, tls, verify_interval, api, instance })
    }

    /// What only reads, but for what it found: where it is when the server stops does not matter.
    fn spawn_readers(&self) {
        let (logs, cancel) = (self.logs.clone(), self.shutdown.clone());
        tokio::spawn(async move { logs.run_statistics(cancel).await });
        if self.verify_interval > Duration::ZERO {
            let (logs, cancel, interval) = (self.logs.clone(), self.shutdown.clone(), self.verify_interval);
            tokio::spawn(async move { logs.run_verifier(interval, cancel).await });
        }
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
        let sealer_cancel = CancellationToken::new();
        let sealer = tokio::spawn({
            let (logs, cancel) = (self.logs.clone(), sealer_cancel.clone());
            async move { logs.run_sealer(cancel).await }
        });
        let signer_cancel = CancellationToken::new();
        let signer = tokio::spawn({
            let (logs, cancel, times) = (self.logs.clone(), signer_cancel.clone(), self.checkpoints);
            async move { logs.run_checkpoints(times, cancel).await }
        });
        let own_audit = tokio::spawn({
            let (logs, cancel) = (self.logs.clone(), sealer_cancel.clone());
            async move { logs.run_own_audit(cancel).await }
        });
        let cleaner = tokio::spawn({
            let (logs, cancel) = (self.logs.clone(), sealer_cancel.clone());
            async move { logs.run_cleaner(cancel).await }
        });
        self.spawn_readers();

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
            sealer_cancel.cancel();
            if let Err(error) = sealer.await {
                tracing::error!(?error, "the sealer ended badly");
            }
            if let Err(error) = cleaner.await {
                tracing::error!(?error, "the cleaner ended badly");
            }
            if let Err(error) = own_audit.await {
                tracing::error!(?error, "the audit of access ended badly");
            }
            let last_words = self.record_shutdown().await;
            signer_cancel.cancel();
            if let Err(error) = signer.await {
                tracing::error!(?error, "the signer ended badly");
            }
            self.logs.finish_checkpoints().await;
            self.store.close().await;
            last_words
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

    /// What was only counted, then the stop itself.
    async fn record_shutdown(&self) -> Result<(), AppError> {
        if let Err(error) = self.store.check_writable() {
            tracing::error!(?error, "the stop is not on record: the ledger takes nothing more");
            return Ok(());
        }
        self.logs.flush_own_audit(true).await?;
        Ok(self.logs.record_shutdown(&self.instance.instance().id).await?)
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
