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
pub use parts::{claim, open_for_command, open_logs, open_store, open_to_look, require_file};
pub use serve::{Server, until_signal};

use crate::config::ConfigError;
use crate::error::{Code, Detail, Error};
use crate::store;

/// Why the process cannot go on, for the person who started it.
#[derive(Debug)]
pub struct AppError {
    message: String,
    is_setting: bool,
}

impl AppError {
    /// What could not be done, in words: the process ends with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_setting: false }
    }

    /// A setting or an argument that cannot be used, and what is allowed: the process ends with exit code 2.
    pub fn setting(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_setting: true }
    }

    /// Whether it is for a setting or an argument.
    #[must_use]
    pub const fn is_setting(&self) -> bool {
        self.is_setting
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AppError {}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        let message = store::for_operator(&error);
        match (error.code(), error.detail()) {
            (Code::BadUserInput, Detail::Field(field)) if !field.is_empty() => {
                Self::setting(format!("{}: {message}", field.replace('_', "-")))
            }
            (Code::LimitExceeded, _) => Self::setting(message),
            _ => Self::new(message),
        }
    }
}

impl From<ConfigError> for AppError {
    fn from(error: ConfigError) -> Self {
        Self::setting(error.to_string())
    }
}
