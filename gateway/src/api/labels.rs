//! Label selectors as `kubectl -l` takes them: `app=orders,tier!=test,zone in (a,b),region notin (eu),gpu,!spot`.

use isthmus_model::name::{LabelKey, LabelValue, Labels};
use isthmus_model::policy::{Operator, Requirement, Selector};
use isthmus_model::reason::Reason;
use tonic::Status;

use crate::status_code;

/// Requirements on labels, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelSelector(Selector);

impl LabelSelector {
    /// Reads Kubernetes' syntax; empty text selects everything.
    pub(super) fn parse(text: &str) -> Result<Self, Status> {
        let requirements = split(text).map(requirement).collect::<Option<Vec<_>>>();
        requirements.map(|requirements| Self(Selector(requirements))).ok_or_else(|| {
            let rule = "it must be a list such as app=orders,tier!=test,zone in (a,b),gpu,!spot";
            let value = serde_json::Value::from(text).to_string();
            status_code::invalid_field("labelSelector", Reason::InvalidField, rule, &value)
        })
    }

    /// Whether something with these labels is selected.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        // The empty name is nobody's: a selector over labels cannot ask for one.
        self.0.check("", labels).is_ok()
    }
}

/// The parts between commas that stand outside of parentheses.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let outside = move |character: char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    };
    let empty = text.trim().is_empty();
    text.split(outside).map(str::trim).filter(move |_| !empty)
}

fn requirement(part: &str) -> Option<Requirement> {
    let made = |key: &str, operator, values: Vec<String>| {
        let key = key.trim();
        let plain = key != Selector::NAME_KEY && values.iter().all(|value| LabelValue::new(value).is_ok());
        Some(Requirement { key: LabelKey::new(key).ok().filter(|_| plain)?, operator, values })
    };
    if let Some(list) = part.strip_suffix(')') {
        let (head, values) = list.split_once('(')?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = head.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => made(key, Operator::In, values),
            "notin" => made(key, Operator::NotIn, values),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return made(key, Operator::NotIn, vec![value.trim().to_owned()]);
    }
    if let Some((key, value)) = part.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value).trim();
        return made(key, Operator::In, vec![value.to_owned()]);
    }
    match part.strip_prefix('!') {
        Some(key) => made(key, Operator::DoesNotExist, Vec::new()),
        None => made(part, Operator::Exists, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_form_of_kubernetes_selects_as_it_does_there() {
        let labels = labels(&[("app", "orders"), ("zone", "a")]);
        for (selector, selects) in [
            ("", true),
            ("app=orders", true),
            ("app == orders , zone=a", true),
            ("app!=orders", false),
            ("tier!=test", true),
            ("zone in (a, b)", true),
            ("zone notin (a,b)", false),
            ("zone in (b),app", false),
            ("app", true),
            ("!app", false),
            ("!gpu", true),
        ] {
            assert_eq!(LabelSelector::parse(selector).unwrap().matches(&labels), selects, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for wrong in [",", "a b", "a in b", "a in (b", "=x", "a within (b)", "metadata.name=x", "!!a"] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
    }
}
