//! The objects that a custom resource becomes, one kind at a time.

use isthmus_model::component::Object;

/// A kind of child. They are applied in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ChildKind {
    Secret,
    Service,
    StatefulSet,
    HorizontalPodAutoscaler,
    VerticalPodAutoscaler,
}

impl ChildKind {
    /// The kind's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::StatefulSet => "StatefulSet",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::VerticalPodAutoscaler => "VerticalPodAutoscaler",
        }
    }
}

/// One object as it shall be. Its body may hold credentials, which `Debug` does not show.
#[derive(Clone, PartialEq)]
pub(crate) struct Child {
    pub(crate) kind: ChildKind,
    pub(crate) name: String,
    /// The whole object, apiVersion and kind included.
    pub(crate) body: Object,
}

impl Child {
    pub(crate) fn new(kind: ChildKind, body: Object) -> Self {
        let name =
            body.get("metadata").and_then(|metadata| metadata.get("name")).and_then(|name| name.as_str());
        Self { kind, name: name.unwrap_or_default().to_owned(), body }
    }
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Child").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}
