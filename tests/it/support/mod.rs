//! What the tests stand on.

pub mod alone;
pub mod app;
pub mod audit;
pub mod db;
pub mod disk;
pub mod evidence;
pub mod fixtures;
pub mod ledger;
pub mod opened;
pub mod plans;
pub mod seed;
pub mod server;
pub mod topics;
pub mod walk;
pub mod writer;

/// One test on both databases: `name::sqlite` and `name::postgres`, with one body. Snapshots inside it must be named, so
/// that both variants share them.
macro_rules! db_test {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports, reason = "a body need not use everything around it")]
            use super::*;

            async fn body($db: $crate::support::db::TestDb) $body

            $(#[$meta])*
            #[test]
            fn sqlite() {
                $crate::support::db::on_sqlite(body);
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                $crate::support::db::on_postgres(body);
            }
        })+
    };
}
