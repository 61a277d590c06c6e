use std::io::Write as _;
use std::time::Instant;

use futures_util::stream;

use super::*;

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
    read(&headers, Body::from(bytes), &limit(bytes_max)).await.map(|body| body.bytes)
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
        let collected = tokio::time::timeout(LONG, collect_within(&headers, body, &limit, in_all, a_piece)).await;
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
