//! Puts the parts of a change together: nothing of a change counts before its last part has come, so a gateway may abandon
//! one and begin another.

use std::collections::BTreeSet;

use isthmus_model::assignment::Removal;
use isthmus_model::name::Uid;
use isthmus_model::order::{Epoch, Generation, LogIndex, SetGeneration};
use isthmus_proto::sync::v1 as wire;
use prost::Message;

use crate::inbox::change::{Change, Scope, Upsert};
use crate::inbox::decode::Decoder;

/// What a gateway of ours never sends; the session ends, because what follows cannot be trusted either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An item without a usable UID cannot be held or refused.
    #[error("an item of the change to set {to} is not valid")]
    Item {
        /// The change.
        to: SetGeneration,
        /// Why.
        source: isthmus_model::name::Invalid,
    },
    /// A bucket that there is not.
    #[error("the change to set {to} names bucket {bucket}, but there are 256")]
    Bucket {
        /// The change.
        to: SetGeneration,
        /// The bucket.
        bucket: u32,
    },
}

/// A change of which some parts are here.
#[derive(Debug, Default)]
pub struct Parts {
    begun: Option<Begun>,
    decoder: Decoder,
}

#[derive(Debug)]
struct Begun {
    from: SetGeneration,
    to: SetGeneration,
    buckets: BTreeSet<u8>,
    removals: Vec<Removal>,
    upserts: Vec<Upsert>,
}

impl Parts {
    /// What has come of a change counts for nothing: another way was chosen.
    pub fn abandon(&mut self) {
        self.begun = None;
    }

    /// Adds a part; with the last one, gives the whole change and the nonce to acknowledge it by.
    pub fn add(&mut self, part: wire::Delta) -> Result<Option<(u64, Change)>, Error> {
        let wire::Delta {
            nonce,
            from_set_generation,
            to_set_generation,
            removals,
            upserts,
            // The digest is compared by whoever knows both sides' sets: the gateway, in the acknowledgement.
            digest: _,
            last,
            epoch,
            log_index,
            replaced_buckets,
        } = part;
        let (from, to) = (SetGeneration(from_set_generation), SetGeneration(to_set_generation));
        let same = |begun: &Begun| (begun.from, begun.to) == (from, to);
        let begun = match self.begun.take().filter(same) {
            Some(begun) => self.begun.insert(begun),
            None => self.begun.insert(Begun::new(from, to)),
        };
        for bucket in replaced_buckets {
            begun.buckets.insert(u8::try_from(bucket).map_err(|_| Error::Bucket { to, bucket })?);
        }
        for removal in removals {
            let uid = Uid::from_slice(&removal.uid).map_err(|source| Error::Item { to, source })?;
            begun.removals.push(Removal { uid, generation: Generation(removal.generation) });
        }
        for assignment in upserts {
            begun
                .upserts
                .push(upsert(assignment, &mut self.decoder).map_err(|source| Error::Item { to, source })?);
        }
        if !last {
            return Ok(None);
        }
        Ok(self.begun.take().map(|begun| (nonce, begun.complete(Epoch(epoch), LogIndex(log_index)))))
    }
}

impl Begun {
    fn new(from: SetGeneration, to: SetGeneration) -> Self {
        Self { from, to, buckets: BTreeSet::new(), removals: Vec::new(), upserts: Vec::new() }
    }

    fn complete(self, epoch: Epoch, log_index: LogIndex) -> Change {
        let Self { from, to, buckets, removals, upserts } = self;
        let scope = if !buckets.is_empty() {
            Scope::Buckets(buckets)
        } else if from == SetGeneration(0) {
            Scope::Whole
        } else {
            Scope::Differences(from)
        };
        Change { scope, to, removals, upserts, epoch, log_index }
    }
}

fn upsert(message: wire::Assignment, decoder: &mut Decoder) -> Result<Upsert, isthmus_model::name::Invalid> {
    let uid = Uid::from_slice(&message.uid)?;
    let generation = Generation(message.generation);
    let bytes = message.encode_to_vec();
    Ok(Upsert { uid, generation, bytes, content: decoder.assignment(message) })
}
