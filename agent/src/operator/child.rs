//! The objects that a custom resource becomes, one kind at a time.

use isthmus_dialects::function_mesh::definition;
use isthmus_model::component::{ComponentKind, Object};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::core::{ApiResource, GroupVersionKind};

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
    /// Those that are watched. Secrets are not: a watch would show the agent those of others, too.
    pub(crate) const WATCHED: [Self; 4] =
        [Self::Service, Self::StatefulSet, Self::HorizontalPodAutoscaler, Self::VerticalPodAutoscaler];

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

    /// Where the API server has it.
    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
            // Kubernetes' own types do not have it.
            Self::VerticalPodAutoscaler => ApiResource::from_gvk_with_plural(
                &GroupVersionKind::gvk("autoscaling.k8s.io", "v1", self.as_str()),
                "verticalpodautoscalers",
            ),
        }
    }
}

/// A kind of custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CustomKind {
    Component(ComponentKind),
    FunctionMesh,
}

impl CustomKind {
    /// The kind's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Component(kind) => kind.as_str(),
            Self::FunctionMesh => definition::FUNCTION_MESH,
        }
    }

    /// Its name in paths.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Component(kind) => kind.plural(),
            Self::FunctionMesh => definition::FUNCTION_MESHES,
        }
    }
}

impl From<ComponentKind> for CustomKind {
    fn from(kind: ComponentKind) -> Self {
        Self::Component(kind)
    }
}

impl std::fmt::Display for CustomKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the API server has the custom resources of a kind.
pub(crate) fn custom_resource(kind: impl Into<CustomKind>) -> ApiResource {
    let kind = kind.into();
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(definition::GROUP, definition::VERSION, kind.as_str()),
        kind.plural(),
    )
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
