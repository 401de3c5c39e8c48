//! From the file to what is held and what the target gets: what an agent that restarts goes on from, without a gateway.

use std::sync::Arc;

use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::name::Uid;
use isthmus_model::order::Generation;

use super::change::{Refusal, RefusedItem};
use super::decode::{Decoder, decode};
use super::file::{Error, File, Stored};
use super::holdings::{Entry, Holdings};
use crate::target::{Desired, DesiredSet};

/// What a file holds, as the rest of the agent uses it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) holdings: Holdings,
    pub(super) desired: DesiredSet,
    pub(super) refused: Vec<RefusedItem>,
}

/// Reads the whole file. What was refused is tried again: this may be a newer version of the program.
pub(super) fn load(file: &File, decoder: &mut Decoder) -> Result<Loaded, Error> {
    let head = file.head()?;
    let mut loaded = Loaded { holdings: Holdings::new(head, []), ..Loaded::default() };
    loaded.desired.settled = head.settled;
    file.visit(|row| take(row, decoder, &mut loaded))?;
    Ok(loaded)
}

fn take(row: Stored, decoder: &mut Decoder, loaded: &mut Loaded) {
    let Stored { uid, generation, removal, assignment, refused } = row;
    let (runs, refusal) = newest(assignment, refused, decoder);
    if let Some(assignment) = &runs {
        loaded.desired.entries.insert(uid, Desired::Run(assignment.clone()));
    }
    let entry = match (generation, removal) {
        (Some(generation), None) => {
            if let Some(refusal) = refusal {
                loaded.refused.push(RefusedItem { uid, generation, refusal });
            }
            Entry::Wanted { generation, runs: runs.is_some() }
        }
        (Some(generation), Some(removal)) if runs.is_some() => Entry::Held { generation, removal },
        (_, removal) => stopping(uid, removal.unwrap_or_default(), loaded),
    };
    loaded.holdings.set(uid, entry);
}

/// The newest assignment of a row that can be taken, and why the very newest cannot.
fn newest(
    assignment: Option<Vec<u8>>,
    refused: Option<Vec<u8>>,
    decoder: &mut Decoder,
) -> (Option<Arc<Assignment>>, Option<Refusal>) {
    let mut refusal = None;
    for bytes in [refused, assignment].into_iter().flatten() {
        match decode(&bytes, decoder) {
            Ok(assignment) => return (Some(assignment), refusal),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    (None, refusal)
}

fn stopping(uid: Uid, removal: Generation, loaded: &mut Loaded) -> Entry {
    loaded.desired.entries.insert(uid, Desired::Stop(Removal { uid, generation: removal }));
    Entry::Stopping { removal }
}
