//! What a ciphertext is bound to, as bytes that cannot be read in two ways.

use isthmus_model::name::FullName;

/// Of HPKE: what the sealed key is for.
pub(crate) const INFO: &[u8] = b"isthmus sealed secrets 1: data key";

/// Of a component's data key.
pub(crate) fn of_component(component: &FullName) -> Vec<u8> {
    let FullName { tenant, namespace, name } = component;
    canonical(&[tenant.as_str(), namespace.as_str(), name.as_str()])
}

/// Of one of its values.
pub(crate) fn of_value(component: &FullName, secret: &str) -> Vec<u8> {
    let FullName { tenant, namespace, name } = component;
    canonical(&[tenant.as_str(), namespace.as_str(), name.as_str(), secret])
}

/// Each part with its length before it, eight bytes and big-endian, and before all of them how many there are: no two lists
/// have the same bytes.
fn canonical(parts: &[&str]) -> Vec<u8> {
    let mut bytes = b"isthmus sealed secrets 1".to_vec();
    bytes.extend((parts.len() as u64).to_be_bytes());
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}
