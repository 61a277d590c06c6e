//! API keys and content keys.

use runledger::domain::scope::{Permission, Permissions};
use runledger::error::Code;
use runledger::store::keys::ApiKey;

use crate::support::seed::{at, digest, tenant};

fn key(id: &str, owner: &str) -> ApiKey {
    ApiKey {
        key_id: id.to_owned(),
        tenant: tenant(owner),
        name: Some("exporter".to_owned()),
        permissions: [Permission::RunsRead, Permission::RunsWrite].into_iter().collect(),
        secret_hash: digest(3),
        created_at: at(0),
        expires_at: Some(at(60)),
        revoked_at: None,
    }
}

db_test! {
    async fn keys_are_kept_found_and_revoked_once(db: TestDb) {
        let store = db.store().await;
        for one in [key("b", "acme"), key("a", "acme"), key("c", "zeta")] {
            store.create_api_key(&one).await.expect("created");
        }
        assert_eq!(store.create_api_key(&key("a", "zeta")).await.expect_err("taken").code(), Code::Conflict);
        assert_eq!(store.get_api_key("a").await.expect("read"), Some(key("a", "acme")));
        for unknown in ["x", "", "a\0"] {
            assert_eq!(store.get_api_key(unknown).await.expect("read"), None);
        }
        let bare = ApiKey { name: None, permissions: Permissions::default(), expires_at: None, ..key("d", "bare") };
        store.create_api_key(&bare).await.expect("created");
        assert_eq!(store.list_api_keys(&tenant("bare")).await.expect("listed"), [bare]);

        assert!(!store.revoke_api_key(&tenant("zeta"), "a").await.expect("another tenant's"));
        assert!(store.revoke_api_key(&tenant("acme"), "a").await.expect("revoked"));
        db.clock.advance_us(1_000_000);
        assert!(store.revoke_api_key(&tenant("acme"), "a").await.expect("again"));
        let keys = store.list_api_keys(&tenant("acme")).await.expect("listed");
        assert_eq!(keys.iter().map(|one| one.key_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((keys[0].revoked_at, keys[1].revoked_at), (Some(at(0)), None));
        store.close().await;
    }
}

db_test! {
    async fn a_content_key_is_made_once_for_all_processes(db: TestDb) {
        let (one, two) = (db.store().await, db.store().await);
        let acme = tenant("acme");
        let (left, right) = tokio::join!(one.content_key(&acme), two.content_key(&acme));
        let key = left.expect("made");
        assert_eq!(key, right.expect("made"));
        assert_ne!(key, one.content_key(&tenant("zeta")).await.expect("another"));
        one.close().await;
        two.close().await;
        assert_eq!(db.store().await.content_key(&acme).await.expect("kept"), key);
    }
}
