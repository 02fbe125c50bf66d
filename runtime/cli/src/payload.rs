//! Reading what an execution is given.

use crate::error::CliError;
use bytes::Bytes;
use leasehold_core::command::PAYLOAD_BYTES_MAX;
use leasehold_core::error::EngineError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The payload from the command line or from a file; `-` is the standard
/// input. One that is too large is refused before it is sent, so that the
/// refusal does not depend on how much of it the server reads.
pub(crate) fn read(text: Option<&str>, file: Option<&Path>) -> Result<Bytes, CliError> {
    let bytes = match (text, file) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(path)) => file_bytes(path, PAYLOAD_BYTES_MAX)?,
        (None, None) => Vec::new(),
    };
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(EngineError::invalid_input(format!("payload over {PAYLOAD_BYTES_MAX} bytes")).into());
    }
    Ok(bytes.into())
}

/// The bytes of a file, or of the standard input for `-`: all of them, or just
/// more than `max`.
pub(crate) fn file_bytes(path: &Path, max: usize) -> Result<Vec<u8>, CliError> {
    if path == Path::new("-") {
        return bounded(std::io::stdin().lock(), path, max);
    }
    bounded(File::open(path).map_err(|source| unreadable(path, source))?, path, max)
}

fn bounded(from: impl Read, path: &Path, max: usize) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    from.take(max as u64 + 1).read_to_end(&mut bytes).map_err(|source| unreadable(path, source))?;
    Ok(bytes)
}

fn unreadable(path: &Path, source: std::io::Error) -> CliError {
    CliError::Unreadable { path: path.display().to_string(), source }
}
