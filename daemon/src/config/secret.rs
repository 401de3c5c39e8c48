//! A value that nobody sees who did not ask for it by name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is shown in place of a secret.
const REDACTED: &str = "<redacted>";

/// The whole text of the error about a secret that cannot be read; the loader knows it and adds no value to it.
pub(super) const REFUSED_SECRET: &str =
    "the secret is refused: it is not of the expected type (its value is not shown)";

/// A configured secret: redacted in `Debug`, in logs and in a dump.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Takes the value into custody.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The inner error would show the value.
        T::deserialize(deserializer).map(Self).map_err(|_| serde::de::Error::custom(REFUSED_SECRET))
    }
}
