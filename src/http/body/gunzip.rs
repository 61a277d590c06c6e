//! Unpacks gzip piece by piece, so that whoever asks can stop, count, or go on elsewhere.

use std::io::{self, Cursor, Read as _};

use flate2::bufread::GzDecoder;

/// Members of one body. Each costs a set-up, however little is in it; who sends more than one sends a few.
pub(super) const MEMBERS_MAX: usize = 64;
/// Bytes that are unpacked at a time.
const PIECE_BYTES: usize = 16 << 10;

/// A body that is being unpacked.
pub(super) struct Gunzip {
    decoder: GzDecoder<Cursor<Vec<u8>>>,
    bytes: Vec<u8>,
    members: usize,
    is_done: bool,
}

impl Gunzip {
    pub(super) fn new(packed: Vec<u8>) -> Self {
        Self { decoder: GzDecoder::new(Cursor::new(packed)), bytes: Vec::new(), members: 1, is_done: false }
    }

    /// Unpacks one more piece; how many bytes it has.
    ///
    /// # Errors
    /// When it is not gzip, is cut off, or differs from its checksum.
    pub(super) fn step(&mut self) -> io::Result<usize> {
        let mut piece = [0; PIECE_BYTES];
        let count = self.decoder.read(&mut piece)?;
        self.bytes.extend_from_slice(&piece[..count]);
        if count == 0 {
            let packed = std::mem::take(self.decoder.get_mut());
            self.is_done = packed.position() >= packed.get_ref().len() as u64;
            self.members += usize::from(!self.is_done);
            drop(self.decoder.reset(packed));
        }
        Ok(count)
    }

    /// Whether that was all.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Members so far.
    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes before unpacking.
    pub(super) fn packed_bytes(&self) -> usize {
        self.decoder.get_ref().get_ref().len()
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
