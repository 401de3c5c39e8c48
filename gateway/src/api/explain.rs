//! The planner's report as callers see it.

use isthmus_model::order::LogIndex;
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1 as wire;

use crate::placement::Report;
use crate::store::state::ComponentView;

/// A report; `view` is the component as it is, if it is.
pub(super) fn explanation(
    report: Report,
    at: LogIndex,
    view: Option<ComponentView<'_>>,
) -> wire::Explanation {
    let Report { chosen, refused, passed_over, summary } = report;
    let remedies = match chosen.is_empty() {
        true if refused.is_empty() => vec!["let a cluster join: isthmus cluster join-token NAME".to_owned()],
        true => refused.iter().map(|refused| refused.remedy.clone()).collect(),
        false => Vec::new(),
    };
    let passed_over = passed_over.into_iter().map(|other| wire::Refused {
        cluster: other.cluster.into(),
        reason: Reason::Placed.to_string(),
        message: format!("it could run there, too, but ranks lower ({})", other.why),
    });
    let refused = refused.into_iter().map(|refused| wire::Refused {
        cluster: refused.cluster.into(),
        reason: refused.reason.to_string(),
        message: refused.why,
    });
    let chosen = chosen.into_iter().map(|chosen| {
        let now = view.and_then(|view| {
            view.assignments().find(|share| *share.cluster() == chosen.cluster && !share.removed())
        });
        wire::Chosen {
            pulsar_cluster: now
                .and_then(|share| share.pulsar())
                .map(|pulsar| pulsar.name.to_string())
                .unwrap_or_default(),
            kept: now.is_some(),
            cluster: chosen.cluster.into(),
            replicas: chosen.replicas,
            message: chosen.why,
            score: chosen
                .score
                .into_iter()
                .map(|(name, value)| wire::ScoreTerm { name: name.to_owned(), value })
                .collect(),
        }
    });
    wire::Explanation {
        log_index: at.0,
        chosen: chosen.collect(),
        refused: refused.chain(passed_over).collect(),
        remedies,
        summary,
    }
}
