//! Whether an object is as it shall be; pure.
//!
//! An API server completes what it stores and writes numbers in a form of its own. So it is asked whether everything that
//! shall be there is there; what an earlier version wanted and this one does not is told by a digest beside it.

use isthmus_dialects::quantity::Quantity;
use isthmus_model::component::Object;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The annotation with the digest of what was applied last.
pub(crate) const APPLIED: &str = "isthmus.io/applied";

/// A digest of what is wanted, short enough to stand in an annotation.
pub(crate) fn digest(body: &Object) -> String {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let digest = Sha256::digest(&text);
    hex::encode(digest.get(..16).unwrap_or_default())
}

/// Whether everything of `wanted` is in `live`.
pub(crate) fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| match live.get(name) {
                Some(live) => contains(live, wanted),
                None => is_nothing(wanted),
            })
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        _ => live == wanted || same_quantity(live, wanted),
    }
}

/// What an API server does not store.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_nothing),
    }
}

/// 0.5 and 500m. Texts that are no amounts are not the same unless they are equal.
fn same_quantity(live: &Value, wanted: &Value) -> bool {
    let amount = |value: &Value| match value {
        Value::String(text) => Quantity::parse(text).ok(),
        Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    };
    match (amount(live), amount(wanted)) {
        (Some(live), Some(wanted)) => match (live.millis(), wanted.millis()) {
            (Ok(live), Ok(wanted)) => live == wanted,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_api_server_adds_or_leaves_out_is_no_difference() {
        let live = json!({"a": 1, "b": {"c": [{"d": "500m", "protocol": "TCP"}]}, "uid": "x"});
        assert!(contains(
            &live,
            &json!({"a": 1, "b": {"c": [{"d": "0.5"}]}, "e": {}, "f": [], "g": "", "h": false})
        ));
        assert!(contains(&json!({"m": "1Gi"}), &json!({"m": 1_073_741_824})));
    }

    #[test]
    fn what_was_changed_taken_away_or_added_to_a_list_is_one() {
        let live = json!({"a": 1, "b": [1, 2]});
        for wanted in
            [json!({"a": 2}), json!({"c": 1}), json!({"b": [1]}), json!({"b": [2, 1]}), json!({"a": "x"})]
        {
            assert!(!contains(&live, &wanted), "{wanted}");
        }
        assert!(!contains(&json!("a"), &json!("b")));
    }

    #[test]
    fn the_digest_tells_what_is_wanted_apart() {
        let body = |value: Value| value.as_object().cloned().unwrap();
        assert_eq!(digest(&body(json!({"a": 1}))), digest(&body(json!({"a": 1}))));
        assert_ne!(digest(&body(json!({"a": 1}))), digest(&body(json!({"a": 1, "b": 2}))));
    }
}
