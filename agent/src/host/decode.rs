//! From the bytes of an assignment to the component: the one conversion of the wire that a target needs, given by the
//! composition.

use isthmus_model::component::Component;

/// Reads an admitted component from its encoding.
pub type Decode = fn(&[u8]) -> Result<Component, Undecodable>;

/// The bytes are not a component that this agent understands.
#[derive(Debug, thiserror::Error)]
#[error("the agent cannot read the component; its version may be older than the gateway's: {0}")]
pub struct Undecodable(pub String);
