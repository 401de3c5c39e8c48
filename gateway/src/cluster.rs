//! Who belongs to the federation, and how well each cluster's session is.
//!
//! ```text
//! authority (the CA) ▶ join (token and request ▶ certificate, once) ▶ health (beats ▶ Healthy, Suspect, Disconnected)
//! ```

pub mod authority;
pub mod join;
pub mod health;
