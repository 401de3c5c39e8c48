//! Numbers and words as Pulsar's readers take them: numbers also as text, and an empty text for nothing.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A whole number of at least 0 that fits into `N`.
pub(super) fn number<'de, D: Deserializer<'de>, N: TryFrom<u64>>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    deserializer.deserialize_any(NumberVisitor(PhantomData))
}

struct NumberVisitor<N>(PhantomData<N>);

impl<N: TryFrom<u64>> Visitor<'_> for NumberVisitor<N> {
    type Value = Option<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a whole number from 0 to {}",
            if size_of::<N>() == 4 { u64::from(u32::MAX) } else { u64::MAX }
        )
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<N>, E> {
        N::try_from(number).map(Some).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<N>, E> {
        if text.is_empty() {
            return Ok(None);
        }
        let number: u64 = text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?;
        self.visit_u64(number)
    }

    // What serde_json's own values call for whole numbers below zero and for fractions.
    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<N>, E> {
        u64::try_from(number)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            .and_then(|number| self.visit_u64(number))
    }
}

/// A word of an enum, or an empty text for none.
pub(super) fn word<'de, D: Deserializer<'de>, W: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<W>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    W::deserialize(serde::de::value::StringDeserializer::<serde::de::value::Error>::new(text))
        .map(Some)
        .map_err(D::Error::custom)
}
