//! The logs that are being read over a session.

use std::collections::BTreeSet;

use isthmus_model::name::Uid;
use isthmus_proto::sync::v1 as wire;
use isthmus_proto::sync::v1::agent_frame::Frame as AgentFrame;

use super::Action;
use crate::target::LogOptions;

/// Logs read at the same time over one session: each holds a file and a task.
const MOST: usize = 64;

/// A log that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuestion {
    /// Names the request in what answers it.
    pub id: u64,
    /// The component.
    pub uid: Uid,
    /// The instance, from 0.
    pub instance: u32,
    /// How much of it.
    pub options: LogOptions,
}

#[derive(Debug, Default)]
pub(super) struct Logs {
    open: BTreeSet<u64>,
}

impl Logs {
    pub(super) fn on_request(&mut self, request: wire::LogRequest) -> Action {
        let wire::LogRequest { id, uid, instance, tail_lines, follow } = request;
        let Ok(uid) = Uid::from_slice(&uid) else { return refuse(id, "the request names no component") };
        if self.open.len() >= MOST {
            return refuse(id, "too many logs of this cluster are being read; try again later");
        }
        if !self.open.insert(id) {
            return refuse(id, "a request with this number is being answered already");
        }
        let options = LogOptions { tail: tail_lines, follow };
        Action::OpenLog(LogQuestion { id, uid, instance, options })
    }

    pub(super) fn on_cancel(&mut self, id: u64) -> Option<Action> {
        self.open.remove(&id).then_some(Action::CloseLog(id))
    }

    /// What was read is passed on, unless nobody wants it any more.
    pub(super) fn on_piece(&mut self, piece: wire::LogData) -> Option<Action> {
        let wanted = if piece.end { self.open.remove(&piece.id) } else { self.open.contains(&piece.id) };
        wanted.then(|| Action::Send(AgentFrame::LogData(piece)))
    }
}

fn refuse(id: u64, error: &str) -> Action {
    let data = wire::LogData { id, data: bytes::Bytes::new(), end: true, error: error.to_owned() };
    Action::Send(AgentFrame::LogData(data))
}
