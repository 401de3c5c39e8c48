//! Who may come in: tokens, bindings, revoked certificates. And the packages, which are as small a matter.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use isthmus_model::access::Binding;
use isthmus_model::name::Digest;

use crate::store::command::{ApiToken, JoinToken, Package, SecretHash};

#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) join_tokens: BTreeMap<SecretHash, JoinToken>,
    pub(crate) api_tokens: BTreeMap<String, ApiToken>,
    /// Ids of API tokens by hash.
    pub(crate) api_token_ids: HashMap<SecretHash, String>,
    pub(crate) bindings: BTreeSet<Binding>,
    pub(crate) revoked: BTreeSet<String>,
}

impl Access {
    pub(crate) fn put_api_token(&mut self, token: ApiToken) {
        self.api_token_ids.insert(token.hash, token.id.clone());
        self.api_tokens.insert(token.id.clone(), token);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) stored: BTreeMap<Digest, Package>,
    /// How many kept revisions need each.
    users: HashMap<Digest, u32>,
}

impl Packages {
    pub(crate) fn used(&self, digest: &Digest) -> u32 {
        self.users.get(digest).copied().unwrap_or(0)
    }

    pub(crate) fn hold(&mut self, digests: &[Digest]) {
        for digest in digests {
            *self.users.entry(*digest).or_default() += 1;
        }
    }

    pub(crate) fn release(&mut self, digests: &[Digest]) {
        for digest in digests {
            let count = self.used(digest).saturating_sub(1);
            if count == 0 {
                self.users.remove(digest);
            } else {
                self.users.insert(*digest, count);
            }
        }
    }
}
