//! Roles, and where they hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{Namespace, PrincipalName, Tenant};

/// What a caller may do, each role including those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Deploys functions, sources and sinks, and uploads packages.
    Developer,
    /// Runs clusters: join tokens, links, cordons.
    Operator,
    /// Says who may do what.
    Admin,
}

impl Role {
    /// All roles, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Developer, Self::Operator, Self::Admin];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

/// Where a role holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Everywhere, clusters included.
    Federation,
    /// In all namespaces of a tenant.
    Tenant(Tenant),
    /// In one namespace.
    Namespace(Tenant, Namespace),
}

impl Scope {
    /// Whether a role that holds in `self` holds in `other`.
    pub fn covers(&self, other: &Scope) -> bool {
        match (self, other) {
            (Self::Federation, _) => true,
            (Self::Tenant(own), Self::Tenant(theirs) | Self::Namespace(theirs, _)) => own == theirs,
            (Self::Namespace(..), Self::Namespace(..)) => self == other,
            _ => false,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Federation => f.write_str("*"),
            Self::Tenant(tenant) => write!(f, "{tenant}"),
            Self::Namespace(tenant, namespace) => write!(f, "{tenant}/{namespace}"),
        }
    }
}

impl FromStr for Scope {
    type Err = crate::name::Invalid;
    /// Parses `*`, `tenant` or `tenant/namespace`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            _ if text == "*" => Ok(Self::Federation),
            None => Ok(Self::Tenant(text.parse()?)),
            Some((tenant, namespace)) => Ok(Self::Namespace(tenant.parse()?, namespace.parse()?)),
        }
    }
}

/// One entry of who may do what; a deny wins over every allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Who.
    pub principal: PrincipalName,
    /// May do what.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// Or may not.
    #[serde(default)]
    pub deny: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_covers_its_namespaces_and_no_other() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        assert!(scope("a").covers(&scope("a/b")) && scope("*").covers(&scope("a")));
        assert!(!scope("a").covers(&scope("b/b")) && !scope("a/b").covers(&scope("a")));
    }
}
