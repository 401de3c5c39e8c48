//! What may be asked of the store: everything a decision reads arrives in one of these, time and chance included.

use std::sync::Arc;

use isthmus_model::access::{Binding, Scope};
use isthmus_model::assignment::Removal;
use isthmus_model::cluster::{Declared, Health, Link};
use isthmus_model::component::ComponentKind;
use isthmus_model::name::{ClusterName, Digest, FullName, Labels, PrincipalName, PulsarClusterName, Uid};
use isthmus_model::order::{Revision, UnixMillis};
use isthmus_model::policy::Taint;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::sealed::SealedSecrets;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::placement::Demand;
use crate::store::quota::Quota;

/// A command with who asks and when.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who asks; the audit trail names them.
    pub principal: PrincipalName,
    /// When, by the gateway's clock. Expiries are judged by it.
    pub time: UnixMillis,
    /// Makes a retry harmless; `None` where a repetition does no harm anyway.
    pub request: Option<RequestId>,
    /// What is asked.
    pub command: Command,
}

/// A caller's id of one request, made unguessable for others by the caller's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// The id `text` as this principal uses it: two principals never meet in one id.
    pub fn new(principal: &PrincipalName, text: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(principal.as_str().as_bytes())
            .chain_update([0])
            .chain_update(text.as_bytes())
            .finalize();
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Creates or updates a component.
    Write(Write),
    /// Deletes a component everywhere.
    Delete(Delete),
    /// A cluster says that nothing of these runs there any more.
    Stopped {
        /// Which cluster, from its certificate.
        cluster: ClusterName,
        /// What stopped, each with the generation of the removal that was carried out.
        stopped: Vec<Removal>,
    },
    /// Plans these components again. The writer asks it of itself; see `State::next_woken`.
    Replan {
        /// Which components, at most a few hundred.
        uids: Vec<Uid>,
        /// Whether something may be taken away from where it is; not before the recovery barrier is lifted.
        may_evict: bool,
    },
    /// Something about one cluster.
    Cluster {
        /// Which.
        name: ClusterName,
        /// What.
        change: ClusterChange,
    },
    /// Something about everything else.
    Resource(ResourceChange),
}

/// Creates or updates a component.
#[derive(Debug, Clone)]
pub struct Write {
    /// What must or must not be there before.
    pub mode: WriteMode,
    /// Identity, if this creates; drawn by the caller, since decisions draw nothing.
    pub uid: Uid,
    /// Its name.
    pub name: FullName,
    /// Function, source or sink.
    pub kind: ComponentKind,
    /// The admitted component in the wire's encoding. Equal bytes mean an equal component, so the encoding must be
    /// deterministic.
    pub spec: Arc<[u8]>,
    /// What placement needs to know of it.
    pub demand: Arc<Demand>,
    /// Its labels, for selecting.
    pub labels: Labels,
    /// Packages that must be stored, and stay stored while it is there.
    pub packages: Vec<Digest>,
    /// Its secrets that travel with it; nobody here can read them.
    pub sealed: Option<Arc<SealedSecrets>>,
}

/// What must or must not be there before a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// It must not exist.
    Create,
    /// It must exist, at this revision if one is given.
    Update(Option<Revision>),
    /// Create or update, whichever it takes; what is equal already is not written.
    Apply(Option<Revision>),
}

/// Deletes a component everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// Its name.
    pub name: FullName,
    /// Its kind: a sink is not found among the functions.
    pub kind: ComponentKind,
    /// Only if it is this creation of the name.
    pub uid: Option<Uid>,
    /// Only at this revision.
    pub revision: Option<Revision>,
}

/// SHA-256 of a secret: the secret itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(pub Digest);

impl SecretHash {
    /// The hash of a secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(Digest(Sha256::digest(secret).into()))
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A change of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClusterChange {
    /// An agent joins with a token, which is used up by it. A cluster that joins again keeps its assignments.
    Join {
        /// Hash of the join token.
        token: SecretHash,
        /// The certificate that it gets.
        certificate: Certificate,
        /// Hash of the credential with which an agent that slept too long renews.
        renewal: SecretHash,
    },
    /// The agent's certificate was renewed.
    Renew {
        /// The new certificate.
        certificate: Certificate,
        /// Hash of the next renewal credential, if it changed too.
        renewal: Option<SecretHash>,
    },
    /// The agent says what its cluster can do.
    Declare(Declared),
    /// Its session got better or worse.
    Health(Health),
    /// An operator replaces its labels and taints.
    Update {
        /// All its labels.
        labels: Labels,
        /// All its taints.
        taints: Vec<Taint>,
    },
    /// Nothing new is placed there.
    Cordon,
    /// Something new may be placed there again.
    Uncordon,
    /// A PulsarCluster can be reached from there.
    Link {
        /// Which.
        pulsar: PulsarClusterName,
        /// How, where that differs from the PulsarCluster itself.
        link: Link,
        /// Used by components that name none. The first link is the default in any case.
        default: bool,
    },
    /// A PulsarCluster cannot be reached from there any more.
    Unlink {
        /// Which.
        pulsar: PulsarClusterName,
    },
    /// Removals that the agent holds back may be carried out.
    ConfirmDeletions {
        /// Digest of the set of removals that is meant.
        digest: Digest,
    },
    /// The cluster will not come back: what ran there counts as stopped and is placed elsewhere.
    Forget,
}

/// An agent's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Serial number, as lower-case hexadecimal digits.
    pub serial: String,
    /// Its end.
    pub not_after: UnixMillis,
}

/// A change of what is neither component nor cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ResourceChange {
    /// Creates or replaces a PulsarCluster. Components that use it get a new generation when it changes.
    PutPulsarCluster(PulsarCluster),
    /// Deletes a PulsarCluster that no cluster is linked to.
    DeletePulsarCluster(PulsarClusterName),
    /// A package's bytes are stored.
    PutPackage(Package),
    /// A package that nothing uses is deleted.
    DeletePackage(Digest),
    /// Makes a join token.
    CreateJoinToken(JoinToken),
    /// Makes an API token.
    CreateApiToken(ApiToken),
    /// Ends an API token.
    RevokeApiToken {
        /// Its id.
        id: String,
    },
    /// Ends a certificate, of an agent or of a caller.
    RevokeCertificate {
        /// Serial number, as lower-case hexadecimal digits.
        serial: String,
    },
    /// Says who may do what.
    PutBinding(Binding),
    /// Takes that back.
    DeleteBinding(Binding),
    /// Bounds what a tenant or namespace may have.
    PutQuota {
        /// Whose.
        scope: Scope,
        /// How much.
        quota: Quota,
    },
    /// Lifts that bound.
    DeleteQuota {
        /// Whose.
        scope: Scope,
    },
}

/// A stored package. Its bytes are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// File name it was uploaded under.
    pub name: String,
    /// Who uploaded it.
    pub uploader: PrincipalName,
    /// When.
    pub uploaded_at: UnixMillis,
}

/// Lets one cluster join once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinToken {
    /// Hash of the token.
    pub hash: SecretHash,
    /// The cluster that joins by it.
    pub cluster: ClusterName,
    /// The labels that the cluster gets.
    pub labels: Labels,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// When it was used; `None` until then.
    #[serde(default)]
    pub used_at: Option<UnixMillis>,
}

/// Lets a caller in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiToken {
    /// What it is called, to be listed and revoked by.
    pub id: String,
    /// Hash of the token.
    pub hash: SecretHash,
    /// Whom it lets in.
    pub principal: PrincipalName,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends; `None` means never.
    pub expires_at: Option<UnixMillis>,
    /// When it was revoked; `None` until then.
    #[serde(default)]
    pub revoked_at: Option<UnixMillis>,
}
