//! What is looked at when somebody asks for it, and not counted as it happens: how the process and its logs stand. Written by
//! a recorder that lives as long as the answer, so that a log that is not among the worst any more leaves no number behind.
//!
//! Logs are named by their ids and not by their tenants: whoever has the scope `admin` of one tenant may read all of this.

use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::catalog;
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::domain::verification::VerificationStatus;
use crate::facade::vitals::{LedgerVitals, LogVitals, Pool, Vitals};
use crate::work::pulse::Pulses;

/// The numbers in Prometheus' text form.
pub(super) fn text(vitals: &Vitals, pulses: Option<&Pulses>) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        catalog::describe();
        of_server(vitals);
        for (worker, age) in pulses.into_iter().flat_map(Pulses::ages) {
            gauge!("runledger_worker_success_age_seconds", "worker" => worker).set(age.as_secs_f64());
        }
        if let Some((at, ledger)) = &vitals.ledger {
            set("runledger_logs_observed_age_seconds", age(*at, vitals.at));
            of_ledger(ledger, vitals.at);
            // Up to when they were looked at: a record may have been signed since, and a process that is cut off from the
            // database cannot know.
            set("runledger_unsigned_records_age_seconds", ledger.oldest_unsigned.map_or(0.0, |made| age(made, *at)));
        }
        #[cfg(target_os = "linux")]
        of_process();
    });
    recorder.handle().render()
}

fn of_server(vitals: &Vitals) {
    gauge!("runledger_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    set("runledger_append_queue_records", whole(vitals.queue.0));
    set("runledger_append_queue_capacity_records", whole(vitals.queue.1));
    set("runledger_access_audit_backlog_records", whole(vitals.access_audit.0));
    set("runledger_access_audit_capacity_records", whole(vitals.access_audit.1));
    set("runledger_writing_stopped", whole(usize::from(vitals.is_writing_stopped)));
    set("runledger_signing_stopped", whole(usize::from(vitals.is_signing_stopped)));
    set("runledger_signing_refused_logs", whole(vitals.refused_logs));
    for Pool { name, open, idle, max, waiting } in &vitals.pools {
        for (state, count) in [("in_use", open - idle), ("idle", *idle)] {
            gauge!("runledger_database_connections", "pool" => *name, "state" => state).set(f64::from(count));
        }
        gauge!("runledger_database_waiting_statements", "pool" => *name).set(f64::from(*waiting));
        gauge!("runledger_database_connections_max", "pool" => *name).set(f64::from(*max));
    }
}

fn of_ledger(ledger: &LedgerVitals, now: Timestamp) {
    use VerificationStatus::{Invalid, Unknown, Valid};
    // Each is there from the start: an alert on what appears for the first time would miss it.
    for status in [Some(Valid), Some(Invalid), Some(Unknown), None] {
        let logs = ledger.logs.get(&status).copied().unwrap_or(0);
        gauge!("runledger_verified_logs", "status" => word(status)).set(number(logs));
    }
    set("runledger_verification_anomalies", number(ledger.anomalies));
    set("runledger_unsigned_logs", number(ledger.unsigned_logs));
    if let Some(at) = ledger.oldest_check {
        set("runledger_verification_age_seconds", age(at, now));
    }
    if let Some(at) = ledger.newest_checkpoint {
        set("runledger_checkpoint_age_seconds", age(at, now));
    }
    ledger.worst.iter().for_each(|log| of_log(log, now));
}

fn of_log(log: &LogVitals, now: Timestamp) {
    let labels = [("log", log.log_id.simple().to_string()), ("stream", log.stream.as_str().to_owned())];
    let status = [labels[0].clone(), labels[1].clone(), ("status", word(log.status).to_owned())];
    gauge!("runledger_log_verification", &status).set(1.0);
    gauge!("runledger_log_anomalies", &labels).set(number(log.anomalies));
    gauge!("runledger_log_unsigned_records", &labels).set(number(log.unsigned_entries));
    if let Some(at) = log.checked_at {
        gauge!("runledger_log_verification_age_seconds", &labels).set(age(at, now));
    }
    if let Some(at) = log.signed_at {
        gauge!("runledger_log_checkpoint_age_seconds", &labels).set(age(at, now));
    }
}

/// The numbers that every process has, under the names that Prometheus' own libraries give them.
#[cfg(target_os = "linux")]
fn of_process() {
    let Ok(process) = procfs::process::Process::myself() else { return };
    let ticks = procfs::ticks_per_second().max(1);
    if let Ok(stat) = process.stat() {
        counter!("process_cpu_seconds_total").absolute((stat.utime + stat.stime) / ticks);
        set("process_resident_memory_bytes", big(stat.rss * procfs::page_size()));
        set("process_virtual_memory_bytes", big(stat.vsize));
        if let Ok(boot) = procfs::boot_time_secs() {
            set("process_start_time_seconds", big(boot + stat.starttime / ticks));
        }
    }
    if let Ok(open) = process.fd_count() {
        set("process_open_fds", whole(open));
    }
    if let Ok(limits) = process.limits() {
        let most = match limits.max_open_files.soft_limit {
            procfs::process::LimitValue::Value(most) => big(most),
            procfs::process::LimitValue::Unlimited => f64::INFINITY,
        };
        set("process_max_fds", most);
    }
}

fn set(name: &'static str, value: f64) {
    gauge!(name).set(value);
}

fn word(status: Option<VerificationStatus>) -> &'static str {
    status.map_or("NEVER", VerificationStatus::as_str)
}

/// Seconds from an instant to now; clocks of several processes differ, so it may be a little below 0.
fn age(at: Timestamp, now: Timestamp) -> f64 {
    number(now.since(at)) / number(MICROS_PER_SECOND)
}

#[expect(clippy::cast_precision_loss, reason = "above 2^53 the last digits do not matter")]
fn number(value: i64) -> f64 {
    value as f64
}

fn whole(value: usize) -> f64 {
    number(i64::try_from(value).unwrap_or(i64::MAX))
}

fn big(value: u64) -> f64 {
    number(i64::try_from(value).unwrap_or(i64::MAX))
}
