//! From what is desired to what is wanted on this host: the component decoded, its command known by its identity; pure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use isthmus_model::assignment::Assignment;
use isthmus_model::component::Runtime;
use isthmus_model::package::PackageRef;
use isthmus_model::reason::Reason;

use super::attached::Watch;
use super::command::{self, Input, Refused};
use super::launch::{Host, file_name, parallelism};
use super::plan::Wanted;
use super::ports::Pair;
use super::secrets::Secrets;
use crate::target::Desired;

/// What the loop keeps of an assignment; the component itself is decoded again when it is started, which is seldom.
#[derive(Debug)]
pub(super) struct Dereferenced {
    pub(super) wanted: Wanted,
    pub(super) watch: Watch,
}

/// A panic in here refuses the one component that caused it.
pub(super) fn dereference(host: &Host, desired: &Desired) -> Dereferenced {
    let assignment = match desired {
        Desired::Stop(removal) => {
            return Dereferenced {
                wanted: Wanted::Stop { generation: removal.generation },
                watch: Watch::default(),
            };
        }
        Desired::Run(assignment) => assignment,
    };
    let result = catch_unwind(AssertUnwindSafe(|| of_assignment(host, assignment)));
    let internal =
        || Refused { reason: Reason::Internal, message: "reading it failed inside the agent".into() };
    result.unwrap_or_else(|_panic| Err(internal())).unwrap_or_else(|Refused { reason, message }| {
        Dereferenced {
            wanted: Wanted::Refused {
                generation: assignment.generation,
                replicas: assignment.replicas,
                reason,
                message,
            },
            watch: Watch::default(),
        }
    })
}

fn of_assignment(host: &Host, assignment: &Assignment) -> Result<Dereferenced, Refused> {
    let component = isthmus_proto::convert::component::decode(&assignment.spec).map_err(|error| Refused {
        reason: Reason::Refused,
        message: format!("this agent cannot read the component: {}", isthmus_daemon::chain::Chain(&error)),
    })?;
    let details = isthmus_dialects::function_details(&component, parallelism(&component, assignment));
    let none = PackageRef::default();
    let spec = &component.spec;
    let package = file_name(spec.runtime.as_ref().map_or(&none, Runtime::package));
    let transform = spec.transform.as_ref().map(|transform| file_name(&transform.package));
    let command = command::identity(&Input {
        assignment,
        component: &component,
        details: &details,
        index: 0,
        ports: Pair::default(),
        distribution: &host.distribution(),
        secrets: &Secrets::named_by(spec),
        package: Path::new(&package),
        transform: transform.as_deref().map(Path::new),
        files: Path::new(""),
        logs: Path::new(""),
        nars: Path::new(""),
    })?;
    let Assignment { generation, revision, replicas, .. } = *assignment;
    let wanted = Wanted::Run { generation, revision, replicas, command };
    Ok(Dereferenced { wanted, watch: Watch::of(&component) })
}
