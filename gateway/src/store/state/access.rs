//! Who may come in: API tokens, bindings, revoked certificates. And the packages, which are as small a matter.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use isthmus_model::access::{Binding, Role, Scope};
use isthmus_model::name::{Digest, PrincipalName};

use crate::store::command::{ApiToken, Package, SecretHash};

/// Who may come in. Every call asks it and it changes seldom: it is handed out whole, and a change makes another.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub(crate) api_tokens: BTreeMap<String, ApiToken>,
    /// Ids of API tokens by hash.
    pub(crate) api_token_ids: HashMap<SecretHash, String>,
    pub(crate) bindings: BTreeSet<Binding>,
    pub(crate) revoked: BTreeSet<String>,
}

impl Access {
    /// The API token with this hash, revoked or not.
    pub fn api_token(&self, hash: &SecretHash) -> Option<&ApiToken> {
        self.api_tokens.get(self.api_token_ids.get(hash)?)
    }

    /// What one principal may do.
    pub fn bindings_of<'s>(&'s self, principal: &'s PrincipalName) -> impl Iterator<Item = &'s Binding> {
        let first = Binding {
            principal: principal.clone(),
            role: Role::Viewer,
            scope: Scope::Federation,
            deny: false,
        };
        self.bindings.range(first..).take_while(move |binding| binding.principal == *principal)
    }

    /// Whether a certificate was revoked; `serial` in lower-case hexadecimal digits.
    pub fn certificate_revoked(&self, serial: &str) -> bool {
        self.revoked.contains(serial)
    }

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
