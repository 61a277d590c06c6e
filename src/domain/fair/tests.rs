//! Shares, turns, places to wait; nothing is lost when somebody leaves.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

const LONG: Duration = Duration::from_secs(600);

fn pool(total: usize, share_max: usize, waiting_max: usize) -> FairPool<&'static str> {
    FairPool::new(total, share_max, waiting_max)
}

#[test]
fn one_caller_has_a_share_and_all_have_the_pool() {
    let pool = pool(4, 2, 0);
    let own: Vec<_> = (0..2).map(|_| pool.try_acquire(&"a").expect("a share")).collect();
    assert_eq!(pool.try_acquire(&"a").err(), Some(NoPermit::OwnShare));
    let others = [pool.try_acquire(&"b").expect("b"), pool.try_acquire(&"c").expect("c")];
    assert_eq!(pool.try_acquire(&"d").err(), Some(NoPermit::Full));
    drop(own);
    assert_eq!((pool.held(), others.len()), (2, 2));
    assert!(pool.try_acquire(&"d").is_ok());
    drop(others);
    assert_eq!(pool.held(), 0);
    assert!(pool.0.lock().callers.is_empty(), "nothing is kept of who has nothing");
}

#[test]
fn bytes_are_taken_and_given_back_together() {
    let pool = pool(100, 60, 0);
    let mut first = pool.try_acquire_many(&"a", 40).expect("room");
    assert!(first.merge(pool.try_acquire_many(&"a", 20).expect("room")).is_ok());
    assert_eq!((first.size(), pool.held()), (60, 60));
    assert_eq!(pool.try_acquire_many(&"a", 1).err(), Some(NoPermit::OwnShare));
    assert_eq!(pool.try_acquire_many(&"b", 41).err(), Some(NoPermit::Full));
    let other = pool.try_acquire_many(&"b", 40).expect("room");
    assert!(first.merge(other).is_err_and(|other| other.size() == 40), "another's permit stays another's");
    assert_eq!(pool.held(), 60, "and is given back as such");
    drop(first);
    assert_eq!(pool.held(), 0);
}

#[test]
fn nothing_is_kept_of_who_takes_nothing() {
    let pool = pool(4, 2, 0);
    let nothing = pool.try_acquire_many(&"a", 0).expect("nothing");
    assert!(pool.0.lock().callers.is_empty());
    drop(nothing);
    let mut some = pool.try_acquire_many(&"a", 0).expect("nothing");
    assert!(some.merge(pool.try_acquire_many(&"a", 2).expect("room")).is_ok());
    assert_eq!((some.size(), pool.held()), (2, 2));
    drop(some);
    assert!(pool.held() == 0 && pool.0.lock().callers.is_empty());
}

#[test]
fn a_part_is_given_back_before_the_rest() {
    let pool = pool(100, 60, 0);
    let mut held = pool.try_acquire_many(&"a", 60).expect("room");
    held.shrink_to(70);
    assert_eq!((held.size(), pool.held()), (60, 60), "it has no more");
    held.shrink_to(20);
    assert_eq!((held.size(), pool.held()), (20, 20));
    let more = pool.try_acquire_many(&"a", 40).expect("the part is there again");
    held.shrink_to(0);
    assert_eq!((held.size(), pool.held()), (0, 40));
    drop((held, more));
    assert!(pool.held() == 0 && pool.0.lock().callers.is_empty());
}

#[tokio::test]
async fn callers_take_turns_however_many_one_has() {
    let pool = pool(1, 1, 100);
    let held = pool.try_acquire(&"quiet").expect("free");
    let mut waiting = Vec::new();
    for number in 0..50 {
        let mut place = Box::pin(pool.acquire(&"loud", LONG));
        assert!((&mut place).now_or_never().is_none(), "{number} waits");
        waiting.push(place);
    }
    let mut quiet = Box::pin(pool.acquire(&"quiet", LONG));
    assert!((&mut quiet).now_or_never().is_none());
    assert_eq!(pool.waiting(), 51);
    drop(held);
    let first = waiting.remove(0).await.expect("the loud one was first");
    assert!((&mut quiet).now_or_never().is_none());
    drop(first);
    let second = quiet.now_or_never().expect("the next turn is the other's").expect("granted");
    drop(second);
    let third = waiting.remove(0).await.expect("and then again");
    drop((third, waiting));
    assert_eq!((pool.held(), pool.waiting()), (0, 0));
    assert!(pool.0.lock().callers.is_empty());
}

#[tokio::test]
async fn who_holds_least_is_next() {
    let pool = pool(3, 2, 10);
    let loud: Vec<_> = (0..2).map(|_| pool.try_acquire(&"loud").expect("a share")).collect();
    let mut more = Box::pin(pool.acquire(&"loud", LONG));
    assert!((&mut more).now_or_never().is_none(), "its share is used up, though a permit is free");
    let quiet = pool.acquire(&"quiet", LONG).await.expect("the free one");
    let mut second = Box::pin(pool.acquire(&"quiet", LONG));
    assert!((&mut second).now_or_never().is_none());
    drop(loud);
    assert!(more.now_or_never().expect("loud holds none now").is_ok());
    assert!(second.now_or_never().expect("there are two").is_ok());
    drop(quiet);
    assert_eq!(pool.held(), 0);
}

#[tokio::test]
async fn full_places_go_to_those_who_wait_with_fewer() {
    let pool = pool(1, 1, 4);
    let held = pool.try_acquire(&"other").expect("free");
    let mut loud: Vec<_> = (0..4).map(|_| Box::pin(pool.acquire(&"loud", LONG))).collect();
    for place in &mut loud {
        assert!(place.now_or_never().is_none());
    }
    assert_eq!(pool.acquire(&"loud", LONG).await.err(), Some(NoPermit::OwnShare), "it makes no room for itself");
    let mut quiet = Box::pin(pool.acquire(&"quiet", LONG));
    assert!((&mut quiet).now_or_never().is_none(), "there is room for another");
    let last = loud.pop().expect("four").now_or_never().expect("its place was needed");
    assert_eq!(last.err(), Some(NoPermit::OwnShare));
    assert_eq!(pool.waiting(), 4);
    drop((held, quiet, loud));
    assert_eq!((pool.held(), pool.waiting()), (0, 0));
}

#[tokio::test]
async fn who_waits_too_long_is_told_and_leaves_nothing() {
    let pool = pool(1, 1, 4);
    let held = pool.try_acquire(&"a").expect("free");
    assert_eq!(pool.acquire(&"b", Duration::from_millis(10)).await.err(), Some(NoPermit::Late));
    assert_eq!(pool.waiting(), 0);
    let mut granted = Box::pin(pool.acquire(&"b", LONG));
    assert!((&mut granted).now_or_never().is_none());
    drop(held);
    assert_eq!(pool.held(), 1, "granted, though nobody has looked yet");
    drop(granted);
    assert_eq!(pool.held(), 0, "and given back by who has gone");
    assert!(pool.0.lock().callers.is_empty() && pool.0.lock().turns.is_empty());
}
