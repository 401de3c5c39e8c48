//! How a custom resource says whose it is: in annotations of its own, which never reach a pod.

use std::collections::BTreeMap;

use isthmus_model::name::{ClusterName, Uid};
use isthmus_model::order::Generation;

/// The label of all that is made here, so that a watch shows nothing else.
pub(crate) const LABEL: &str = "isthmus.io/assigned";
/// Its only value.
pub(crate) const ASSIGNED: &str = "true";

/// The annotation with the component's UID.
pub(crate) const UID: &str = "isthmus.io/uid";
/// The annotation with the assignment's generation.
pub(crate) const GENERATION: &str = "isthmus.io/generation";
/// The annotation with the federation's trust domain.
pub(crate) const FEDERATION: &str = "isthmus.io/federation";
/// The annotation with the name that the federation has for this cluster: two agents of one federation that were sent to the
/// same Kubernetes by mistake must not delete each other's.
pub(crate) const CLUSTER: &str = "isthmus.io/cluster";

/// The name under which our fields stand in `managedFields`; the operator has another.
pub(crate) const MANAGER: &str = "isthmus-agent-assignments";

/// The beginning of every annotation and label of ours.
const PREFIX: &str = "isthmus.io/";

/// Whose share it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// The federation's trust domain.
    pub(crate) federation: String,
    /// The cluster's name in it.
    pub(crate) cluster: ClusterName,
}

/// What the annotations of a resource of ours say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) uid: Uid,
    pub(crate) generation: Generation,
}

impl Share {
    /// What a resource's annotations say, if it is of this share.
    pub(crate) fn mark(&self, annotations: Option<&BTreeMap<String, String>>) -> Option<Mark> {
        let annotation = |key: &str| annotations.and_then(|all| all.get(key)).map(String::as_str);
        if !self.has(annotations) {
            return None;
        }
        let uid = Uid(annotation(UID)?.parse().ok()?);
        let generation = Generation(annotation(GENERATION)?.parse().ok()?);
        Some(Mark { uid, generation })
    }

    /// Whether an object that stands for no component is of this share.
    pub(crate) fn has(&self, annotations: Option<&BTreeMap<String, String>>) -> bool {
        let annotation = |key: &str| annotations.and_then(|all| all.get(key)).map(String::as_str);
        annotation(FEDERATION) == Some(&self.federation) && annotation(CLUSTER) == Some(self.cluster.as_str())
    }

    /// The annotations of an object of this share.
    pub(crate) fn annotations(&self) -> BTreeMap<String, String> {
        [(FEDERATION, self.federation.clone()), (CLUSTER, self.cluster.to_string())]
            .map(|(key, value)| (key.to_owned(), value))
            .into()
    }
}

impl Mark {
    /// The annotations that say it, beside those of the share.
    pub(crate) fn annotations(self) -> [(String, String); 2] {
        [(UID.to_owned(), self.uid.to_string()), (GENERATION.to_owned(), self.generation.0.to_string())]
    }
}

/// Whether only we may write a label or an annotation of this name.
pub(crate) fn is_ours(key: &str) -> bool {
    key.starts_with(PREFIX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn share() -> Share {
        Share { federation: "fed".to_owned(), cluster: ClusterName::new("east").unwrap() }
    }

    pub(crate) fn uid(number: u128) -> Uid {
        Uid(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn a_mark_is_read_by_its_own_share_and_by_no_other() {
        let mark = Mark { uid: uid(7), generation: Generation(12) };
        let mut annotations = share().annotations();
        annotations.extend(mark.annotations());
        assert_eq!(share().mark(Some(&annotations)), Some(mark));
        for other in [
            Share { federation: "other".to_owned(), ..share() },
            Share { cluster: ClusterName::new("west").unwrap(), ..share() },
        ] {
            assert_eq!(other.mark(Some(&annotations)), None);
        }
        annotations.insert(GENERATION.to_owned(), "new".to_owned());
        assert_eq!(share().mark(Some(&annotations)), None);
        assert_eq!(share().mark(None), None);
    }
}
