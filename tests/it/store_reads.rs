//! Reads by key: what was written comes back to the bit, newest first where it matters, and never another tenant's.

use runledger::domain::append::StepFacts;
use runledger::domain::filter::{LlmRunFilter, LlmRunOrder, LlmRunSort};
use runledger::domain::page::{Direction, PageRequest, Position};
use runledger::domain::payload::PayloadPart;
use runledger::domain::run::LlmRun;
use runledger::domain::time::Timestamp;
use runledger::domain::trace::{StepFilter, Trace, TraceSeal, TraceStep};
use runledger::domain::vocabulary::{ActorType, ExecutionStatus, OutcomeCategory, RecordSource, StepKind, StepStatus};
use runledger::error::Code;
use sea_orm::DbBackend;

use crate::support::opened::Opened;
use crate::support::seed::{self, Unit, all_new, digest, run_id, scope, trace_id};

/// Every column filled, each with another value.
fn full_run() -> LlmRun {
    let text = |text: &str| Some(text.to_owned());
    LlmRun {
        run_id: run_id("r"),
        revision: 1,
        trace_id: Some(trace_id("t")),
        name: text("name"),
        agent_id: text("agent"),
        session_id: text("session"),
        end_user_id: text("user"),
        tags: vec!["\"quoted\"".to_owned(), "tag".to_owned(), "\u{1f980}".to_owned()],
        provider: "provider".to_owned(),
        model: "model".to_owned(),
        operation: text("operation"),
        service_name: text("service"),
        service_instance_id: text("instance"),
        service_version: text("version"),
        environment: text("environment"),
        region: text("region"),
        prompt_hash: Some(digest(1)),
        response_hash: Some(digest(2)),
        input_tokens: 9_007_199_254_740_991,
        output_tokens: 1,
        cached_input_tokens: Some(2),
        reasoning_tokens: Some(3),
        time_to_first_token_us: Some(4),
        finish_reason: text(""),
        cost_micros: Some(-5),
        price_version: text("prices"),
        execution_status: ExecutionStatus::Timeout,
        error_type: text("error"),
        started_at: Timestamp::MIN,
        completed_at: Some(Timestamp::MAX),
        source: RecordSource::Worker,
        is_synthetic: true,
        synthetic_scenario_id: text("scenario"),
        correlation_id: text("correlation"),
        actor_type: Some(ActorType::Agent),
        actor_id: text("actor"),
        step_count: 6,
        trace_root_hash: Some(digest(3)),
    }
}

fn full_trace() -> Trace {
    let text = |text: &str| Some(text.to_owned());
    Trace {
        trace_id: trace_id("t"),
        run_id: run_id("r"),
        agent_id: text("agent"),
        parent_run_id: text("parent"),
        correlation_id: text("correlation"),
        plan_hash: text("plan"),
        seed: Some(i64::MIN),
        frozen_at: Some(seed::at(5)),
        schema_version: "1".to_owned(),
        replay_mode: text("replay"),
        is_synthetic: true,
        synthetic_scenario_id: text("scenario"),
        service_name: text("service"),
        service_instance_id: text("instance"),
        service_version: text("version"),
        environment: text("environment"),
        started_at: seed::at(1),
        plan_commitment: Some(digest(4)),
    }
}

fn full_step() -> TraceStep {
    let text = |text: &str| Some(text.to_owned());
    TraceStep {
        trace_id: trace_id("t"),
        caller_index: Some(1),
        span_id: "span".to_owned(),
        parent_span_id: text("parent"),
        attempt: 2,
        kind: StepKind::Guardrail,
        skill_name: "skill".to_owned(),
        status: StepStatus::Retry,
        outcome_category: OutcomeCategory::Policy,
        outcome_code: text("429"),
        provider: text("provider"),
        model: text("model"),
        response_id: text("response"),
        input_tokens: Some(3),
        output_tokens: Some(4),
        cost_micros: Some(5),
        started_at: seed::at(2),
        duration_us: 6,
        input_hash: Some(digest(5)),
        output_hash: Some(digest(6)),
        idempotency_key: text("key"),
        duplicate_of: text("other"),
        attributes_commitment: None,
        content_commitment: Some(digest(8)),
    }
}

db_test! {
    async fn every_column_comes_back(db: TestDb) {
        let (store, acme) = (db.store().await, scope("acme"));
        let seal = TraceSeal {
            reason: Some("reason".to_owned()),
            status: ExecutionStatus::Aborted,
            metadata_commitment: Some(digest(9)),
            ..seed::seal("t", 1)
        };
        let facts = StepFacts { digest: digest(7), text: "{\"fact\":1}".to_owned() };
        let attributes = "{\"a\":\"\u{e9}\\u0000\"}";
        let unit = Unit::of("acme", &db.clock)
            .trace(full_trace()).step_with(full_step(), facts, Some(attributes)).seal(seal.clone()).run(full_run());
        let written = all_new(store.append(unit.unit.clone()).await.expect("written"));

        let run = store.runs_by_id(&acme, &[written[3].id]).await.expect("read").opened().remove(&written[3].id).expect("run");
        assert_eq!(run.record, full_run());
        assert_eq!((run.seq, run.created_at, run.tenant_id.as_str()), (3, written[3].created_at, "acme"));
        let view = store.traces_by_id(&acme, &[written[0].id]).await.expect("read").opened().remove(&written[0].id).expect("trace");
        assert_eq!((&view.trace.record, view.step_count), (&full_trace(), 1));
        assert_eq!(view.seal.as_ref().map(|stored| (&stored.record, stored.id, stored.seq)), Some((&seal, written[2].id, 2)));
        assert_eq!(store.traces_by_trace_id(&acme, &[trace_id("t")]).await.expect("read").opened()[&trace_id("t")], view);
        let step = store.steps_by_id(&acme, &[written[1].id]).await.expect("read").opened().remove(&written[1].id).expect("step");
        assert_eq!(TraceStep { attributes_commitment: None, ..step.record.clone() }, full_step());
        let texts = store.payloads_by_record_id(&acme, PayloadPart::Attributes, &[step.id, run.id]).await.expect("read").opened();
        assert_eq!(texts.get(&step.id).map(String::as_str), Some(attributes));
        assert_eq!(texts.len(), 1);
        assert!(store.payloads_by_record_id(&acme, PayloadPart::Content, &[step.id]).await.expect("read").opened().is_empty());
        let source = store.seal_sources(&acme.tenant, &[trace_id("t")]).await.expect("read").opened().remove(0);
        assert_eq!((source.steps.len(), source.steps[0].1.as_str()), (1, "{\"fact\":1}"));
        assert_eq!((source.run.as_ref(), source.seal_revision), (Some(&run), 1));

        let zeta = scope("zeta");
        let ids: Vec<_> = written.iter().map(|one| one.id).collect();
        assert!(store.runs_by_id(&zeta, &ids).await.expect("read").opened().is_empty());
        assert!(store.traces_by_id(&zeta, &ids).await.expect("read").opened().is_empty());
        assert!(store.steps_by_id(&zeta, &ids).await.expect("read").opened().is_empty());
        assert!(store.payloads_by_record_id(&zeta, PayloadPart::Attributes, &ids).await.expect("read").opened().is_empty());
        assert!(store.runs_by_run_id(&zeta, &[run_id("r")]).await.expect("read").opened().is_empty());
        assert!(store.runs_by_trace_id(&zeta, &[trace_id("t")]).await.expect("read").opened().is_empty());
        assert!(store.traces_by_trace_id(&zeta, &[trace_id("t")]).await.expect("read").opened().is_empty());
        assert!(store.seals_by_trace_id(&zeta, &[trace_id("t")]).await.expect("read").opened().is_empty());
        assert!(store.trace_by_root_hash(&zeta, seal.root_hash).await.expect("read").opened().is_none());
        assert!(store.seal_sources(&zeta.tenant, &[trace_id("t")]).await.expect("read").opened().is_empty());
        let pages = store.steps_by_trace_id(&zeta, &[trace_id("t")], &StepFilter::default(), &PageRequest::first(9)).await;
        assert!(pages.expect("read").opened()[&trace_id("t")].rows.is_empty());
        store.close().await;
    }
}

db_test! {
    async fn revisions_and_seals_come_newest_first(db: TestDb) {
        let (store, acme) = (db.store().await, scope("acme"));
        let run = |name: &str, revision| LlmRun { revision, trace_id: Some(trace_id("t")), ..seed::run(name) };
        let unit = Unit::of("acme", &db.clock)
            .trace(seed::trace("t"))
            .run(run("r", 1)).run(run("r", 2)).run(run("s", 1)).run(run("r", 3))
            .seal(seed::seal("t", 1)).seal(TraceSeal { root_hash: digest(8), ..seed::seal("t", 2) });
        all_new(store.append(unit.unit).await.expect("written"));
        let both = [run_id("r"), run_id("s"), run_id("unknown")];
        let all = store.revisions_by_run_id(&acme, &both, 2).await.expect("read").opened();
        let revisions = |name| all[&run_id(name)].iter().map(|run| run.revision).collect::<Vec<_>>();
        assert_eq!((revisions("r"), revisions("s"), all.len()), (vec![3, 2], vec![1], 2));
        assert_eq!(store.runs_by_run_id(&acme, &both).await.expect("read").opened()[&run_id("r")].revision, 3);
        assert_eq!(store.runs_by_trace_id(&acme, &[trace_id("t")]).await.expect("read").opened()[&trace_id("t")].seq, 4);
        let seals = store.seals_by_trace_id(&acme, &[trace_id("t")]).await.expect("read").opened().remove(&trace_id("t"));
        assert_eq!(seals.expect("there").iter().map(|seal| seal.revision).collect::<Vec<_>>(), [2, 1]);
        for root in [digest(7), digest(8)] {
            let found = store.trace_by_root_hash(&acme, root).await.expect("read").opened().expect("there");
            assert_eq!((found.trace.trace_id.as_str(), found.seal.as_ref().expect("sealed").revision), ("t", 2));
        }
        assert!(store.runs_by_run_id(&acme, &[]).await.expect("nothing asked").opened().is_empty());
        assert!(store.runs_by_id(&acme, &[]).await.expect("nothing asked").opened().is_empty());
        store.close().await;
    }
}

db_test! {
    async fn a_corrupt_row_is_named(db: TestDb) {
        let store = db.store().await;
        let columns = "tenant_id, id, seq, created_at, run_id, revision, tags, provider, model, input_tokens, output_tokens, \
                       execution_status, started_at, source, is_synthetic, step_count";
        let (id, no) = match db.backend {
            DbBackend::Postgres => ("'01970000-0000-7000-8000-000000000001'", "FALSE"),
            _ => ("X'01970000000070008000000000000001'", "0"),
        };
        let row = format!("'acme', {id}, 0, 0, 'r', 1, '[]', 'p', 'm', 0, 0, 'PERHAPS', 0, 'API', {no}, 0");
        db.execute(&format!("INSERT INTO llm_run ({columns}) VALUES ({row})")).await.expect("tampered");
        let error = store.runs_by_run_id(&scope("acme"), &[run_id("r")]).await.expect_err("corrupt");
        assert_eq!((error.code(), error.message()), (Code::Internal, "internal error"));
        let cause = error.cause().expect("a cause for the log").to_string();
        assert_eq!(
            cause,
            "corrupt row: llm_run.execution_status of row 01970000-0000-7000-8000-000000000001: \"PERHAPS\" is not in the vocabulary"
        );
        store.close().await;
    }
}

/// 30,000 runs, most of them without a cost, written past the store.
fn many_runs(backend: DbBackend) -> String {
    let (numbers, id, no) = match backend {
        DbBackend::Postgres => ("generate_series(0, 29999) AS n(n)", "gen_random_uuid()", "FALSE"),
        _ => {
            let numbers =
                "(WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 29999) SELECT n FROM n) n";
            (numbers, "randomblob(16)", "0")
        }
    };
    format!(
        "INSERT INTO llm_run (tenant_id, id, seq, created_at, run_id, revision, tags, provider, model, input_tokens, \
         output_tokens, cost_micros, execution_status, started_at, completed_at, source, is_synthetic, step_count) \
         SELECT 'acme', {id}, n, 0, 'r' || n, 1, '[]', 'p', 'm', n % 10, 0, CASE WHEN n % 3 = 0 THEN n % 7 END, \
         'SUCCEEDED', n % 5, CASE WHEN n % 2 = 0 THEN n % 5 + 1 END, 'API', {no}, 0 FROM {numbers}"
    )
}

db_test! {
    async fn a_page_of_any_order_costs_the_same_wherever_it_lies(db: TestDb) {
        db.store().await.close().await;
        db.execute(&many_runs(db.backend)).await.expect("seeded");
        let counters = "SELECT (COALESCE(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_user_tables \
                        WHERE relname = 'llm_run'";
        let is_postgres = db.backend == DbBackend::Postgres;
        if is_postgres {
            db.execute("ANALYZE").await.expect("analyzed");
        }
        let mut pages = 0;
        let before = if is_postgres { db.number(counters).await } else { 0 };
        let store = db.store().await;
        use LlmRunSort::{Cost, Duration, Seq, StartedAt, TotalTokens};
        for sort in [Seq, StartedAt, Duration, Cost, TotalTokens] {
            for direction in [Direction::Asc, Direction::Desc] {
                // The first page, one amid ties or nulls, and the last.
                let absent = if direction == Direction::Asc { i64::MAX } else { i64::MIN + 1 };
                let key = match sort {
                    Seq => 15_000,
                    StartedAt | TotalTokens => 3,
                    Duration | Cost => absent,
                };
                let middle = Position { key, seq: 15_000 };
                for page in [
                    PageRequest::first(10),
                    PageRequest { after: Some(middle), ..PageRequest::first(10) },
                    PageRequest { before: Some(middle), is_backward: true, ..PageRequest::first(10) },
                    PageRequest { is_backward: true, ..PageRequest::first(10) },
                ] {
                    let order = LlmRunOrder { sort, direction };
                    let got = store.list_runs(&scope("acme"), &LlmRunFilter::default(), order, &page, None).await;
                    assert_eq!(got.expect("listed").opened().rows.len(), 10, "{order:?} {page:?}");
                    pages += 1;
                }
            }
        }
        store.close().await;
        if is_postgres {
            let read = db.number(counters).await - before;
            assert!((pages * 11..pages * 40).contains(&read), "{pages} pages of 10 runs read {read} rows");
        }
    }
}
