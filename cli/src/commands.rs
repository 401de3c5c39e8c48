//! One file a verb. Each takes what was typed and returns an [`Output`]; only what goes on for long prints on the way.

mod apply;
mod get;
mod describe;
mod delete;
mod watch;
mod explain;
mod logs;
mod cluster;
mod pulsar_cluster;
mod package;
mod token;
mod binding;
mod whoami;
mod version;
mod config;
mod completion;

use isthmus_model::component::ComponentKind;
use isthmus_model::order::UnixMillis;
use isthmus_proto::component::v1::{Component, GetRequest};

use crate::args::{Args, Command, Format, Global, Resource};
use crate::client::{Bound, Client};
use crate::environment::Environment;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::request::{self, ProfilesFile, Scope};
use crate::selection;
use crate::style::Style;

/// What every command may need besides its own arguments.
#[derive(Debug)]
struct Context<'a> {
    global: &'a Global,
    environment: &'a Environment,
    style: Style,
}

impl Context<'_> {
    fn profiles(&self) -> Result<ProfilesFile, Error> {
        ProfilesFile::read(self.global, self.environment)
    }

    async fn client(&self) -> Result<Client, Error> {
        Client::connect(&request::resolve(self.global, &self.profiles()?)?).await
    }

    fn scope(&self) -> Result<Scope, Error> {
        request::scope(self.global, &self.profiles()?)
    }

    fn format(&self) -> Format {
        self.global.output
    }

    fn print(&self, output: &Output) -> Result<(), Error> {
        output::print(output, self.format(), self.style)
    }

    /// One component; of one named without its kind the kind is found out, since names are unique over the kinds.
    async fn component(&self, client: &Client, what: &[String]) -> Result<(ComponentKind, Component), Error> {
        let (resource, name) = selection::one(what)?;
        let kinds = match resource {
            None => Resource::All.kinds(),
            Some(resource) => resource.kinds(),
        };
        let name = selection::full_name(&self.scope()?, &name);
        let shown = selection::shown(&name);
        let mut missing = Error::Usage(format!("{} is not a function, source or sink", what.join(" ")));
        for &kind in kinds {
            let request = GetRequest { name: Some(name.clone()) };
            let answer = client.components(kind, Bound::Unary).get(request).await;
            match client.answer(format!("getting {} {shown}", word(kind)), answer) {
                Ok(component) => return Ok((kind, component)),
                Err(error) if error.is_not_found() => missing = error,
                Err(error) => return Err(error),
            }
        }
        Err(missing)
    }
}

/// `function`, `source` or `sink`.
fn word(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Function => "function",
        ComponentKind::Source => "source",
        ComponentKind::Sink => "sink",
    }
}

/// The clock on the wall, for ages.
fn now() -> UnixMillis {
    UnixMillis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0))
}

/// Does what was typed and prints what came of it.
pub(crate) async fn run(args: Args, environment: &Environment, style: Style) -> Result<Exit, Error> {
    let Args { global, command } = args;
    let context = Context { global: &global, environment, style };
    let output = match command {
        Command::Apply(args) => apply::run(&context, args).await,
        Command::Get(args) => get::run(&context, args).await,
        Command::Describe(args) => describe::run(&context, &args.what).await,
        Command::Delete(args) => delete::run(&context, args).await,
        Command::Watch(args) => watch::run(&context, args).await,
        Command::Explain(args) => explain::run(&context, &args.what).await,
        Command::Logs(args) => logs::run(&context, args).await,
        Command::Cluster(args) => cluster::run(&context, args).await,
        Command::PulsarCluster(args) => pulsar_cluster::run(&context, args).await,
        Command::Package(args) => package::run(&context, args).await,
        Command::Token(args) => token::run(&context, args).await,
        Command::Binding(args) => binding::run(&context, args).await,
        Command::Whoami => whoami::run(&context).await,
        Command::Version { client } => version::run(&context, client).await,
        Command::Config(args) => config::run(&context, args),
        Command::Completion { shell } => Ok(completion::run(shell)),
    }?;
    context.print(&output)?;
    Ok(Exit::Done)
}
