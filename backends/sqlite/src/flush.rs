//! Writing the database file out in pieces.
//!
//! Pages that a copying of the log has changed lie all over the file. Synced
//! in one go they form a queue at the disk, and the sync of a commit that
//! comes meanwhile waits behind all of it. Synced piece by piece, with
//! a pause after each, they let it through.
//!
//! Nothing rests on this for safety. SQLite syncs the file itself before the
//! log may start over, and finds little left to do then. An error the disk
//! reports here is reported to SQLite as well, whose descriptors stand for
//! themselves.

use memmap2::MmapOptions;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A piece is no smaller: each costs the disk a flush of its cache.
const PIECE_BYTES_MIN: usize = 256 << 10;

/// How long the disk is left to commits after a piece, in times of what the
/// piece took, and at most.
const PAUSE: u32 = 2;
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// The database file, beside SQLite's own descriptors.
#[derive(Debug)]
pub(crate) struct Flusher {
    path: PathBuf,
    /// Opened once and kept as long as the store: closing a descriptor drops
    /// the locks that SQLite holds on the file in this process.
    file: OnceLock<File>,
}

impl Flusher {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), file: OnceLock::new() }
    }

    /// Writes out what has changed, in about so many pieces. Blocks, for three
    /// times as long as the disk needs.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened or mapped, and what the disk reports.
    #[expect(clippy::disallowed_methods, reason = "the disk sets the pace, on a thread that may block")]
    pub(crate) fn flush(&self, pieces: usize) -> io::Result<()> {
        let file = self.file()?;
        let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if bytes == 0 {
            return Ok(());
        }
        // Only the system looks at the mapping; it takes the range from it.
        let map = MmapOptions::new().len(bytes).map_raw_read_only(file)?;
        let piece = (bytes / pieces.max(1)).next_multiple_of(PIECE_BYTES_MIN);
        for start in (0..bytes).step_by(piece) {
            let began = Instant::now();
            map.flush_range(start, piece.min(bytes - start))?;
            std::thread::sleep((began.elapsed() * PAUSE).min(PAUSE_MAX));
        }
        Ok(())
    }

    fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        // One that may not be written to is mapped as private, and a range of
        // such a mapping has nothing to write out.
        let opened = OpenOptions::new().read(true).write(true).open(&self.path)?;
        Ok(self.file.get_or_init(|| opened))
    }
}
