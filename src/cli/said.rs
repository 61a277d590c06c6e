//! What commands say on standard output.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

use crate::app::AppError;

/// Writes text and a line's end. Whoever stops reading has read enough.
///
/// # Errors
/// When standard output takes nothing, a full disk for example.
pub(super) fn say(text: impl Display) -> Result<(), AppError> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(AppError::new(format!("standard output takes nothing: {error}")))
        }
        _ => Ok(()),
    }
}
