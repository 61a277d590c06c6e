//! The server's own system records: starts, stops, migrations, changes of settings and of who may come in, errors.
//!
//! They belong to the platform, whose records every tenant may read: so they hold no value of a setting, no text of an
//! error, and nothing of any tenant.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::Logs;
use super::access::{ServerUse, open_for_server};
use super::own_audit::SERVER;
use crate::capture::json::canonical;
use crate::domain::draft::DraftPayload;
use crate::domain::ids::TenantId;
use crate::domain::payload::PayloadPart;
use crate::domain::record::NewRecord;
use crate::domain::scope::Actor;
use crate::domain::system::SystemRecord;
use crate::domain::vocabulary::{ActorType, Stream, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity};
use crate::error::Result;

/// Errors within this time of the latest record of errors are counted into the next one.
const ERRORS_WINDOW_US: i64 = 60_000_000;
/// OpenTelemetry `service.name` of the server itself.
const SERVICE: &str = "runledger";

/// A system record of the server's own.
pub(super) struct OwnRecord {
    pub component: SystemComponent,
    pub event_type: SystemEventType,
    pub severity: SystemSeverity,
    pub summary: String,
    /// The person or program that had it done; else it came about by itself.
    pub actor: Option<Actor>,
    pub instance_id: Option<String>,
    pub details: Option<Value>,
}

impl OwnRecord {
    pub fn new(component: SystemComponent, event_type: SystemEventType, summary: impl Into<String>) -> Self {
        Self {
            component,
            event_type,
            severity: SystemSeverity::Info,
            summary: summary.into(),
            actor: None,
            instance_id: None,
            details: None,
        }
    }
}

/// A server that starts, as its records describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The same over restarts.
    pub id: String,
    /// The program's version.
    pub version: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// One digest over all settings: it tells that they changed, and nothing of them.
    pub settings_digest: String,
    /// Names of the settings that differ from those of the last start; `None` where that is not known.
    pub changed_settings: Option<BTreeSet<String>>,
}

/// Names of settings that decide who may come in.
fn is_about_auth(setting: &str) -> bool {
    setting == "auth" || setting.starts_with("jwt_")
}

/// Internal errors that are not on record yet.
#[derive(Default)]
pub(super) struct Failures {
    count: AtomicU64,
    recorded_at: AtomicI64,
}

impl Logs {
    /// The record of something that happened to the server.
    pub(super) fn own_record(&self, own: OwnRecord) -> Result<NewRecord> {
        let caused_by = match own.actor.as_ref().map(|actor| actor.actor_type) {
            None => SystemCausedBy::System,
            Some(ActorType::Human) => SystemCausedBy::Human,
            Some(_) => SystemCausedBy::Automation,
        };
        let record = SystemRecord {
            component: own.component,
            event_type: own.event_type,
            severity: own.severity,
            summary: own.summary,
            caused_by: Some(caused_by),
            actor_type: own.actor.as_ref().map(|actor| actor.actor_type),
            actor_id: own.actor.map(|actor| actor.id),
            correlation_id: None,
            service_name: Some(SERVICE.to_owned()),
            service_instance_id: own.instance_id,
            source_component: SERVER.to_owned(),
            occurred_at: self.0.clock.now(),
            details_commitment: None,
        };
        let details = own.details.map(|details| canonical(&details)).transpose()?;
        let payloads = details.map(|text| DraftPayload { part: PayloadPart::Details, text });
        let new = self.new_record(record, payloads.into_iter().collect(), |record, _, commitment| {
            record.details_commitment = Some(commitment);
        })?;
        Ok(NewRecord::System(Box::new(new)))
    }

    async fn append_platform(&self, records: Vec<OwnRecord>) -> Result<()> {
        let records: Result<Vec<NewRecord>> = records.into_iter().map(|record| self.own_record(record)).collect();
        self.append_own(TenantId::platform(), Stream::Evidence, records?).await
    }

    /// Records the changes of the schema that opening the database applied, or `names` where a command did.
    ///
    /// # Errors
    /// `UNAVAILABLE` when they could not be written.
    pub async fn record_migrations(&self, names: &[String], by: Option<Actor>) -> Result<()> {
        let records = names.iter().map(|name| OwnRecord {
            actor: by.clone(),
            details: Some(json!({ "name": name })),
            ..OwnRecord::new(SystemComponent::Migration, SystemEventType::Migration, format!("applied {name}"))
        });
        self.append_platform(records.collect()).await
    }

    /// Records that the server starts; before that, what the last start left behind: a stop that nobody recorded, which
    /// is a crash, and settings that changed since.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it could not be written.
    pub async fn record_startup(&self, instance: &Instance) -> Result<()> {
        let of_instance = |own: OwnRecord| OwnRecord { instance_id: Some(instance.id.clone()), ..own };
        let mut records = Vec::new();
        let last = open_for_server(ServerUse::OwnPast, self.0.store.last_start_or_stop(&instance.id).await?);
        if let Some(crashed) = last.filter(|last| last.event_type == SystemEventType::Startup) {
            let summary = "the server ended without stopping: found at its next start";
            records.push(of_instance(OwnRecord {
                severity: SystemSeverity::Critical,
                details: Some(json!({ "is_crash": true, "started_at": crashed.occurred_at.to_rfc3339() })),
                ..OwnRecord::new(SystemComponent::Api, SystemEventType::Shutdown, summary)
            }));
        }
        let changed = instance.changed_settings.iter().flatten();
        let (auth, other): (Vec<&String>, Vec<&String>) = changed.partition(|setting| is_about_auth(setting));
        for (settings, component, event_type, summary) in [
            (auth, SystemComponent::Auth, SystemEventType::AuthChange, "settings of who may come in changed"),
            (other, SystemComponent::Api, SystemEventType::ConfigChange, "settings changed"),
        ] {
            if !settings.is_empty() {
                records.push(of_instance(OwnRecord {
                    details: Some(json!({ "settings": settings, "settings_digest": instance.settings_digest })),
                    ..OwnRecord::new(component, event_type, summary)
                }));
            }
        }
        records.push(of_instance(OwnRecord {
            details: Some(json!({
                "version": instance.version,
                "database": instance.database,
                "settings_digest": instance.settings_digest,
            })),
            ..OwnRecord::new(
                SystemComponent::Api,
                SystemEventType::Startup,
                format!("runledger {} started", instance.version),
            )
        }));
        self.append_platform(records).await
    }

    /// Records what was only counted, then that the server stops in order: the last thing that it writes. Of a ledger that
    /// takes nothing more it says so in the log.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it could not be written: the next start will find a crash.
    pub async fn record_shutdown(&self, instance_id: &str) -> Result<()> {
        if let Err(error) = self.0.store.check_writable() {
            tracing::error!(?error, "the stop is not on record: the ledger takes nothing more");
            return Ok(());
        }
        self.flush_own_audit(true).await?;
        let stop = OwnRecord::new(SystemComponent::Api, SystemEventType::Shutdown, "the server stopped");
        self.append_platform(vec![OwnRecord { instance_id: Some(instance_id.to_owned()), ..stop }]).await
    }

    /// Counts an answer that failed by our own fault; the background writes down how many there were.
    pub fn failed(&self) {
        self.0.failures.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Records the errors that were counted: the first at once, further ones once a minute, all of them at the end.
    ///
    /// # Errors
    /// `UNAVAILABLE` when they could not be written; they are kept.
    pub(super) async fn flush_failures(&self, is_last: bool) -> Result<()> {
        let (failures, now) = (&self.0.failures, self.0.clock.now().as_micros());
        let is_due = is_last || now - failures.recorded_at.load(Ordering::Relaxed) >= ERRORS_WINDOW_US;
        let count = if is_due { failures.count.swap(0, Ordering::Relaxed) } else { 0 };
        if count == 0 {
            return Ok(());
        }
        let record = OwnRecord {
            severity: SystemSeverity::Warn,
            details: Some(json!({ "count": count })),
            ..OwnRecord::new(SystemComponent::Api, SystemEventType::Error, format!("{count} requests failed inside"))
        };
        let outcome = self.append_platform(vec![record]).await;
        match &outcome {
            Ok(()) => failures.recorded_at.store(now, Ordering::Relaxed),
            Err(_) => drop(failures.count.fetch_add(count, Ordering::Relaxed)),
        }
        outcome
    }
}
