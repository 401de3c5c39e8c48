//! What one cluster says that it sees.

use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;

use super::names;
use super::problems::{Invalid, Path, Problems};
use crate::component::v1::MessageCounts;
use crate::sync::v1 as wire;

impl From<Observation> for wire::Observation {
    fn from(observation: Observation) -> Self {
        let Observation {
            uid,
            generation,
            phase,
            desired,
            ready,
            restarts,
            reason,
            last_error,
            messages,
            observed_at: UnixMillis(observed_at_unix_ms),
        } = observation;
        Self {
            uid: uid.as_bytes().to_vec().into(),
            generation: generation.0,
            phase: wire::Phase::from(phase).into(),
            desired,
            ready,
            restarts,
            reason: reason.as_str().to_owned(),
            last_error,
            messages: (messages != Messages::default()).then(|| messages.into()),
            observed_at_unix_ms,
        }
    }
}

impl TryFrom<wire::Observation> for Observation {
    type Error = Invalid;

    fn try_from(observation: wire::Observation) -> Result<Self, Invalid> {
        let wire::Observation {
            uid,
            generation,
            phase,
            desired,
            ready,
            restarts,
            reason,
            last_error,
            messages,
            observed_at_unix_ms,
        } = observation;
        let mut problems = Problems::default();
        let at = Path::ROOT;
        let phase = read_phase(problems.enumeration(&at.field("phase"), phase).unwrap_or_default());
        if phase.is_none() {
            problems.add(&at.field("phase"), Reason::MissingField, "say how the assignment stands");
        }
        // A newer agent may have a word that this version does not know: what it says of readiness still counts.
        let reason = reason.parse().unwrap_or(Reason::Internal);
        let observation = Self {
            uid: names::uid(&uid)?,
            generation: Generation(generation),
            phase: phase.unwrap_or(Phase::Progressing),
            desired,
            ready,
            restarts,
            reason,
            last_error,
            messages: messages.map(Into::into).unwrap_or_default(),
            observed_at: UnixMillis(observed_at_unix_ms),
        };
        problems.finish(observation)
    }
}

impl From<Phase> for wire::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Progressing => Self::Progressing,
            Phase::Ready => Self::Ready,
            Phase::Degraded => Self::Degraded,
            Phase::Stopping => Self::Stopping,
            Phase::Stopped => Self::Stopped,
            Phase::Refused => Self::Refused,
        }
    }
}

fn read_phase(phase: wire::Phase) -> Option<Phase> {
    match phase {
        wire::Phase::Unspecified => None,
        wire::Phase::Progressing => Some(Phase::Progressing),
        wire::Phase::Ready => Some(Phase::Ready),
        wire::Phase::Degraded => Some(Phase::Degraded),
        wire::Phase::Stopping => Some(Phase::Stopping),
        wire::Phase::Stopped => Some(Phase::Stopped),
        wire::Phase::Refused => Some(Phase::Refused),
    }
}

impl From<Messages> for MessageCounts {
    fn from(Messages { received, processed, user_exceptions, system_exceptions }: Messages) -> Self {
        Self { received, processed, user_exceptions, system_exceptions }
    }
}

impl From<MessageCounts> for Messages {
    fn from(counts: MessageCounts) -> Self {
        let MessageCounts { received, processed, user_exceptions, system_exceptions } = counts;
        Self { received, processed, user_exceptions, system_exceptions }
    }
}

#[cfg(test)]
mod tests {
    use isthmus_model::name::Uid;

    use super::*;

    fn observation() -> Observation {
        Observation {
            uid: Uid::from_slice(&[9; 16]).unwrap(),
            generation: Generation(5),
            phase: Phase::Degraded,
            desired: 3,
            ready: 2,
            restarts: 8,
            reason: Reason::BackOff,
            last_error: "exit code 1".into(),
            messages: Messages { received: 10, processed: 7, user_exceptions: 2, system_exceptions: 1 },
            observed_at: UnixMillis(1_763_000_000_123),
        }
    }

    #[test]
    fn an_observation_comes_back_unchanged() {
        assert_eq!(Observation::try_from(wire::Observation::from(observation())), Ok(observation()));
    }

    #[test]
    fn a_reason_of_a_newer_agent_does_not_lose_the_observation() {
        let newer = wire::Observation { reason: "Weathered".into(), ..observation().into() };
        let expected = Observation { reason: Reason::Internal, ..observation() };
        assert_eq!(Observation::try_from(newer), Ok(expected));
    }

    #[test]
    fn an_observation_without_a_phase_or_uid_is_refused() {
        let whole = wire::Observation::from(observation());
        assert!(Observation::try_from(wire::Observation { phase: 0, ..whole.clone() }).is_err());
        assert!(Observation::try_from(wire::Observation { uid: vec![1].into(), ..whole }).is_err());
    }
}
