//! What append answers: assigned columns, re-exports, atomic units, idempotency, guards, refusals.

use runledger::domain::append::{AppendReceipt, AppendResult, AppendUnit, CALLERS_KEYS, IdempotencyClaim};
use runledger::domain::page::PageRequest;
use runledger::domain::run::LlmRun;
use runledger::domain::trace::{StepFilter, TraceStep};
use runledger::domain::vocabulary::{AuditCategory, LedgerEventKind, Stream};
use runledger::error::Code;

use crate::support::evidence::{audit, event};
use crate::support::opened::Opened;
use crate::support::seed::{self, ROOT, Unit, all_new, done, scope, seal, step, tenant, trace, trace_id};

db_test! {
    async fn seq_and_step_index_grow_without_gaps(db: TestDb) {
        let store = db.store().await;
        let first = Unit::of("acme", &db.clock).trace(trace("a")).step(step("a", "1")).trace(trace("b")).step(step("b", "1"));
        let first = all_new(store.append(first.unit).await.expect("first"));
        assert_eq!(first.iter().map(|one| one.seq).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(first.iter().all(|one| one.created_at == first[0].created_at));
        // The second unit repeats a span: what is not written takes no place.
        db.clock.advance_us(5);
        let second = Unit::of("acme", &db.clock).step(step("a", "2")).step(step("a", "1")).step(step("a", "3"));
        let second = done(store.append(second.unit).await.expect("second"));
        let [AppendResult::New(two), AppendResult::Existing { id, differs: false }, AppendResult::New(three)] = &second[..]
        else {
            panic!("{second:?}")
        };
        assert_eq!((two.seq, two.step_index, three.seq, three.step_index), (4, Some(1), 5, Some(2)));
        assert_eq!(*id, first[1].id);
        assert_eq!(two.created_at.since(first[0].created_at), 5);
        // Another tenant has a log of its own, and other traces.
        let other = Unit::of("zeta", &db.clock).trace(trace("a")).step(step("a", "1"));
        assert_eq!(all_new(store.append(other.unit).await.expect("other"))[0].seq, 0);
        assert_eq!(store.log_size(&scope("acme")).await.expect("size"), 6);
        assert_eq!(store.log_size(&scope("nobody")).await.expect("size"), 0);
        store.close().await;
    }
}

db_test! {
    async fn first_truth_wins_and_a_difference_is_reported(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock)
            .trace(trace("t")).step(step("t", "s")).seal(seal("t", 1)).run(seed::run("r"));
        all_new(store.append(unit.unit.clone()).await.expect("new"));
        let same = done(store.append(unit.unit.clone()).await.expect("same"));
        assert!(same.iter().all(|one| matches!(one, AppendResult::Existing { differs: false, .. })), "{same:?}");
        let other = Unit::of("acme", &db.clock)
            .trace(runledger::domain::trace::Trace { seed: Some(1), ..trace("t") })
            .step(TraceStep { duration_us: 2, ..step("t", "s") })
            .seal(runledger::domain::trace::TraceSeal { step_count: 9, ..seal("t", 1) })
            .run(LlmRun { input_tokens: 99, ..seed::run("r") });
        let other = done(store.append(other.unit).await.expect("other"));
        assert!(other.iter().all(|one| matches!(one, AppendResult::Existing { differs: true, .. })), "{other:?}");
        assert_eq!(db.number("SELECT MAX(duration_us) FROM trace_step").await, 1_000);
        assert_eq!(store.log_size(&scope("acme")).await.expect("size"), 4);
        store.close().await;
    }
}

db_test! {
    async fn the_same_span_twice_in_one_unit_is_written_once(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock).trace(trace("t")).trace(trace("t")).step(step("t", "s")).step(step("t", "s"));
        let results = done(store.append(unit.unit).await.expect("done"));
        let written: Vec<_> = results.iter().map(|one| matches!(one, AppendResult::New(_))).collect();
        assert_eq!(written, [true, false, true, false]);
        store.close().await;
    }
}

db_test! {
    async fn steps_of_unknown_traces_are_not_found(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock).step(step("t", "s")).seal(seal("t", 1)).trace(trace("u")).step(step("u", "s"));
        let results = done(store.append(unit.unit).await.expect("done"));
        for result in &results[..2] {
            assert!(matches!(result, AppendResult::Rejected(error) if error.code() == Code::NotFound), "{result:?}");
        }
        assert!(matches!(results[3], AppendResult::New(one) if one.seq == 1));
        // The trace of another tenant is as unknown.
        let unit = Unit::of("zeta", &db.clock).step(step("u", "s"));
        let results = done(store.append(unit.unit).await.expect("done"));
        assert!(matches!(&results[0], AppendResult::Rejected(error) if error.code() == Code::NotFound));
        store.close().await;
    }
}

db_test! {
    async fn an_atomic_unit_is_written_whole_or_not_at_all(db: TestDb) {
        let store = db.store().await;
        all_new(store.append(Unit::of("acme", &db.clock).atomic().run(seed::run("r")).unit).await.expect("new"));
        let unit = Unit::of("acme", &db.clock).atomic().trace(trace("t")).step(step("t", "s")).run(seed::run("r"));
        let error = store.append(unit.unit).await.expect_err("conflict");
        assert_eq!(error.code(), Code::Conflict);
        assert!(error.message().contains("revision 1 of run r"), "{error:?}");
        let unit = Unit::of("acme", &db.clock).atomic().run(seed::run("q")).step(step("t", "s"));
        assert_eq!(store.append(unit.unit).await.expect_err("no trace").code(), Code::NotFound);
        // Nothing of them is there, and the next record follows without a gap.
        assert_eq!(store.log_size(&scope("acme")).await.expect("size"), 1);
        assert!(store.traces_by_trace_id(&scope("acme"), &[trace_id("t")]).await.expect("read").opened().is_empty());
        let next = all_new(store.append(Unit::of("acme", &db.clock).trace(trace("t")).unit).await.expect("next"));
        assert_eq!(next[0].seq, 1);
        store.close().await;
    }
}

fn claim(key: &str, request: u8) -> IdempotencyClaim {
    IdempotencyClaim {
        space: CALLERS_KEYS,
        operation: "recordLlmRun",
        key: key.to_owned(),
        request_hash: seed::digest(request),
        answer: format!("{{\"request\":{request}}}"),
    }
}

db_test! {
    async fn an_idempotency_key_gives_the_first_answer_again(db: TestDb) {
        let store = db.store().await;
        let mut unit = Unit::of("acme", &db.clock).atomic().run(seed::run("r")).unit;
        unit.idempotency = Some(claim("k", 1));
        all_new(store.append(unit.clone()).await.expect("first"));
        let again = store.append(unit.clone()).await.expect("again");
        assert!(matches!(&again, AppendReceipt::Replayed(first) if first.text == "{\"request\":1}"), "{again:?}");
        unit.idempotency = Some(claim("k", 2));
        assert_eq!(store.append(unit.clone()).await.expect_err("another request").code(), Code::Conflict);
        // The same key of another tenant is another key; of another mutation it is not, except for the server's own.
        let mut other = Unit::of("zeta", &db.clock).atomic().run(seed::run("r")).unit;
        other.idempotency = Some(claim("k", 2));
        all_new(store.append(other).await.expect("another tenant"));
        let mut other = Unit::of("acme", &db.clock).trace(trace("t")).unit;
        other.idempotency = Some(IdempotencyClaim { operation: "startTrace", ..claim("k", 1) });
        assert_eq!(store.append(other.clone()).await.expect_err("another mutation").code(), Code::Conflict);
        other.idempotency = Some(IdempotencyClaim { space: "ledgerKey", operation: "ledgerKey", ..claim("k", 1) });
        all_new(store.append(other).await.expect("the server's own"));
        // A refused request leaves its key free.
        let mut refused = Unit::of("acme", &db.clock).step(step("unknown", "s")).unit;
        refused.idempotency = Some(claim("free", 3));
        assert!(matches!(&done(store.append(refused).await.expect("done"))[0], AppendResult::Rejected(_)));
        let mut taken = Unit::of("acme", &db.clock).run(seed::run("s")).unit;
        taken.idempotency = Some(claim("free", 4));
        all_new(store.append(taken).await.expect("the key is free"));
        store.close().await;
    }
}

db_test! {
    async fn a_seal_of_outdated_steps_is_stale(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock).trace(trace("t")).step(step("t", "1")).touch("t", ROOT);
        all_new(store.append(unit.unit).await.expect("steps"));
        let source = store.seal_sources(&tenant("acme"), &[trace_id("t")]).await.expect("source").opened().remove(0);
        all_new(store.append(Unit::of("acme", &db.clock).step(step("t", "2")).unit).await.expect("one more"));
        let sealing = |version| Unit::of("acme", &db.clock).atomic().seal(seal("t", 1)).run(seed::run("r")).guard("t", version);
        let receipt = store.append(sealing(source.version).unit).await.expect("answered");
        assert!(matches!(receipt, AppendReceipt::Stale), "{receipt:?}");
        assert_eq!(store.log_size(&scope("acme")).await.expect("size"), 3);
        let source = store.seal_sources(&tenant("acme"), &[trace_id("t")]).await.expect("source").opened().remove(0);
        all_new(store.append(sealing(source.version).unit).await.expect("sealed"));
        // The seal itself made the version another one: the same seal cannot be written twice.
        let receipt = store.append(sealing(source.version).unit).await.expect("answered");
        assert!(matches!(receipt, AppendReceipt::Stale), "{receipt:?}");
        let skipping = Unit::of("acme", &db.clock).seal(seal("t", 3));
        let results = done(store.append(skipping.unit).await.expect("done"));
        assert!(matches!(&results[0], AppendResult::Rejected(error) if error.code() == Code::Conflict));
        store.close().await;
    }
}

db_test! {
    async fn steps_behind_a_seal_are_late(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock).trace(trace("t")).step(step("t", "1")).seal(seal("t", 1)).step(step("t", "2"));
        let late: Vec<_> = all_new(store.append(unit.unit).await.expect("new")).iter().map(|one| one.is_late).collect();
        assert_eq!(late, [false, false, false, true]);
        all_new(store.append(Unit::of("acme", &db.clock).step(step("t", "3")).unit).await.expect("new"));
        let pages = store
            .steps_by_trace_id(&scope("acme"), &[trace_id("t")], &StepFilter::default(), &PageRequest::first(10))
            .await
            .expect("steps").opened();
        let late: Vec<_> = pages[&trace_id("t")].rows.iter().map(|row| row.item.is_late).collect();
        assert_eq!(late, [false, true, true]);
        store.close().await;
    }
}

db_test! {
    async fn a_poisoned_record_is_refused_alone(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock)
            .trace(trace("t"))
            .step(step("t", "1"))
            .step(TraceStep { skill_name: "a\0b".to_owned(), ..step("t", "2") })
            .step(step("t", "3\0"))
            .step(TraceStep { duration_us: -1, ..step("t", "4") })
            .run(LlmRun { input_tokens: i64::MAX, ..seed::run("r") })
            .trace(trace("late"))
            .step(step("t", "5"));
        // A unit beside it in the queue, and one that stands or falls whole.
        let neighbour = Unit::of("acme", &db.clock).run(seed::run("neighbour"));
        let whole = Unit::of("acme", &db.clock).atomic().run(seed::run("q")).run(LlmRun { step_count: -1, ..seed::run("p") });
        let (results, neighbour, whole) =
            tokio::join!(store.append(unit.unit), store.append(neighbour.unit), store.append(whole.unit));
        let results = done(results.expect("done"));
        let answers: Vec<_> = results
            .iter()
            .map(|one| match one {
                AppendResult::New(one) => format!("{:?}", one.step_index),
                AppendResult::Rejected(error) => format!("{error:?}"),
                AppendResult::Existing { .. } => panic!("{one:?}"),
            })
            .collect();
        insta::assert_json_snapshot!("poisoned_records", answers);
        all_new(neighbour.expect("the neighbour is written"));
        assert_eq!(whole.expect_err("not whole").code(), Code::BadUserInput);
        assert_eq!(store.log_size(&scope("acme")).await.expect("size"), 5);
        assert_eq!(db.number("SELECT COUNT(*) FROM trace_step").await, 2);
        assert_eq!(db.number("SELECT step_count FROM trace_state WHERE trace_id = 't'").await, 2);
        store.close().await;
    }
}

db_test! {
    async fn a_record_of_the_other_log_is_refused(db: TestDb) {
        let store = db.store().await;
        let access = audit(&db.clock, AuditCategory::Access);
        let governance = audit(&db.clock, AuditCategory::Governance);
        let hold = event(&db.clock, LedgerEventKind::Hold, "everything");
        for (stream, record) in [(Stream::Evidence, access), (Stream::Access, governance), (Stream::Access, hold)] {
            let unit = AppendUnit { stream, ..AppendUnit::evidence(tenant("ours"), vec![record]) };
            let refused = store.append(unit).await.expect_err("the other log's");
            let cause = refused.cause().expect("a cause").to_string();
            assert_eq!(refused.code(), Code::Internal, "{refused:?}");
            assert!(cause.ends_with(&format!("does not belong into the {} log", stream.as_str())), "{cause}");
        }
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_entry").await, 0);
        store.close().await;
    }
}
