//! Composition root: settings become a store, the store a facade, the facade routers, and these a running server.

mod api;
mod connections;
mod instance;
mod ledger_key;
mod listen;
mod parts;
mod serve;

use std::fmt;

pub use api::sdl;
pub use instance::InstanceFile;
pub use ledger_key::{ledger_key_path, rotate_ledger_key, start_signing};
pub use listen::Listeners;
pub use parts::{open_for_command, open_logs, open_store, open_to_look};
pub use serve::{Server, until_signal};

use crate::config::ConfigError;
use crate::error::Error;

/// Why the process cannot go on, for the person who started it.
#[derive(Debug)]
pub struct AppError(String);

impl AppError {
    /// An error in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AppError {}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        match error.cause() {
            Some(cause) => Self(format!("{}: {cause}", error.message())),
            None => Self(error.message().to_owned()),
        }
    }
}

impl From<ConfigError> for AppError {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}
