//! Every number of ours that `/metrics` gives, with its unit and what it means. `docs/operate.md` tells of each, and a test
//! holds both to what the code counts.

use metrics::Unit;

/// Time to answer.
pub const HTTP_SECONDS: &str = "runledger_http_request_duration_seconds";
/// Time that units wait for their flush.
pub const QUEUE_WAIT_SECONDS: &str = "runledger_append_queue_wait_seconds";
/// Time of flushes.
pub const COMMIT_SECONDS: &str = "runledger_append_commit_seconds";
/// Records of flushes.
pub const FLUSH_RECORDS: &str = "runledger_append_flush_records";

const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const RECORDS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0];

/// Rounds of work: some wait for a disk, some read all that there is.
const LONG_SECONDS: &[f64] = &[0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0];

/// What a number does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It grows, from the start of the process on.
    Counter,
    /// It is as it is now.
    Gauge,
    /// How often it was below each of these bounds.
    Histogram(&'static [f64]),
}

/// One number.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name; the unit is its end.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// In what it is counted.
    pub unit: Unit,
    /// What it means, for the person who reads it.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, help }
}

const fn count(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, help }
}

const fn seconds(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Seconds, help }
}

const fn times(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(SECONDS), unit: Unit::Seconds, help }
}

/// All of them, by what they are about.
pub const METRICS: &[Metric] = &[
    count("runledger_build_info", "1, with the version as label"),
    counter(
        "runledger_http_requests_total",
        "Requests by route, method and status; 499 are those that their sender gave up",
    ),
    counter("runledger_grpc_requests_total", "OTLP/gRPC calls by method and gRPC status"),
    times(HTTP_SECONDS, "Time to answer, by route"),
    counter("runledger_graphql_errors_total", "Errors in answers of GraphQL, by code; their HTTP status may be 200"),
    counter(
        "runledger_otlp_spans_total",
        "Spans of OTLP requests: accepted, and of them existing (sent before) and differing (sent before otherwise); rejected",
    ),
    counter(
        "runledger_otlp_points_total",
        "Points of OTLP metrics: accepted; dropped (they said that there was no value); rejected",
    ),
    counter(
        "runledger_otlp_log_records_total",
        "OTLP log records: accepted as system records; digested (message content); dropped by design; rejected",
    ),
    counter("runledger_traces_sealed_total", "Traces sealed by this process"),
    counter(
        "runledger_log_lines_dropped_total",
        "Lines of the server's log that were given up, because nobody took those before",
    ),
    counter("runledger_worker_rounds_total", "Rounds of the background's work by worker, those that failed too"),
    counter(
        "runledger_worker_failures_total",
        "Rounds of the background's work that failed, by worker; they come again",
    ),
    Metric {
        name: "runledger_worker_round_seconds",
        kind: Kind::Histogram(LONG_SECONDS),
        unit: Unit::Seconds,
        help: "Time of a round of the background's work, by worker",
    },
    seconds(
        "runledger_worker_success_age_seconds",
        "Time since a worker's last round that went well, or since another process was seen to have its lease",
    ),
    count("runledger_append_queue_records", "Records that wait to be appended"),
    count(
        "runledger_append_queue_capacity_records",
        "Records that may wait to be appended; what comes on top is refused",
    ),
    times(QUEUE_WAIT_SECONDS, "Time that a write waited in the queue until its flush began"),
    times(COMMIT_SECONDS, "Time of a flush, from its first statement to its commit"),
    Metric {
        name: FLUSH_RECORDS,
        kind: Kind::Histogram(RECORDS),
        unit: Unit::Count,
        help: "Records that one flush appended",
    },
    count("runledger_database_connections", "Open connections to the database, by pool and state: in_use, idle"),
    count("runledger_database_connections_max", "Connections that may be open, by pool"),
    count("runledger_database_waiting_statements", "Reads that wait for a connection, by pool"),
    count(
        "runledger_access_audit_backlog_records",
        "Reads that wait to be noted in the access log (--access-audit async)",
    ),
    count(
        "runledger_access_audit_capacity_records",
        "Reads that may wait to be noted; later ones are noted before they are answered",
    ),
    count(
        "runledger_writing_stopped",
        "1 while nothing can be written, because the database does not take it or the writer has stopped; else 0",
    ),
    counter("runledger_checkpoints_signed_total", "Checkpoints signed by this process"),
    count("runledger_signing_stopped", "1 while this process signs nothing more, because its key was retired; else 0"),
    count(
        "runledger_signing_refused_logs",
        "Logs that this process does not sign, because they contradict themselves or what was signed before",
    ),
    count("runledger_unsigned_logs", "Logs whose newest checkpoint is not of the state that they have"),
    seconds(
        "runledger_unsigned_records_age_seconds",
        "Time since the oldest record was made that no checkpoint covers, in any log; 0 where each is covered",
    ),
    seconds("runledger_checkpoint_age_seconds", "Time since the newest checkpoint of any log was made"),
    count(
        "runledger_verified_logs",
        "Logs by what their newest verification found: VALID, INVALID, UNKNOWN, NEVER (not looked at)",
    ),
    count("runledger_verification_anomalies", "Anomalies that the newest verifications of all logs found"),
    seconds(
        "runledger_verification_age_seconds",
        "Time since the log was looked at that nobody has looked at for longest",
    ),
    count(
        "runledger_log_verification",
        "1 with the log and what its newest verification found as labels; of the 100 worst logs",
    ),
    count("runledger_log_anomalies", "Anomalies that a log's newest verification found; of the 100 worst logs"),
    seconds("runledger_log_verification_age_seconds", "Time since a log was looked at; of the 100 worst logs"),
    count(
        "runledger_log_unsigned_records",
        "Records that a log's newest checkpoint does not cover; of the 100 worst logs",
    ),
    seconds(
        "runledger_log_checkpoint_age_seconds",
        "Time since a log's newest checkpoint was made; of the 100 worst logs",
    ),
    seconds("runledger_logs_observed_age_seconds", "Time since the numbers about logs were read from the database"),
    Metric {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Unit::Seconds,
        help: "Processor time that the process took, of the user and of the system",
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        help: "Memory of the process that is in RAM",
    },
    Metric {
        name: "process_virtual_memory_bytes",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        help: "Address space of the process",
    },
    count("process_open_fds", "Files and sockets that the process has open"),
    count("process_max_fds", "Files and sockets that the process may have open"),
    seconds("process_start_time_seconds", "When the process started, in seconds since 1970"),
];

/// Says what each number is, to the recorder in force.
pub fn describe() {
    for Metric { name, kind, unit, help } in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *unit, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *unit, *help),
            Kind::Histogram(_) => metrics::describe_histogram!(*name, *unit, *help),
        }
    }
}

/// The histograms with their bounds.
#[must_use]
pub fn histograms() -> Vec<(&'static str, &'static [f64])> {
    let bounds = |metric: &Metric| match metric.kind {
        Kind::Histogram(bounds) => Some((metric.name, bounds)),
        Kind::Counter | Kind::Gauge => None,
    };
    METRICS.iter().filter_map(bounds).collect()
}
