//! Texts of quantities to the model's amounts.

use isthmus_model::reason::{Reason, Violation};
use isthmus_model::resources::Amounts;
use serde_json::json;

use crate::path;
use crate::quantity::{Error, Quantity};

/// The amounts of the named quantities, which stand at `at`; those that cannot be used are reported and left out.
pub(crate) fn amounts<'t>(
    texts: impl Iterator<Item = (&'t str, &'t str)>,
    at: &str,
    violations: &mut Vec<Violation>,
) -> Amounts {
    let mut amounts = Amounts::default();
    for (name, text) in texts {
        let read = |of: fn(Quantity) -> Result<u64, Error>| Quantity::parse(text).and_then(of);
        let read = match name {
            "cpu" => read(Quantity::millis).map(|value| amounts.cpu_millis = Some(value)),
            "memory" => read(Quantity::units).map(|value| amounts.memory_bytes = Some(value)),
            "storage" => read(Quantity::units).map(|value| amounts.storage_bytes = Some(value)),
            other => read(Quantity::units).map(|_| {
                amounts.other.insert(other.to_owned(), text.to_owned());
            }),
        };
        if let Err(error) = read {
            let violation = Violation::new(path::field(at, name), Reason::InvalidField, error.to_string());
            violations.push(violation.with_value(&json!(text).to_string()));
        }
    }
    amounts
}
