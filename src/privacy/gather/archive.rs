//! The archive itself: a packed tar, written page by page. Only the page in hand and a piece of what is packed are in memory.

use std::io;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// How many packed bytes are kept in one piece.
pub(super) const PIECE: usize = 512 * 1024;

/// An archive that is being written.
pub(super) struct Archive {
    tar: Builder<GzEncoder<Vec<u8>>>,
    made_at: u64,
}

impl Archive {
    /// An empty one, whose files are of `now`.
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Archive {
            tar: Builder::new(GzEncoder::new(Vec::new(), Compression::default())),
            made_at: now.timestamp().try_into().unwrap_or_default(),
        }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(self.made_at);
        self.tar.append_data(&mut header, format!("parlor/{name}"), content)
    }

    /// What is packed so far and was not taken, if it is a piece.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let packed = self.tar.get_mut().get_mut();
        (packed.len() >= PIECE).then(|| std::mem::take(packed))
    }

    /// The rest.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        self.tar.into_inner()?.finish()
    }
}
