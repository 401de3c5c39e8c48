//! Roles, and where they hold.

use isthmus_model::access::{Binding, Role};
use isthmus_model::reason::Reason;

use super::problems::{Invalid, Path, Problems};
use crate::access::v1 as wire;

impl From<Role> for wire::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Developer => Self::Developer,
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<Binding> for wire::Binding {
    fn from(Binding { principal, role, scope, deny }: Binding) -> Self {
        Self {
            principal: principal.into(),
            role: wire::Role::from(role).into(),
            scope: scope.to_string(),
            deny,
        }
    }
}

impl From<&Binding> for wire::Binding {
    fn from(binding: &Binding) -> Self {
        binding.clone().into()
    }
}

impl TryFrom<wire::Binding> for Binding {
    type Error = Invalid;

    fn try_from(wire::Binding { principal, role, scope, deny }: wire::Binding) -> Result<Self, Invalid> {
        let mut problems = Problems::default();
        let at = Path::ROOT.field("binding");
        let role = match problems.enumeration(&at.field("role"), role) {
            None => None,
            Some(wire::Role::Unspecified) => {
                let message = "say which: viewer, developer, operator or admin";
                problems.add(&at.field("role"), Reason::MissingField, message);
                None
            }
            Some(wire::Role::Viewer) => Some(Role::Viewer),
            Some(wire::Role::Developer) => Some(Role::Developer),
            Some(wire::Role::Operator) => Some(Role::Operator),
            Some(wire::Role::Admin) => Some(Role::Admin),
        };
        let principal = problems.parse(&at.field("principal"), &principal);
        let scope = problems.parse(&at.field("scope"), &scope);
        match (principal, role, scope) {
            (Some(principal), Some(role), Some(scope)) => Ok(Self { principal, role, scope, deny }),
            _ => Err(problems.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_comes_back_unchanged_for_every_role_and_scope() {
        for role in Role::ALL {
            for scope in ["*", "acme", "acme/orders"] {
                let binding = Binding {
                    principal: "ann".parse().unwrap(),
                    role,
                    scope: scope.parse().unwrap(),
                    deny: true,
                };
                assert_eq!(Binding::try_from(wire::Binding::from(&binding)), Ok(binding));
            }
        }
    }

    #[test]
    fn a_binding_of_nothing_says_all_three_that_are_missing() {
        let Invalid(violations) = Binding::try_from(wire::Binding::default()).unwrap_err();
        assert_eq!(
            violations.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(),
            ["binding.role", "binding.principal", "binding.scope"]
        );
    }
}
