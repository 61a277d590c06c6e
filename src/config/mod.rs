//! Settings. Each is defined once, as a field of [`Settings`]: its flag, its environment variable, its key in the file,
//! its default and its description. Precedence: defaults < `runledger.toml` < environment < flags.

mod check;
mod file;
mod names;
mod settings;
mod values;

use std::fmt;
use std::ops::Deref;

pub use file::{FileError, FileSettings, default_path, known_settings};
pub use names::check_variables;
pub use settings::{
    AccessAuditMode, AuthMode, BaseSettings, ChangeSettings, GraphqlSettings, JwtSettings, LogFormat, Settings,
};
pub use values::{OptionalAddress, Secret, parse_duration, whole};

/// A setting that cannot be used: its name and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting's name, as in the file.
    pub setting: &'static str,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl ConfigError {
    fn new(setting: &'static str, message: impl Into<String>) -> Self {
        Self { setting, message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = self.setting.to_uppercase().replace('-', "_");
        write!(f, "setting {0} (--{0}, RUNLEDGER_{variable}): {1}", self.setting, self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Settings that were checked together. `Debug` hides secrets.
#[derive(Clone, Debug)]
pub struct Config(Settings);

impl Config {
    /// Checks what a single value cannot show: that settings fit each other.
    ///
    /// # Errors
    /// The first setting that does not fit.
    pub fn new(settings: Settings) -> Result<Self, ConfigError> {
        let mut settings = settings;
        for list in [&mut settings.cors_origins, &mut settings.allowed_hosts, &mut settings.content_capture] {
            // An empty environment variable is one empty item.
            list.retain(|item| !item.is_empty());
        }
        check::check(&settings)?;
        Ok(Self(settings))
    }
}

impl Deref for Config {
    type Target = Settings;
    fn deref(&self) -> &Settings {
        &self.0
    }
}
