//! OTLP logs. Acknowledged means that records and digests are committed.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

use super::super::LogsFacade;
use super::otlp_metrics::SignalReport;
use crate::capture::digest::ContentHasher;
use crate::capture::otlp::logs::map_logs;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, IdempotencyClaim};
use crate::domain::ids::Digest;
use crate::domain::record::NewRecord;
use crate::domain::scope::Permission;
use crate::error::{Code, Error, Result};

/// Records that are handed to the writer together.
const RECORDS_OF_A_UNIT: usize = 256;

impl LogsFacade {
    /// Records what matters of an OTLP request of logs. The same request sent again, as exporters do that missed the
    /// answer, is recorded once.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `UNAVAILABLE` with a time to wait: send the whole request again.
    pub async fn ingest_otlp_logs(&self, request: ExportLogsServiceRequest) -> Result<SignalReport> {
        self.require(Permission::RunsWrite)?;
        let (mapping, now) = (self.capture_context().await?, self.logs.0.clock.now());
        let (bytes, logs) = (request.encoded_len(), self.logs.clone());
        let map = move || {
            let mut draft = map_logs(&mapping, &request, now);
            let drafts = std::mem::take(&mut draft.records).into_iter();
            let records = drafts.map(|draft| logs.new_system_record(draft)).collect::<Result<Vec<_>>>()?;
            // Keyed: it covers content, and whoever guesses that must not be able to confirm it.
            let hasher = ContentHasher::new(&mapping.content_key);
            let request_hash = (!records.is_empty()).then(|| hasher.digest_bytes(&request.encode_to_vec()));
            Ok::<_, Error>((draft, records, request_hash))
        };
        let captured = self.logs.0.capturing.aside.capture(&self.scope.tenant, bytes, map).await?;
        let (draft, records, request_hash) = captured?;
        let mut report = SignalReport { dropped: draft.dropped, digested: draft.digested, ..SignalReport::default() };
        let mut rejected: HashMap<String, i64> = HashMap::new();
        for reason in draft.rejected {
            *rejected.entry(reason).or_default() += 1;
        }
        if !draft.contents.is_empty() {
            self.store().keep_span_contents(&self.scope.tenant, &draft.contents).await?;
            self.logs.0.capturing.content_tenants.insert(self.scope.tenant.clone(), true);
        }
        if let Some(request_hash) = request_hash {
            self.append_records(records, request_hash, &mut report, &mut rejected).await?;
        }
        report.reject(rejected);
        Ok(report)
    }

    async fn append_records(
        &self,
        records: Vec<NewRecord>,
        request_hash: Digest,
        report: &mut SignalReport,
        rejected: &mut HashMap<String, i64>,
    ) -> Result<()> {
        let (mut units, mut counts) = (Vec::new(), Vec::new());
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let part: Vec<NewRecord> = records.by_ref().take(RECORDS_OF_A_UNIT).collect();
            let count = i64::try_from(part.len()).unwrap_or(i64::MAX);
            let idempotency = IdempotencyClaim {
                space: "otlpLogs",
                operation: "otlpLogs",
                key: format!("{}/{}", request_hash.to_hex(), units.len()),
                request_hash,
                answer: "{}".to_owned(),
            };
            let unit = AppendUnit::evidence(self.scope.tenant.clone(), part);
            counts.push(count);
            units.push(AppendUnit { idempotency: Some(idempotency), ..unit });
        }
        for (count, receipt) in counts.into_iter().zip(self.logs.append_in_order(units).await) {
            match receipt? {
                AppendReceipt::Replayed(_) => report.accepted += count,
                AppendReceipt::Done(results) => {
                    for result in results {
                        match result {
                            AppendResult::Rejected(error) if error.code() == Code::Unavailable => return Err(error),
                            AppendResult::Rejected(error) => {
                                *rejected.entry(error.message().to_owned()).or_default() += 1;
                            }
                            AppendResult::New(_) | AppendResult::Existing { .. } => report.accepted += 1,
                        }
                    }
                }
                AppendReceipt::Stale => return Err(Error::internal("a unit without guard was called stale")),
            }
        }
        Ok(())
    }
}
