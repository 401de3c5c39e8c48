//! Who × method × where → yes, or why not. Pure.

use isthmus_model::access::{Binding, Role, Scope};
use isthmus_model::name::PrincipalName;
use isthmus_model::reason::Reason;

/// Where a role must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the whole federation.
    Federation,
    /// Where the request says: the handler asks again with the tenant and namespace.
    Namespace,
    /// Anywhere at all.
    Somewhere,
}

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the call carries its own proof, or tells nothing.
    Nothing,
    /// A known caller that is not an agent, whatever its roles.
    Caller,
    /// An agent's certificate.
    Agent,
    /// A role.
    Role(Role, Reach),
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// [`Reason::Unauthenticated`] or a relative when it is not known who calls, else [`Reason::Forbidden`].
    pub reason: Reason,
    /// A sentence: what is missing, and what to do.
    pub message: String,
}

impl Denied {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Reason::Forbidden, message)
    }
}

/// Who calls, as far as permission goes.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// Nobody known.
    Anonymous,
    /// The agent of a cluster.
    Agent,
    /// A principal with its own bindings.
    Principal(&'a PrincipalName, &'a [&'a Binding]),
}

/// What a method needs, by its gRPC path; `None` for a method that nobody may call, because nobody said who may.
#[expect(
    clippy::match_same_arms,
    reason = "a catalogue: each service stands together, whatever else needs the same"
)]
pub fn need(path: &str) -> Option<Need> {
    use Reach::{Federation, Namespace, Somewhere};
    use Role::{Admin, Developer, Operator, Viewer};
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    Some(match (service, method) {
        (
            "isthmus.component.v1.FunctionService"
            | "isthmus.component.v1.SourceService"
            | "isthmus.component.v1.SinkService",
            method,
        ) => match method {
            "Create" | "Update" | "Apply" | "Delete" => Need::Role(Developer, Namespace),
            "Get" | "List" | "Watch" | "Explain" | "Logs" => Need::Role(Viewer, Namespace),
            _ => return None,
        },
        ("isthmus.component.v1.BatchService", "Batch" | "BatchOnce")
        | ("isthmus.component.v1.ManifestService", "ApplyManifest")
        | ("isthmus.component.v1.SealingService", "ListSealingKeys") => Need::Role(Developer, Namespace),
        ("isthmus.cluster.v1.ClusterService", "ListClusters" | "GetCluster" | "WatchClusters") => {
            Need::Role(Viewer, Federation)
        }
        (
            "isthmus.cluster.v1.ClusterService",
            "CreateJoinToken" | "LinkCluster" | "UnlinkCluster" | "CordonCluster" | "UpdateCluster"
            | "ConfirmRemovals" | "RevokeCluster" | "ForgetCluster",
        ) => Need::Role(Operator, Federation),
        (
            "isthmus.cluster.v1.PulsarClusterService",
            "ListPulsarClusters" | "GetPulsarCluster" | "WatchPulsarClusters",
        ) => Need::Role(Viewer, Federation),
        ("isthmus.cluster.v1.PulsarClusterService", "ApplyPulsarCluster" | "DeletePulsarCluster") => {
            Need::Role(Operator, Federation)
        }
        ("isthmus.package.v1.PackageService", "UploadPackage") => Need::Role(Developer, Somewhere),
        ("isthmus.package.v1.PackageService", "DownloadPackage" | "GetPackage" | "ListPackages") => {
            Need::Role(Viewer, Somewhere)
        }
        ("isthmus.package.v1.PackageService", "DeletePackage") => Need::Role(Operator, Federation),
        ("isthmus.access.v1.AccessService", "WhoAmI") | ("isthmus.gateway.v1.GatewayService", "GetInfo") => {
            Need::Caller
        }
        (
            "isthmus.access.v1.AccessService",
            "CreateApiToken" | "ListApiTokens" | "RevokeApiToken" | "CreateBinding" | "ListBindings"
            | "DeleteBinding",
        ) => Need::Role(Admin, Federation),
        ("isthmus.sync.v1.SyncService", "Session" | "FetchPackage") => Need::Agent,
        ("isthmus.sync.v1.JoinService", "Join" | "Renew") => Need::Nothing,
        ("grpc.health.v1.Health", "Check" | "List" | "Watch") => Need::Nothing,
        (
            "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection",
            "ServerReflectionInfo",
        ) => Need::Role(Viewer, Somewhere),
        _ => return None,
    })
}

/// Whether a method may be called at all. With [`Reach::Namespace`] the request says where, so that its handler asks
/// [`holds`] as well.
pub fn permit(who: Who<'_>, need: Need) -> Result<(), Denied> {
    match (need, who) {
        (Need::Nothing, _) | (Need::Caller, Who::Principal(..)) | (Need::Agent, Who::Agent) => Ok(()),
        (_, Who::Anonymous) => Err(Denied::new(
            Reason::Unauthenticated,
            "this call needs a credential: a client certificate of this federation, or an API token",
        )),
        (Need::Agent, Who::Principal(name, _)) => Err(Denied::forbidden(format!(
            "{name} is not an agent; only an agent's certificate may call this"
        ))),
        (Need::Caller | Need::Role(..), Who::Agent) => {
            Err(Denied::forbidden("an agent may synchronise its own cluster and nothing else"))
        }
        (Need::Role(role, Reach::Federation), Who::Principal(name, bindings)) => {
            holds(name, bindings, role, &Scope::Federation)
        }
        (Need::Role(role, Reach::Namespace | Reach::Somewhere), Who::Principal(name, bindings)) => {
            // A deny within an allowed scope leaves the rest of that scope allowed; what the request names is asked again.
            let denied = |allow: &Binding| {
                let mut denies = bindings.iter().filter(|binding| binding.deny && binding.role <= role);
                denies.any(|deny| deny.scope.covers(&allow.scope))
            };
            let somewhere = bindings.iter().any(|allow| !allow.deny && allow.role >= role && !denied(allow));
            if somewhere {
                Ok(())
            } else {
                Err(Denied::forbidden(format!(
                    "{name} has the role {role} nowhere; ask an admin for a binding"
                )))
            }
        }
    }
}

/// Whether a principal's bindings give it a role in the whole of a scope. A deny wins: one that covers the scope, and one
/// that covers a part of it, because the answer would tell about that part.
pub fn holds(
    principal: &PrincipalName,
    bindings: &[&Binding],
    role: Role,
    scope: &Scope,
) -> Result<(), Denied> {
    let touches = |binding: &&&Binding| binding.scope.covers(scope) || scope.covers(&binding.scope);
    let denies = |binding: &&&Binding| binding.deny && binding.role <= role;
    let allows = |binding: &&Binding| !binding.deny && binding.role >= role && binding.scope.covers(scope);
    if let Some(deny) = bindings.iter().filter(denies).find(touches) {
        let at = &deny.scope;
        return Err(Denied::forbidden(format!("{principal} is denied the role {} in {at}", deny.role)));
    }
    if bindings.iter().any(allows) {
        return Ok(());
    }
    let place = match scope {
        Scope::Federation => "the whole federation".to_owned(),
        Scope::Tenant(_) | Scope::Namespace(..) => scope.to_string(),
    };
    Err(Denied::forbidden(format!(
        "{principal} lacks the role {role} in {place}; ask an admin for a binding"
    )))
}

#[cfg(test)]
mod tests;
