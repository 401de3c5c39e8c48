//! Tenants and namespaces: what is in them, what they may have and what they have.

use std::collections::BTreeMap;
use std::ops::Bound;

use isthmus_model::name::{ComponentName, FullName, Namespace, Tenant};

use super::component::Slot;
use crate::store::quota::{Quota, Usage};

/// Short for a (tenant, namespace).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NamespaceId(pub(crate) u32);

/// One namespace.
#[derive(Debug)]
pub(crate) struct NamespaceEntry {
    pub(crate) tenant: Tenant,
    pub(crate) namespace: Namespace,
    pub(crate) components: BTreeMap<ComponentName, Slot>,
    pub(crate) usage: Usage,
    pub(crate) quota: Option<Quota>,
}

#[derive(Debug, Default)]
pub(crate) struct TenantEntry {
    pub(crate) namespaces: BTreeMap<Namespace, NamespaceId>,
    pub(crate) usage: Usage,
    pub(crate) quota: Option<Quota>,
}

/// All tenants and namespaces that were ever named by a component or a quota.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    entries: Vec<NamespaceEntry>,
    tenants: BTreeMap<Tenant, TenantEntry>,
}

impl Namespaces {
    pub(crate) fn get(&self, id: NamespaceId) -> Option<&NamespaceEntry> {
        self.entries.get(id.0 as usize)
    }

    /// All, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NamespaceEntry> {
        self.entries.iter()
    }

    pub(crate) fn find(&self, tenant: &Tenant, namespace: &Namespace) -> Option<NamespaceId> {
        self.tenants.get(tenant)?.namespaces.get(namespace).copied()
    }

    pub(crate) fn tenant(&self, tenant: &Tenant) -> Option<&TenantEntry> {
        self.tenants.get(tenant)
    }

    /// The namespace, made if it is new.
    pub(crate) fn intern(&mut self, tenant: &Tenant, namespace: &Namespace) -> NamespaceId {
        if let Some(id) = self.find(tenant, namespace) {
            return id;
        }
        let id = NamespaceId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        self.entries.push(NamespaceEntry {
            tenant: tenant.clone(),
            namespace: namespace.clone(),
            components: BTreeMap::new(),
            usage: Usage::default(),
            quota: None,
        });
        self.tenants.entry(tenant.clone()).or_default().namespaces.insert(namespace.clone(), id);
        id
    }

    pub(crate) fn slot(&self, name: &FullName) -> Option<Slot> {
        self.get(self.find(&name.tenant, &name.namespace)?)?.components.get(&name.name).copied()
    }

    pub(crate) fn insert(&mut self, id: NamespaceId, name: ComponentName, slot: Slot) {
        if let Some(entry) = self.entries.get_mut(id.0 as usize) {
            entry.components.insert(name, slot);
        }
    }

    pub(crate) fn remove(&mut self, id: NamespaceId, name: &ComponentName) {
        if let Some(entry) = self.entries.get_mut(id.0 as usize) {
            entry.components.remove(name);
        }
    }

    /// Replaces one contribution to the usage of a namespace and its tenant by another.
    pub(crate) fn account(&mut self, id: NamespaceId, before: Usage, after: Usage) {
        let Some(entry) = self.entries.get_mut(id.0 as usize) else { return };
        entry.usage = entry.usage.minus(before).plus(after);
        if let Some(tenant) = self.tenants.get_mut(&entry.tenant) {
            tenant.usage = tenant.usage.minus(before).plus(after);
        }
    }

    pub(crate) fn set_tenant_quota(&mut self, tenant: &Tenant, quota: Option<Quota>) {
        self.tenants.entry(tenant.clone()).or_default().quota = quota;
    }

    pub(crate) fn set_quota(&mut self, tenant: &Tenant, namespace: &Namespace, quota: Option<Quota>) {
        let id = self.intern(tenant, namespace);
        if let Some(entry) = self.entries.get_mut(id.0 as usize) {
            entry.quota = quota;
        }
    }

    /// All quotas: those of tenants with `None` as namespace.
    pub(crate) fn quotas(&self) -> impl Iterator<Item = (&Tenant, Option<&Namespace>, Quota)> {
        let namespaces = self
            .entries
            .iter()
            .filter_map(|entry| entry.quota.map(|quota| (&entry.tenant, Some(&entry.namespace), quota)));
        let tenants =
            self.tenants.iter().filter_map(|(tenant, entry)| entry.quota.map(|quota| (tenant, None, quota)));
        tenants.chain(namespaces)
    }

    /// Components in the order of their full names, from behind `after`, of one tenant or namespace or of all.
    pub(crate) fn list<'a>(
        &'a self,
        tenant: Option<&'a Tenant>,
        namespace: Option<&'a Namespace>,
        after: Option<&'a FullName>,
    ) -> impl Iterator<Item = Slot> + 'a {
        let from =
            tenant.or_else(|| after.map(|after| &after.tenant)).map_or(Bound::Unbounded, Bound::Included);
        self.tenants
            .range::<Tenant, _>((from, Bound::Unbounded))
            .take_while(move |(name, _)| tenant.is_none_or(|tenant| *name == tenant))
            .filter(move |(name, _)| after.is_none_or(|after| **name >= after.tenant))
            .flat_map(move |(own, entry)| {
                entry.namespaces.iter().filter_map(move |(name, id)| {
                    let skipped = after.is_some_and(|after| (own, name) < (&after.tenant, &after.namespace));
                    (!skipped && namespace.is_none_or(|namespace| name == namespace)).then_some(*id)
                })
            })
            .filter_map(|id| self.get(id))
            .flat_map(move |entry| {
                let begun =
                    after.filter(|after| after.tenant == entry.tenant && after.namespace == entry.namespace);
                let from = begun.map_or(Bound::Unbounded, |after| Bound::Excluded(&after.name));
                entry.components.range::<ComponentName, _>((from, Bound::Unbounded)).map(|(_, slot)| *slot)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_behind_any_name_and_keeps_to_its_scope() {
        let mut all = Namespaces::default();
        let mut names = Vec::new();
        for (slot, text) in ["a/x/1", "a/x/2", "a/y/1", "b/w/1", "b/x/0"].iter().enumerate() {
            let name: FullName = text.parse().unwrap();
            let id = all.intern(&name.tenant, &name.namespace);
            all.insert(id, name.name.clone(), Slot(u32::try_from(slot).unwrap()));
            names.push(name);
        }
        let list = |tenant: Option<&str>, namespace: Option<&str>, after: Option<&FullName>| {
            let tenant = tenant.map(|t| t.parse().unwrap());
            let namespace = namespace.map(|n| n.parse().unwrap());
            all.list(tenant.as_ref(), namespace.as_ref(), after).map(|slot| slot.0).collect::<Vec<_>>()
        };
        assert_eq!(list(None, None, None), [0, 1, 2, 3, 4]);
        for (at, name) in names.iter().enumerate() {
            assert_eq!(list(None, None, Some(name)), (0..5).skip(at + 1).collect::<Vec<u32>>());
        }
        assert_eq!(list(Some("a"), None, Some(&names[0])), [1, 2]);
        assert_eq!(list(Some("b"), Some("x"), None), [4]);
        assert_eq!(list(None, None, Some(&"a/z/9".parse().unwrap())), [3, 4]);
    }
}
