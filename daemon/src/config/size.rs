//! Sizes in bytes, written as people write them and printed so that nothing is lost.
//!
//! `bytesize`'s own serialisation rounds (`9.5 MiB` for ten million bytes), and a dumped configuration must mean
//! what the loaded one meant. For `#[serde(with = "isthmus_daemon::config::size")]` on a [`ByteSize`].

use std::fmt;

use bytesize::ByteSize;
use serde::de::{Unexpected, Visitor};
use serde::{Deserializer, Serializer};

const UNITS: [(u64, &str); 4] =
    [(bytesize::TIB, "TiB"), (bytesize::GIB, "GiB"), (bytesize::MIB, "MiB"), (bytesize::KIB, "KiB")];

/// Writes the size in the largest unit of which it is a whole multiple.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = size.as_u64();
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => serializer.collect_str(&format_args!("{} {name}", bytes / unit)),
        None => serializer.serialize_u64(bytes),
    }
}

/// Reads a number of bytes, or a text such as `64 MiB` or `1.5 GB`.
///
/// # Errors
/// Anything else.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    deserializer.deserialize_any(Size)
}

struct Size;

impl Visitor<'_> for Size {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as 64 MiB, or a number of bytes")
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
        u64::try_from(bytes).map(ByteSize).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
    }

    fn visit_u128<E: serde::de::Error>(self, bytes: u128) -> Result<ByteSize, E> {
        u64::try_from(bytes)
            .map(ByteSize)
            .map_err(|_| E::invalid_value(Unexpected::Other("a number beyond 64 bits"), &self))
    }

    fn visit_i128<E: serde::de::Error>(self, bytes: i128) -> Result<ByteSize, E> {
        u64::try_from(bytes)
            .map(ByteSize)
            .map_err(|_| E::invalid_value(Unexpected::Other("a number beyond 64 bits"), &self))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}
