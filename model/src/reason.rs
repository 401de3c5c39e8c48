//! The closed list of reasons: one word that is at once the condition's reason, the error's reason and the metric's label.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why something was refused, is not placed or is not ready.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of its documentation.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The word itself.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)+ }
            }

            /// What it means and what to do about it.
            pub fn describe(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc,)+),)+ }
            }
        }
    };
}

reasons! {
    // Requests.
    /// A field has a value that is not allowed; see the field violations.
    InvalidField,
    /// A field that must be given is missing.
    MissingField,
    /// A field is not known to this dialect; check its spelling, or use --validate=ignore.
    UnknownField,
    /// Two fields exclude each other.
    ConflictingFields,
    /// The document could not be read: not UTF-8, not YAML or JSON, or of the wrong shape.
    MalformedDocument,
    /// The document or message is larger than the limit.
    TooLarge,
    /// A component, cluster or package of that name exists already.
    AlreadyExists,
    /// The name is taken by a component of another kind in this namespace.
    NameTaken,
    /// Nothing of that name exists.
    NotFound,
    /// The given revision is not the current one; read again and repeat the change.
    StaleRevision,
    /// The package is not stored; upload it first.
    PackageMissing,
    /// The uploaded bytes do not have the digest that was announced.
    DigestMismatch,
    /// A quota of the tenant or namespace would be exceeded.
    QuotaExceeded,
    /// The component is being deleted and still runs somewhere; wait until it is gone.
    Terminating,
    /// The resource is still in use by another one.
    InUse,
    /// The watch asks for a LogIndex that is no longer kept; list, and watch from there.
    Compacted,
    /// The request id was used before with another content.
    RequestIdReused,
    /// More items than allowed are unacknowledged on this stream.
    TooManyInFlight,
    /// The gateway is stopping or not yet ready; try again.
    Unavailable,
    /// Something failed inside; the gateway's log has the detail under the error's id.
    Internal,
    // Callers.
    /// No credential was given, or it is not known here.
    Unauthenticated,
    /// The caller's roles do not allow this here.
    Forbidden,
    /// The join token is not known, was altered, or belongs to another federation.
    TokenInvalid,
    /// The join token's time is over; make a new one.
    TokenExpired,
    /// The join token was used before; make a new one.
    TokenUsed,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate names another cluster than the one spoken for.
    WrongCluster,
    // Placement.
    /// No cluster has joined yet.
    NoClusters,
    /// The cluster's labels do not match the policy's selector.
    SelectorMismatch,
    /// The cluster is not linked to the Pulsar cluster that the component needs.
    PulsarNotLinked,
    /// The cluster has a taint that the component does not tolerate.
    UntoleratedTaint,
    /// The cluster is cordoned by an operator.
    Cordoned,
    /// The cluster's agent is not connected.
    Disconnected,
    /// The cluster has too little free capacity.
    InsufficientCapacity,
    /// The cluster lacks a capability that the component needs, such as a runtime.
    MissingCapability,
    /// The component's secrets are not sealed for the key that the cluster has now; apply it again with their values.
    NotSealed,
    /// The spread constraint cannot be met.
    SpreadUnsatisfied,
    /// The component is placed.
    Placed,
    // Workloads.
    /// The assignment has not reached the cluster yet.
    Pending,
    /// The agent is fetching the package.
    Fetching,
    /// The instances are starting.
    Starting,
    /// All instances run and are subscribed.
    Ready,
    /// Instances run, but their consumer is not seen in Pulsar yet.
    NotSubscribed,
    /// An instance ended and waits for its next start.
    BackOff,
    /// The package could not be fetched or has the wrong digest.
    PackageUnavailable,
    /// The instance could not be started.
    StartFailed,
    /// No node of the Kubernetes cluster takes the pod; the scheduler's words say why not.
    Unschedulable,
    /// The image of a container cannot be pulled; check its name, the registry, and the pull secrets.
    ImagePullBackOff,
    /// A container cannot be made as the pod wants it: mostly a Secret or ConfigMap, or a key in it, does not exist.
    CreateContainerConfigError,
    /// A container ended and is started again after a growing delay; its log says why.
    CrashLoopBackOff,
    /// A container used more memory than its limit and was killed; raise the limit, or have it use less.
    OOMKilled,
    /// The node ended the pod because it ran short of something; another one takes its place.
    Evicted,
    /// The cluster may still run an older generation.
    Outdated,
    /// The agent refused the assignment.
    Refused,
    /// The removals exceed the delete budget and wait for confirmation.
    DeletionsHeld,
    /// An object of a name that is needed belongs to somebody else; it is left alone until it is gone or renamed.
    ForeignObject,
    /// A ConfigMap that is referred to does not exist in the namespace; create it there.
    MissingReference,
    /// A secret that travelled with the component cannot be opened here: it was sealed for another key, altered, or made for
    /// another component or name; apply it again with its value.
    SecretUnreadable,
    /// Changes are withheld because the rollout is paused.
    RolloutPaused,
    /// The Kubernetes API refused the object, or does not have its kind.
    ApiRefused,
    /// Nothing of it runs any more.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(())
    }
}

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Path of the field as the user wrote it, for example `spec.input.topics[0]`.
    pub field: String,
    /// The reason word.
    pub reason: Reason,
    /// One sentence: what is wrong and what to do.
    pub message: String,
    /// The value at fault as JSON text, cut to 256 characters; empty when the field is missing or secret.
    pub value: String,
}

impl Violation {
    /// A violation without a value.
    pub fn new(field: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason, message: message.into(), value: String::new() }
    }

    /// Adds the value at fault, cut to 256 characters.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = value.chars().take(256).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_word_and_is_described() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
            assert!(!reason.describe().trim().is_empty());
        }
    }
}
