//! Frames with a checksum over all of them.

use std::io::{self, Read, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Error;

/// A frame longer than this is damage, not data.
const LONGEST: u32 = 256 << 20;

/// Writes frames: four bytes of length, little-endian, then the frame; at the end a length of 0 and SHA-256 over all before.
pub(super) struct FrameWriter<'w> {
    to: &'w mut dyn Write,
    hash: Sha256,
    written: u64,
}

impl<'w> FrameWriter<'w> {
    pub(super) fn new(to: &'w mut dyn Write) -> Self {
        Self { to, hash: Sha256::new(), written: 0 }
    }

    pub(super) fn put(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).ok().filter(|length| (1..=LONGEST).contains(length));
        let length =
            length.ok_or_else(|| io::Error::other("a part of the state is too long to be stored"))?;
        self.raw(&length.to_le_bytes())?;
        self.raw(frame)
    }

    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.raw(&[0; 4])?;
        let hash = self.hash.clone().finalize();
        self.raw(&hash)?;
        Ok(self.written)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}

pub(super) struct FrameReader<'r> {
    from: &'r mut dyn Read,
    hash: Sha256,
}

impl<'r> FrameReader<'r> {
    pub(super) fn new(from: &'r mut dyn Read) -> Self {
        Self { from, hash: Sha256::new() }
    }

    /// The next frame; `None` at the end, if the checksum is right.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length == 0 {
            let right = self.hash.clone().finalize();
            let mut found = [0; 32];
            self.fill(&mut found)?;
            return if right.as_slice() == found { Ok(None) } else { Err(Error::Checksum) };
        }
        if length > LONGEST {
            return Err(Error::Checksum);
        }
        // Not all at once: a damaged length must not ask for memory that the data does not fill.
        let mut frame = Vec::with_capacity(length.min(1 << 20) as usize);
        let read =
            Read::take(&mut *self.from, u64::from(length)).read_to_end(&mut frame).map_err(Error::Read)?;
        if read != length as usize {
            return Err(Error::Checksum);
        }
        self.hash.update(&frame);
        Ok(Some(frame.into()))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.from.read_exact(bytes).map_err(Error::Read)?;
        self.hash.update(&*bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Vec<Bytes>, Error> {
        let mut frames = FrameReader::new(&mut bytes);
        std::iter::from_fn(|| frames.next().transpose()).collect()
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let mut bytes = Vec::new();
        let mut frames = FrameWriter::new(&mut bytes);
        frames.put(b"one").unwrap();
        frames.put(b"another").unwrap();
        assert_eq!(frames.finish().unwrap(), bytes.len() as u64);
        assert_eq!(read(&bytes).unwrap(), [&b"one"[..], b"another"]);
        for at in 0..bytes.len() {
            assert!(read(&bytes[..at]).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "changed at {at}");
        }
    }
}
