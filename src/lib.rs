//! Runledger: the evidence-grade log of LLM runs.
//!
//! Layers, from the bottom; a lower one never knows a higher one (`tests/architecture.rs` holds this):
//!
//! | layer | what |
//! |---|---|
//! | [`domain`], [`error`], [`clock`] | plain types |
//! | `ledger`, `capture` | pure: bytes and commitments; spans to records |
//! | `entity`, `store` | tables; the only query builder |
//! | `facade` | use cases, authorisation, evidence, loaders |
//! | `work` | what a server does of its own accord |
//! | `graphql`, `http` | the API |
//! | `config`, `telemetry`, `app`, `cli` | settings, logs, composition, commands |

pub mod app;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod entity;
pub mod error;
pub mod facade;
pub mod graphql;
pub mod http;
pub mod ledger;
pub mod store;
pub mod telemetry;
pub mod work;
