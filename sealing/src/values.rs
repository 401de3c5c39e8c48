//! Secrets in clear: in memory only, and overwritten when they are dropped.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// Values by the name under which the component asks for them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Zeroizing<String>>);

impl Values {
    /// Takes a value in; one of the same name before is overwritten.
    pub fn insert(&mut self, name: String, value: Zeroizing<String>) {
        self.0.insert(name, value);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, Zeroizing<String>)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, Zeroizing<String>)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl fmt::Debug for Values {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
