//! What tells how a log stands, and when the background speaks.

use super::integrity::integrity;
use super::*;
use crate::domain::ids::RecordId;
use crate::domain::time::Timestamp;
use crate::domain::verification::VerificationStatus as Status;
use crate::domain::vocabulary::Stream;

fn verification(status: Status, from_size: i64, size: i64) -> Verification {
    Verification {
        id: RecordId(Uuid::from_u128(1)),
        tenant_id: TenantId::trusted("acme"),
        log_id: Uuid::from_u128(2),
        stream: Some(Stream::Evidence),
        mode: if from_size == 0 { VerificationMode::Full } else { VerificationMode::Incremental },
        status,
        reason: None,
        from_size,
        size,
        root: None,
        entry_count: size - from_size,
        payload_count: 0,
        erased_count: 0,
        anomaly_count: i64::from(status == Status::Invalid),
        warning_count: 0,
        is_chain_valid: status != Status::Invalid,
        started_at: Timestamp::default(),
        finished_at: Timestamp::default(),
    }
}

fn standing(status: Status, from_size: i64, size: i64) -> Standing {
    let verification = verification(status, from_size, size);
    Standing { mode: verification.mode, checked_at: verification.finished_at, verification }
}

fn look(status: Status, from_size: i64, size: i64, has_news: bool) -> Look {
    Look { verification: verification(status, from_size, size), findings: Vec::new(), has_news }
}

#[test]
fn a_look_at_the_newest_entries_never_takes_back_what_a_whole_one_found() {
    let invalid = standing(Status::Invalid, 0, 10);
    assert!(!tells(&verification(Status::Valid, 5, 12), Some(&invalid)));
    assert!(!tells(&verification(Status::Unknown, 0, 12), Some(&invalid)));
    assert!(tells(&verification(Status::Valid, 0, 12), Some(&invalid)));
    assert!(tells(&verification(Status::Invalid, 5, 12), Some(&standing(Status::Valid, 0, 10))));
    assert!(tells(&verification(Status::Unknown, 5, 12), None));
}

#[test]
fn the_background_speaks_when_it_has_something_to_say() {
    let valid = standing(Status::Valid, 0, 10);
    assert!(says_something(&look(Status::Valid, 0, 10, false), None), "the first look");
    assert!(says_something(&look(Status::Valid, 10, 12, true), Some(&valid)), "records were covered");
    assert!(!says_something(&look(Status::Valid, 10, 11, false), Some(&valid)), "only its own entry was");
    assert!(says_something(&look(Status::Invalid, 10, 11, false), Some(&valid)), "the status changed");
    let invalid = standing(Status::Invalid, 0, 10);
    assert!(!says_something(&look(Status::Invalid, 0, 10, true), Some(&invalid)), "the same findings again");
}

#[test]
fn what_may_be_believed_is_the_worst_and_never_valid_by_default() {
    let at = Timestamp::from_micros_clamped;
    let check = integrity(&[], true, at(0));
    assert_eq!((check.status, check.hash_chain_valid, check.last_verified), (Status::Unknown, None, None));
    assert_eq!(check.reason.as_deref(), Some("the log was never verified"));
    let valid = standing(Status::Valid, 0, 10);
    assert_eq!(integrity(std::slice::from_ref(&valid), true, at(STALE_US)).status, Status::Valid);
    let stale = integrity(std::slice::from_ref(&valid), true, at(STALE_US + 1));
    assert_eq!((stale.status, stale.hash_chain_valid), (Status::Unknown, Some(true)));
    let both = integrity(&[valid, standing(Status::Invalid, 0, 3)], true, at(1));
    assert_eq!((both.status, both.anomalies_detected, both.hash_chain_valid), (Status::Invalid, 1, Some(false)));
}
