//! What one cluster must run.

use std::sync::Arc;

use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::component::{Component, ComponentKind};
use isthmus_model::name::FullName;
use isthmus_model::order::{Generation, Revision};
use isthmus_model::reason::Reason;

use super::component::{self, DecodeError};
use super::names;
use super::problems::Invalid;
use super::sealed;
use crate::sync::v1 as wire;

impl From<&Assignment> for wire::Assignment {
    fn from(assignment: &Assignment) -> Self {
        let Assignment { uid, name: _, kind: _, generation, revision, replicas, pulsar, spec, sealed } =
            assignment;
        Self {
            uid: uid.as_bytes().to_vec().into(),
            generation: generation.0,
            revision: revision.0,
            replicas: *replicas,
            pulsar_cluster: Some((&**pulsar).into()),
            component: spec.to_vec().into(),
            sealed_secrets: sealed.as_deref().map(|sealed| Box::new(sealed.into())),
        }
    }
}

/// Why an assignment cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It says something that it cannot mean.
    #[error("the assignment is not valid")]
    Invalid(#[source] Invalid),
    /// What it shall run cannot be read.
    #[error(transparent)]
    Component(#[from] DecodeError),
}

/// An assignment with the component that its bytes hold, decoded once.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The assignment, its bytes as they came.
    pub assignment: Assignment,
    /// The component.
    pub component: Component,
}

impl TryFrom<wire::Assignment> for Decoded {
    type Error = Error;

    fn try_from(assignment: wire::Assignment) -> Result<Self, Error> {
        let wire::Assignment {
            uid,
            generation,
            revision,
            replicas,
            pulsar_cluster,
            component,
            sealed_secrets,
        } = assignment;
        let uid = names::uid(&uid).map_err(Error::Invalid)?;
        let pulsar = pulsar_cluster
            .ok_or_else(|| Invalid::one("pulsarCluster", Reason::MissingField, "it must be given"))
            .and_then(TryInto::try_into)
            .map_err(Error::Invalid)?;
        let sealed =
            sealed_secrets.map(|sealed| sealed::share(*sealed)).transpose().map_err(Error::Invalid)?;
        let decoded = component::decode(&component)?;
        let (name, kind): (FullName, ComponentKind) = (decoded.name.clone(), decoded.kind);
        let assignment = Assignment {
            uid,
            name,
            kind,
            generation: Generation(generation),
            revision: Revision(revision),
            replicas,
            pulsar: Arc::new(pulsar),
            spec: Arc::from(&component[..]),
            sealed: sealed.map(Arc::new),
        };
        Ok(Self { assignment, component: decoded })
    }
}

impl From<Removal> for wire::Removal {
    fn from(Removal { uid, generation }: Removal) -> Self {
        Self { uid: uid.as_bytes().to_vec().into(), generation: generation.0 }
    }
}

impl TryFrom<wire::Removal> for Removal {
    type Error = Invalid;

    fn try_from(wire::Removal { uid, generation }: wire::Removal) -> Result<Self, Invalid> {
        Ok(Self { uid: names::uid(&uid)?, generation: Generation(generation) })
    }
}

#[cfg(test)]
mod tests {
    use isthmus_model::component::{ComponentKind, Spec};
    use isthmus_model::name::Uid;

    use super::*;

    fn assignment() -> Assignment {
        let component = Component {
            kind: ComponentKind::Sink,
            name: "public/default/store".parse().unwrap(),
            labels: isthmus_model::name::Labels::new(),
            annotations: std::collections::BTreeMap::new(),
            placement: isthmus_model::policy::Placement::default(),
            spec: Box::new(Spec { class_name: "Store".into(), ..Spec::default() }),
        };
        let pulsar = isthmus_model::pulsar_cluster::PulsarCluster {
            name: "east".parse().unwrap(),
            service_url: "pulsar://east:6650".into(),
            admin_url: "http://east:8080".into(),
            pulsar_name: "standalone".into(),
            state_service_url: String::new(),
            peers: vec!["west".parse().unwrap()],
        };
        Assignment {
            uid: Uid::from_slice(&[7; 16]).unwrap(),
            name: component.name.clone(),
            kind: component.kind,
            generation: Generation(41),
            revision: Revision(3),
            replicas: 2,
            pulsar: Arc::new(pulsar),
            spec: Arc::from(&component::encode(&component)[..]),
            sealed: None,
        }
    }

    #[test]
    fn an_assignment_comes_back_with_its_component() {
        let decoded = Decoded::try_from(wire::Assignment::from(&assignment())).unwrap();
        assert_eq!(decoded.assignment, assignment());
        assert_eq!(decoded.component.spec.class_name, "Store");
    }

    #[test]
    fn an_assignment_of_broken_parts_is_refused_with_the_part() {
        let whole = wire::Assignment::from(&assignment());
        let refused = |assignment| Decoded::try_from(assignment).unwrap_err();
        let no_uid = wire::Assignment { uid: vec![1].into(), ..whole.clone() };
        assert!(matches!(refused(no_uid), Error::Invalid(Invalid(v)) if v[0].field == "uid"));
        let no_pulsar = wire::Assignment { pulsar_cluster: None, ..whole.clone() };
        assert!(matches!(refused(no_pulsar), Error::Invalid(Invalid(v)) if v[0].field == "pulsarCluster"));
        let no_component = wire::Assignment { component: vec![0xff].into(), ..whole };
        assert!(matches!(refused(no_component), Error::Component(DecodeError::NotAComponent(_))));
    }
}
