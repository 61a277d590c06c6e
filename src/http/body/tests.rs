use std::io::Write as _;
use std::time::Instant;

use futures_util::stream;

use super::*;
use crate::http::HttpSettings;
use crate::http::tests::settings;

/// Longer than any step takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);
const BRIEF: Duration = Duration::from_millis(20);

fn limit(bytes_max: usize) -> BodyLimit {
    BodyLimit { bytes_max, budget: None }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

async fn read_packed(bytes: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Refused> {
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().expect("a value"))]);
    let (apart, tenant) = (Apart::default(), TenantId::trusted("t"));
    read(&apart, &tenant, &headers, Body::from(bytes), &limit(bytes_max)).await.map(|body| body.bytes)
}

#[tokio::test]
async fn the_largest_body_that_is_allowed_is_taken_in_gzip_too() {
    // Of 33 MiB the bytes as they come and as they are unpacked are more than a tenant's share is otherwise.
    for bytes_max in [1 << 20, 33 << 20] {
        let settings = HttpSettings { graphql_body_bytes: bytes_max, ..settings() };
        let share = settings.bytes_of_a_tenant();
        let tenant = TenantId::trusted("t");
        let budget = Budget { pool: FairPool::new(share, share, 0), tenant: tenant.clone() };
        let pool = budget.pool.clone();
        // Stored as it is, so that it is as long in gzip.
        let body = vec![7; bytes_max - (64 << 10)];
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(&body).expect("memory");
        let packed = encoder.finish().expect("memory");
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().expect("a value"))]);
        let limit = BodyLimit { bytes_max, budget: Some(budget) };
        let taken = read(&Apart::default(), &tenant, &headers, Body::from(packed), &limit).await.expect("taken");
        assert_eq!((taken.bytes.len(), pool.held()), (body.len(), body.len()));
    }
}

/// Pieces of a byte, each after some time; for ever.
fn dripping(pause: Duration) -> Body {
    Body::from_stream(stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(vec![0_u8]), ()))
    }))
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up() {
    let collect = |body, in_all, a_piece| async move {
        let limit = limit(1 << 20);
        let (headers, began) = (HeaderMap::new(), Instant::now());
        let collected = tokio::time::timeout(LONG, collect_within(&headers, body, &limit, 0, in_all, a_piece)).await;
        let refused = collected.expect("an end").err().expect("refused");
        assert_eq!((refused.status, refused.error.code()), (StatusCode::REQUEST_TIMEOUT, Code::Timeout));
        began.elapsed()
    };
    // It sends nothing, nothing more, and a byte now and then.
    let nothing = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    assert!(collect(nothing, LONG, BRIEF).await < LONG);
    let begun = stream::iter([Ok::<_, std::io::Error>(vec![0_u8; 9])]);
    assert!(
        collect(Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending())), LONG, BRIEF).await < LONG
    );
    assert!(collect(dripping(Duration::from_millis(1)), BRIEF, LONG).await < LONG);
}

#[tokio::test]
async fn gzip_has_so_many_members_and_no_more() {
    let members = |count: usize| packed(b"x").repeat(count);
    assert_eq!(read_packed(members(MEMBERS_MAX), 1 << 20).await.expect("taken").len(), MEMBERS_MAX);
    let refused = read_packed(members(MEMBERS_MAX + 1), 1 << 20).await.expect_err("refused");
    assert_eq!((refused.status, refused.error.code()), (StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded));
    assert!(refused.error.message().contains("64"), "{:?}", refused.error);
    // Empty ones too; and they are not unpacked first.
    assert!(read_packed(packed(b"").repeat(100_000), 1 << 20).await.is_err());
}

#[test]
fn unpacking_stops_at_the_limit_and_at_what_is_light() {
    let share = || Share::of(None);
    let arrived = |bytes| Arrived::new(bytes, true, 1 << 20, share()).expect("bytes");
    let mut large = arrived(packed(&vec![0; 4 << 20]));
    assert!(!large.is_light().expect("so far"));
    let State::Packed(gunzip) = &large.state else { panic!("packed") };
    assert!(gunzip.len() < 2 * LIGHT_BYTES, "{}", gunzip.len());
    assert_eq!(large.unpack().err().expect("too large").status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut small = arrived(packed(b"small"));
    assert!(small.is_light().expect("light"));
    assert_eq!(small.unpack().expect("small").bytes, b"small");
    let mut packed_large = arrived(vec![31; LIGHT_BYTES + 1]);
    assert!(!packed_large.is_light().expect("not looked at"));
}

#[tokio::test]
async fn broken_gzip_is_refused_and_whole_gzip_is_read() {
    let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let whole = packed(&text);
    assert_eq!(read_packed(whole.clone(), 1 << 20).await.expect("whole"), text);
    let mut changed = whole.clone();
    let at = changed.len() - 6;
    changed[at] ^= 1;
    for broken in [whole[..whole.len() - 1].to_vec(), [&whole[..], b"x"].concat(), changed, b"x".to_vec(), Vec::new()] {
        let refused = read_packed(broken, 1 << 20).await.expect_err("broken");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{:?}", refused.error);
    }
}

/// Bytes that gzip makes no smaller.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn what_was_unpacked_is_held_once() {
    let pool = FairPool::new(1 << 20, 1 << 20, 0);
    let tenant = TenantId::trusted("a");
    let text = noise(300_000);
    let packed = packed(&text);
    assert!(packed.len() > 290_000, "{}", packed.len());
    let mut share = Share::of(Some(Budget { pool: pool.clone(), tenant }));
    share.grow(packed.len()).expect("room");
    let body = Arrived::new(packed, true, 1 << 20, share).expect("bytes").unpack().expect("gzip");
    assert!(body.bytes == text);
    assert_eq!(pool.held(), text.len(), "the packed bytes are gone");
    // So what is made of them has the rest.
    let mut message = body.share.another();
    message.grow((1 << 20) - text.len()).expect("room for all of the rest");
    drop((body, message));
    assert_eq!(pool.held(), 0);
}

#[tokio::test]
async fn what_is_around_a_body_is_not_counted_and_not_told() {
    let pool = FairPool::new(1 << 20, 1 << 20, 0);
    let budget = Some(Budget { pool: pool.clone(), tenant: TenantId::trusted("a") });
    let limit = BodyLimit { bytes_max: 100, budget };
    let (mut bytes, share) = collect(&HeaderMap::new(), Body::from(vec![7_u8; 105]), &limit, 5).await.expect("taken");
    bytes.drain(..5);
    let body = Arrived::new(bytes, false, 100, share).expect("bytes").unpack().expect("plain");
    assert_eq!((body.bytes.len(), pool.held()), (100, 100));
    let announced = HeaderMap::from_iter([(CONTENT_LENGTH, "106".parse().expect("a value"))]);
    for (headers, value) in [(HeaderMap::new(), None), (announced, Some(101))] {
        let refused = collect(&headers, Body::from(vec![7_u8; 106]), &limit, 5).await.err().expect("refused");
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(*refused.error.detail(), crate::error::Detail::Limit { limit: 100, value });
        assert!(refused.error.message().contains("at most 100 bytes"), "{}", refused.error.message());
    }
}

#[test]
fn one_tenant_holds_no_more_than_its_share() {
    let pool = FairPool::new(100, 60, 0);
    let of = |name: &str| Share::of(Some(Budget { pool: pool.clone(), tenant: TenantId::trusted(name) }));
    let mut greedy = of("a");
    greedy.grow(60).expect("its share");
    let refused = greedy.grow(1).expect_err("more than its share");
    assert_eq!(refused.code(), Code::Unavailable);
    let mut modest = of("b");
    modest.grow(40).expect("what is left");
    assert!(modest.grow(1).is_err());
    drop(greedy);
    modest.grow(20).expect("given back");
    assert!(modest.another().grow(1).is_err());
    drop(modest);
    assert_eq!(pool.held(), 0);
}
