//! One agent's part in the election: a value. Times are since boot, by this agent's clock; those in the Lease are for people.

use std::time::Duration;

use super::Config;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The time has come that was asked for last.
    Due,
    /// The Lease as it is, or that there is none.
    Read(Option<Seen>),
    /// The Lease is this agent's, with this version; the call was sent at this time.
    Written { sent: Duration, version: String },
    /// Somebody else wrote meanwhile.
    Conflict,
    /// No answer came, or none that helps.
    Failed,
    /// It is given up in good order.
    Stop,
}

/// A Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) version: String,
    pub(super) holder: Holder,
    /// For how long its holder counts as one after each renewal.
    pub(super) duration: Duration,
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    This,
    Other,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Say when it is so late.
    Wake(Duration),
    Read,
    /// Make the Lease this agent's; over this version, or where there is none.
    Write(Option<String>),
    /// Make it nobody's, over this version.
    Release(String),
    /// This agent may write until then.
    Hold(Duration),
    /// This agent may write no more.
    Lose,
}

#[derive(Debug)]
enum State {
    /// Waits; the version that was seen last, since when, and for how long it counts.
    Standby(Option<(Seen, Duration)>),
    Holder {
        version: String,
        until: Duration,
    },
    Over,
}

/// The value.
#[derive(Debug)]
pub(super) struct Election {
    duration: Duration,
    renew: Duration,
    look: Duration,
    state: State,
}

impl Election {
    pub(super) fn new(config: &Config) -> Self {
        let Config { duration, renew, look, .. } = config;
        Self { duration: *duration, renew: *renew, look: *look, state: State::Standby(None) }
    }

    pub(super) fn on(&mut self, event: Event, now: Duration) -> Vec<Action> {
        // Before anything else: what comes after the deadline comes too late, whatever it says.
        if let State::Holder { until, .. } = &self.state
            && now >= *until
        {
            self.state = State::Over;
            return vec![Action::Lose];
        }
        match (&mut self.state, event) {
            (State::Over, _) => Vec::new(),
            (State::Holder { version, .. }, Event::Stop) => {
                let release = Action::Release(std::mem::take(version));
                self.state = State::Over;
                vec![release]
            }
            (State::Standby(_), Event::Stop) => {
                self.state = State::Over;
                Vec::new()
            }
            (_, Event::Written { sent, version }) => {
                // Counted from when it was sent: others count from when they see it, which is later. The tenth is for clocks
                // that run apart.
                let until = sent + self.duration * 9 / 10;
                self.state = State::Holder { version, until };
                if now >= until {
                    self.state = State::Standby(None);
                    return vec![Action::Wake(now + self.look)];
                }
                vec![Action::Hold(until), Action::Wake((sent + self.renew).min(until))]
            }
            (State::Holder { version, .. }, Event::Due) => vec![Action::Write(Some(version.clone()))],
            // Whose it is now tells whether it was only the answer that was lost.
            (State::Holder { .. }, Event::Conflict) | (State::Standby(_), Event::Due) => vec![Action::Read],
            (State::Holder { until, .. }, Event::Failed) => {
                vec![Action::Wake((now + self.renew / 2).min(*until))]
            }
            (State::Holder { .. }, Event::Read(None)) => vec![Action::Write(None)],
            (State::Holder { version, .. }, Event::Read(Some(seen))) => match seen.holder {
                Holder::This => {
                    version.clone_from(&seen.version);
                    vec![Action::Write(Some(seen.version))]
                }
                Holder::Nobody | Holder::Other => {
                    self.state = State::Over;
                    vec![Action::Lose]
                }
            },
            (State::Standby(_), Event::Conflict | Event::Failed) => vec![Action::Wake(now + self.look)],
            (State::Standby(known), Event::Read(None)) => {
                *known = None;
                vec![Action::Write(None)]
            }
            (State::Standby(known), Event::Read(Some(seen))) => {
                if seen.holder != Holder::Other {
                    return vec![Action::Write(Some(seen.version))];
                }
                let since = match known {
                    Some((before, since)) if before.version == seen.version => *since,
                    _ => now,
                };
                let over = since + seen.duration;
                if now >= over {
                    return vec![Action::Write(Some(seen.version))];
                }
                *known = Some((seen, since));
                vec![Action::Wake((now + self.look).min(over))]
            }
        }
    }
}

#[cfg(test)]
mod tests;
