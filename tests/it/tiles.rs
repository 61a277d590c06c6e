//! The logs as standard tools read them: another implementation's tree over our tiles.

use std::collections::HashMap;

use runledger::domain::vocabulary::Stream;
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint, Error, Tile, TileHashReader, TileReader, check_record, prove_record, record_hash};

use crate::support::app::{TestApp, signer};
use crate::support::seed::{self, Unit, scope};

/// Tiles that were fetched, by path.
struct Fetched(HashMap<String, Vec<u8>>);

impl TileReader for Fetched {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| self.0.get(&path(tile)).cloned().ok_or_else(|| Error::InvalidInput(path(tile)));
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The library's path has the height in it, as its elder relatives have.
fn path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

async fn fill(app: &TestApp, tenant: &str, count: usize) {
    let unit = (0..count).fold(Unit::of(tenant, &app.clock), |unit, run| unit.run(seed::run(&run.to_string())));
    seed::all_new(app.store.append(unit.unit).await.expect("appended"));
    app.logs.sign_all().await.expect("signed");
}

async fn log_id(app: &TestApp, tenant: &str) -> String {
    let log = app.logs.facade(scope(tenant)).ledger_log(Stream::Evidence).await.expect("read").expect("a log");
    log.log_id.simple().to_string()
}

/// Splits a bundle into its leaves.
fn leaves(mut bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (leaf, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        leaves.push(leaf.to_vec());
        bundle = rest;
    }
    leaves
}

/// The checkpoint of a note that our key has signed.
fn open(note: &[u8]) -> Checkpoint {
    let note = Note::from_bytes(note).expect("a note");
    let verifier = StandardVerifier::new(&signer().key().vkey()).expect("a vkey");
    let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("signed");
    assert_eq!(verified.len(), 1);
    Checkpoint::from_bytes(note.text()).expect("a checkpoint")
}

/// Checks that every leaf is in the checkpoint's tree, which is made of nothing but the tiles.
fn check(checkpoint: &Checkpoint, tiles: Fetched, leaves: &[Vec<u8>]) {
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let reader = TileHashReader::new(size, root, &tiles);
    for (index, leaf) in (0..size).zip(leaves) {
        let proof = prove_record(size, index, &reader).expect("a proof");
        check_record(&proof, size, root, index, record_hash(leaf)).expect("the leaf is in the tree");
    }
}

db_test! {
    async fn another_implementation_reads_and_checks_the_whole_log(db: TestDb) {
        const SIZE: u64 = 600;
        let app = TestApp::on(&db).await;
        fill(&app, "ours", 600).await;
        let base = format!("/ledger/{}", log_id(&app, "ours").await);
        let answer = app.get(&format!("{base}/checkpoint")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
        let checkpoint = open(&answer.body);
        assert_eq!(checkpoint.size(), SIZE);

        let mut tiles = HashMap::new();
        for tile in Tile::new_tiles(8, 0, SIZE) {
            let answer = app.get(&format!("{base}/{}", path(&tile))).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"), "{}", path(&tile));
            assert_eq!(answer.header("cache-control"), "private, max-age=31536000, immutable");
            tiles.insert(path(&tile), answer.body);
        }
        assert_eq!(tiles.len(), 4, "two whole tiles and a part of leaves, a part above");
        let mut entries = Vec::new();
        for bundle in ["000", "001", "002.p/88"] {
            let answer = app.get(&format!("{base}/tile/entries/{bundle}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            entries.extend(leaves(&answer.body));
        }
        assert_eq!(entries.len(), 600);
        check(&checkpoint, Fetched(tiles), &entries);
        app.store.close().await;
    }
}

db_test! {
    async fn tiles_that_are_not_read_take_from_their_tenants_budget(db: TestDb) {
        let app = TestApp::on(&db).await;
        // Leaves of 30 kB, so that a tile of them has 7.5 MiB: eight are in a tenant's share of 64 MiB, nine are not.
        let run = |run: u32| runledger::domain::run::LlmRun { finish_reason: Some("x".repeat(30_000)), ..seed::run(&run.to_string()) };
        let unit = (0..256).fold(Unit::of("ours", &app.clock), |unit, number| unit.run(run(number)));
        seed::all_new(app.store.append(unit.unit).await.expect("appended"));
        app.logs.sign_all().await.expect("signed");
        let path = format!("/ledger/{}/tile/entries/000", log_id(&app, "ours").await);
        let mut unread = Vec::new();
        for _ in 0..8 {
            unread.push(app.unread(&path).await);
        }
        assert!(unread.iter().all(|answer| answer.status() == 200));
        let refused = app.get(&path).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
        assert_eq!(app.other_tenant("theirs").get("/ledger/00000000000000000000000000000000/tile/0/000").await.status, 404);
        unread.pop();
        let read = app.get(&path).await;
        assert_eq!((read.status, leaves(&read.body).len()), (200, 256));
        app.store.close().await;
    }
}

db_test! {
    async fn what_the_checkpoint_does_not_cover_is_not_served(db: TestDb) {
        let app = TestApp::on(&db).await;
        fill(&app, "ours", 300).await;
        let unit = Unit::of("ours", &db.clock).run(seed::run("later"));
        seed::all_new(app.store.append(unit.unit).await.expect("appended"));
        let base = format!("/ledger/{}", log_id(&app, "ours").await);
        for (tile, status) in [
            ("0/000", 200),
            ("0/001.p/44", 200),
            ("0/001.p/7", 200),
            ("0/001.p/45", 404),
            ("0/001", 404),
            ("0/002.p/1", 404),
            ("1/000.p/1", 200),
            ("1/000.p/2", 404),
            ("2/000.p/1", 404),
            ("entries/001.p/44", 200),
            ("entries/001.p/45", 404),
            ("0/0", 404),
            ("0/x000/000", 404),
            ("9/000", 404),
        ] {
            assert_eq!(app.get(&format!("{base}/tile/{tile}")).await.status, status, "{tile}");
        }
        app.logs.sign_changed().await.expect("signed");
        assert_eq!(app.get(&format!("{base}/tile/0/001.p/45")).await.status, 200);
        app.store.close().await;
    }
}

db_test! {
    async fn a_tenant_reads_its_own_logs_and_the_hashes_of_the_log_of_logs(db: TestDb) {
        let app = TestApp::with(&db, AuthSettings::Required(None), GraphqlLimits::default()).await;
        fill(&app, "ours", 2).await;
        fill(&app, "theirs", 2).await;
        app.logs.announce_keys().await.expect("announced");
        app.logs.sign_all().await.expect("signed");
        let key = async |tenant: &str, permissions: &[runledger::domain::scope::Permission]| {
            let permissions = permissions.iter().copied().collect();
            let made = app.logs.create_api_key(seed::tenant(tenant), None, permissions, None).await;
            app.with_key(&made.expect("made").1)
        };
        use runledger::domain::scope::Permission::{AuditRead, RunsRead, RunsWrite, SystemRead};
        let reader = key("ours", &[RunsRead]).await;
        let auditor = key("ours", &[RunsRead, AuditRead, SystemRead]).await;
        let writer = key("ours", &[RunsWrite]).await;
        let (ours, theirs) = (log_id(&app, "ours").await, log_id(&app, "theirs").await);
        let platform = {
            let log = app.store.ledger_log(&runledger::domain::ids::TenantId::platform(), Stream::Evidence).await;
            log.expect("read").expect("a log").log_id.simple().to_string()
        };
        for (caller, name, log, path, status) in [
            (&app, "nobody", &ours, "checkpoint", 401),
            (&app, "nobody", &ours, "tile/0/000.p/2", 401),
            (&writer, "writer", &ours, "checkpoint", 403),
            (&reader, "reader", &ours, "checkpoint", 200),
            (&reader, "reader", &ours, "tile/0/000.p/2", 200),
            (&reader, "reader", &ours, "tile/entries/000.p/2", 403),
            (&auditor, "auditor", &ours, "tile/entries/000.p/2", 200),
            (&auditor, "auditor", &theirs, "checkpoint", 404),
            (&auditor, "auditor", &theirs, "tile/0/000.p/2", 404),
            (&auditor, "auditor", &theirs, "tile/entries/000.p/2", 404),
            (&auditor, "auditor", &platform, "checkpoint", 200),
            (&auditor, "auditor", &platform, "tile/0/000.p/2", 200),
            (&auditor, "auditor", &platform, "tile/entries/000.p/2", 403),
        ] {
            let answer = caller.get(&format!("/ledger/{log}/{path}")).await;
            assert_eq!(answer.status, status, "{name} {path}: {}", answer.text());
        }
        let unknown = auditor.get("/ledger/00000000000000000000000000000000/checkpoint").await;
        assert_eq!(unknown.text(), auditor.get(&format!("/ledger/{theirs}/checkpoint")).await.text());
        app.store.close().await;
    }
}
