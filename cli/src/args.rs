//! Exactly what was typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Deploys and watches Pulsar Functions over many clusters.
///
/// Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 gateway not reached, or --wait timed out.
#[derive(Debug, Parser)]
#[command(name = "isthmus", version, propagate_version = true, max_term_width = 110)]
pub struct Args {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The profiles' file [default: $ISTHMUS_CONFIG, else isthmus/config.yaml in the user's configuration directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The profile to use [default: the file's currentProfile]
    #[arg(long, global = true, env = "ISTHMUS_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// The gateway, as https://host:port
    #[arg(long, global = true, env = "ISTHMUS_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// A file with the certificates to trust
    #[arg(long, global = true, env = "ISTHMUS_CERTIFICATE_AUTHORITY", value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// A file with the caller's certificate
    #[arg(long, global = true, value_name = "FILE", requires = "client_key")]
    pub client_certificate: Option<PathBuf>,
    /// A file with the key of that certificate
    #[arg(long, global = true, value_name = "FILE", requires = "client_certificate")]
    pub client_key: Option<PathBuf>,
    /// An API token; better given by $ISTHMUS_TOKEN, since other users can see what is typed
    #[arg(long, global = true, env = "ISTHMUS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The tenant [default: the profile's, else public]
    #[arg(long, global = true, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// The namespace, or TENANT/NAMESPACE [default: the profile's, else default]
    #[arg(long, short, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// How long one call may take; streams are not bounded
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub request_timeout: Duration,
    /// How results are printed
    #[arg(long, short, global = true, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// When colours are used; never when $NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// JSON
    Json,
    /// YAML that apply takes back
    Yaml,
    /// TYPE/NAME, one a line
    Name,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create or change what files describe
    Apply(Apply),
    /// Show resources, one a line
    Get(Get),
    /// Show one resource with all that is known of it
    Describe(Named),
    /// Delete components by name or by file
    Delete(Delete),
    /// Show resources and then every change
    Watch(Watch),
    /// Say why a component runs where it runs, or why nowhere
    Explain(Named),
    /// Print what an instance writes
    Logs(Logs),
    /// Work with clusters
    #[command(subcommand)]
    Cluster(Cluster),
    /// Work with Pulsar clusters
    #[command(subcommand, visible_alias = "pulsar")]
    PulsarCluster(PulsarCluster),
    /// Work with packages
    #[command(subcommand)]
    Package(Package),
    /// Work with API tokens
    #[command(subcommand)]
    Token(Token),
    /// Work with role bindings
    #[command(subcommand)]
    Binding(Binding),
    /// Say who the gateway takes the caller for
    Whoami,
    /// Print the versions of this program and of the gateway
    Version {
        /// Do not ask the gateway
        #[arg(long)]
        client: bool,
    },
    /// Look at and choose profiles
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// Files to work on.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Files {
    /// A file, a directory, or - for standard input; may be given several times
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Look into directories below given ones, too
    #[arg(long, short = 'R')]
    pub recursive: bool,
    /// How the files are read
    #[arg(long, value_name = "DIALECT", default_value = "auto")]
    pub dialect: Dialect,
    /// What is done about unknown fields
    #[arg(long, value_name = "HOW", default_value = "strict")]
    pub validate: Validate,
}

/// How files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// Recognised by their fields
    #[default]
    Auto,
    /// Function Mesh resources, and the form that `get -o yaml` prints
    Kubernetes,
    /// Pulsar's FunctionConfig
    FunctionConfig,
    /// Pulsar's SourceConfig
    SourceConfig,
    /// Pulsar's SinkConfig
    SinkConfig,
}

/// What is done about unknown fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Validate {
    /// The file is refused
    #[default]
    #[value(alias = "true")]
    Strict,
    /// A warning for each
    Warn,
    /// Nothing
    #[value(alias = "false")]
    Ignore,
}

/// Waiting.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct Waiting {
    /// Wait until it is done: all instances ready, or after delete nothing left running
    #[arg(long)]
    pub wait: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// Secrets that travel with components.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Secrets {
    /// Seal the text of a file as the secret NAME; a line break at its end is left out; may be given several times
    #[arg(long = "secret-file", value_name = "NAME=PATH")]
    pub secret_files: Vec<Assignment>,
    /// Seal the value of an environment variable as the secret NAME; may be given several times
    #[arg(long = "secret-env", value_name = "NAME=VARIABLE")]
    pub secret_variables: Vec<Assignment>,
}

/// What stands before and behind the first `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Before it; not empty.
    pub name: String,
    /// Behind it; not empty.
    pub value: String,
}

impl std::str::FromStr for Assignment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            // The text is not repeated: somebody may have typed the secret itself.
            _ => Err("it must be NAME=, and behind that where the value is".to_owned()),
        }
    }
}

/// `apply`.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = "\
Packages: code that lies in a file of this machine is uploaded first, and its location replaced by the sha256:… of its bytes.
Such a file is named by --package, by a file:// location in the manifest (jarLocation: file://./greet.jar), or by a plain path
in a Pulsar configuration (jar: ./greet.jar). Relative paths start at the manifest's directory. Bytes that the gateway stores
already are not sent again.

Secrets: a secret of the manifest with neither path nor key (secretsMap: {PASSWORD: {}}) travels with the component. Its value
comes from a file or a variable and is sealed here for the clusters that the placement allows now; nobody on the way can read it.
Applied again without values, a component keeps those that it has; seal them again when a cluster has joined that it shall use.")]
pub struct Apply {
    /// What to apply.
    #[command(flatten)]
    pub files: Files,
    /// A file with the code of the one component in the given file
    #[arg(long, value_name = "FILE")]
    pub package: Option<PathBuf>,
    /// Secrets.
    #[command(flatten)]
    pub secrets: Secrets,
    /// Print what would change and where it would run; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Waiting.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// A type of resources as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Resource {
    /// Functions
    #[value(name = "functions", aliases = ["function", "fn", "fns"])]
    Functions,
    /// Sources
    #[value(name = "sources", aliases = ["source"])]
    Sources,
    /// Sinks
    #[value(name = "sinks", aliases = ["sink"])]
    Sinks,
    /// Functions, sources and sinks
    #[value(name = "all", aliases = ["components", "component"])]
    All,
    /// Clusters
    #[value(name = "clusters", aliases = ["cluster"])]
    Clusters,
    /// Pulsar clusters
    #[value(name = "pulsar-clusters", aliases = ["pulsar-cluster", "pulsarclusters", "pulsarcluster", "pulsar"])]
    PulsarClusters,
    /// Packages
    #[value(name = "packages", aliases = ["package", "pkg"])]
    Packages,
    /// API tokens
    #[value(name = "tokens", aliases = ["token"])]
    Tokens,
    /// Role bindings
    #[value(name = "bindings", aliases = ["binding"])]
    Bindings,
}

/// `get`.
#[derive(Debug, Clone, ClapArgs)]
pub struct Get {
    /// The type, or TYPE/NAME
    #[arg(value_name = "TYPE")]
    pub resource: String,
    /// Names; none means all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Over all namespaces (of the tenant, if --tenant is given)
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Which of them.
    #[command(flatten)]
    pub only: Only,
    /// Afterwards go on with every change
    #[arg(long, short)]
    pub watch: bool,
}

/// Which ones of a type.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Only {
    /// Only those whose labels match, for example app=shop,tier!=test
    #[arg(long, short = 'l', value_name = "SELECTOR", default_value = "")]
    pub selector: String,
    /// Only components with a share in this cluster
    #[arg(long, value_name = "CLUSTER", default_value = "")]
    pub cluster: String,
}

/// `watch`.
#[derive(Debug, Clone, ClapArgs)]
pub struct Watch {
    /// functions, sources, sinks, clusters or pulsar-clusters, or TYPE/NAME
    #[arg(value_name = "TYPE")]
    pub resource: String,
    /// A name; none means all
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Over all namespaces (of the tenant, if --tenant is given)
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Which of them.
    #[command(flatten)]
    pub only: Only,
}

/// One resource.
#[derive(Debug, Clone, ClapArgs)]
pub struct Named {
    /// TYPE NAME, TYPE/NAME, or of a component only its NAME
    #[arg(value_name = "TYPE NAME", num_args = 1..=2, required = true)]
    pub what: Vec<String>,
}

/// `delete`.
#[derive(Debug, ClapArgs)]
pub struct Delete {
    /// TYPE NAME..., or TYPE/NAME...
    #[arg(value_name = "TYPE NAME", conflicts_with = "files")]
    pub what: Vec<String>,
    /// What the components are described in.
    #[command(flatten)]
    pub files: Files,
    /// Say what would be deleted; delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What does not exist is no error
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Waiting.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// `logs`.
#[derive(Debug, ClapArgs)]
pub struct Logs {
    /// TYPE NAME, TYPE/NAME, or only the NAME
    #[arg(value_name = "TYPE NAME", num_args = 1..=2, required = true)]
    pub what: Vec<String>,
    /// Go on with what comes
    #[arg(long, short)]
    pub follow: bool,
    /// So many last lines at first [default: all that is kept]
    #[arg(long, value_name = "LINES")]
    pub tail: Option<u32>,
    /// The cluster; may be left out when only one has a share
    #[arg(long, value_name = "CLUSTER", default_value = "")]
    pub cluster: String,
    /// The instance, from 0
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    pub instance: u32,
}

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair(pub String, pub String);

impl std::str::FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self(key.to_owned(), value.to_owned())),
            _ => Err("it must be KEY=VALUE".to_owned()),
        }
    }
}

/// `cluster …`.
#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Make a token with which one agent may join as the named cluster, once
    JoinToken {
        /// The cluster
        name: String,
        /// Its labels, as a=b,c=d
        #[arg(long, value_delimiter = ',', value_name = "LABELS")]
        labels: Vec<Pair>,
        /// How long the token may be used: 1 minute to 24 hours [default: 15m]
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        ttl: Option<Duration>,
    },
    /// Show clusters
    List {
        /// Only those whose labels match
        #[arg(long, short = 'l', value_name = "SELECTOR", default_value = "")]
        selector: String,
    },
    /// Say that a Pulsar cluster can be reached from a cluster
    Link {
        /// The cluster
        name: String,
        /// The Pulsar cluster
        pulsar_cluster: String,
        /// Broker service URL as seen from the cluster [default: the Pulsar cluster's]
        #[arg(long, value_name = "URL", default_value = "")]
        service_url: String,
        /// Admin URL as seen from the cluster [default: the Pulsar cluster's]
        #[arg(long, value_name = "URL", default_value = "")]
        admin_url: String,
        /// Use it when a component names no Pulsar cluster; a first link is the default in any case
        #[arg(long)]
        default: bool,
    },
    /// Take that back
    Unlink {
        /// The cluster
        name: String,
        /// The Pulsar cluster
        pulsar_cluster: String,
    },
    /// Place nothing new on a cluster
    Cordon {
        /// The cluster
        name: String,
    },
    /// End that
    Uncordon {
        /// The cluster
        name: String,
    },
    /// Change labels and taints; what is not mentioned stays
    Update {
        /// The cluster
        name: String,
        /// Labels to set, as a=b,c=d
        #[arg(long, value_delimiter = ',', value_name = "LABELS")]
        labels: Vec<Pair>,
        /// Keys of labels to remove
        #[arg(long, value_delimiter = ',', value_name = "KEYS")]
        remove_labels: Vec<String>,
        /// Taints to set, as KEY=VALUE:EFFECT; effects are NoPlace, PreferNoPlace and Evict
        #[arg(long, value_delimiter = ',', value_name = "TAINTS")]
        taints: Vec<Taint>,
        /// Keys of taints to remove
        #[arg(long, value_delimiter = ',', value_name = "KEYS")]
        remove_taints: Vec<String>,
    },
    /// Let an agent go on that holds removals because they exceed its delete budget
    ConfirmRemovals {
        /// The cluster
        name: String,
    },
    /// Revoke all certificates of a cluster; its agent must join again
    Revoke {
        /// The cluster
        name: String,
    },
    /// Give a cluster up: what it had is placed elsewhere, although it may still run there
    Forget {
        /// The cluster
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `KEY[=VALUE]:EFFECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value, often empty.
    pub value: String,
    /// The effect.
    pub effect: isthmus_model::policy::TaintEffect,
}

impl std::str::FromStr for Taint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use isthmus_model::policy::TaintEffect;
        let form = || "it must be KEY=VALUE:EFFECT, the effect NoPlace, PreferNoPlace or Evict".to_owned();
        let (pair, effect) = text.rsplit_once(':').ok_or_else(form)?;
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let effect = match effect {
            "NoPlace" => TaintEffect::NoPlace,
            "PreferNoPlace" => TaintEffect::PreferNoPlace,
            "Evict" => TaintEffect::Evict,
            _ => return Err(form()),
        };
        if key.is_empty() {
            Err(form())
        } else {
            Ok(Self { key: key.to_owned(), value: value.to_owned(), effect })
        }
    }
}

/// `pulsar-cluster …`.
#[derive(Debug, Subcommand)]
pub enum PulsarCluster {
    /// Create or replace a Pulsar cluster
    Apply {
        /// Its name: a DNS label
        name: String,
        /// pulsar:// or pulsar+ssl://
        #[arg(long, value_name = "URL")]
        service_url: String,
        /// http:// or https://
        #[arg(long, value_name = "URL")]
        admin_url: String,
        /// The name that Pulsar itself has for it [default: NAME]
        #[arg(long, value_name = "NAME", default_value = "")]
        pulsar_name: String,
        /// bk:// of the state store
        #[arg(long, value_name = "URL", default_value = "")]
        state_service_url: String,
        /// Pulsar clusters that it replicates with
        #[arg(long, value_delimiter = ',', value_name = "NAMES")]
        peers: Vec<String>,
    },
    /// Show Pulsar clusters
    List,
    /// Remove a Pulsar cluster
    Delete {
        /// Its name
        name: String,
    },
}

/// `package …`.
#[derive(Debug, Subcommand)]
pub enum Package {
    /// Store a file
    Upload {
        /// The file
        file: PathBuf,
    },
    /// Fetch a file
    Download {
        /// sha256:…
        location: String,
        /// Where to; - is standard output [default: its own name, in the current directory]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Show packages
    List,
    /// Remove a package
    Delete {
        /// sha256:…
        location: String,
    },
}

/// `token …`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; its text is shown once
    Create {
        /// Who it speaks for
        principal: String,
        /// How long it lives [default: without end]
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        ttl: Option<Duration>,
    },
    /// Show tokens, without their texts
    List,
    /// End a token at once
    Revoke {
        /// Its id
        id: String,
    },
}

/// A role as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Reads
    Viewer,
    /// Deploys
    Developer,
    /// Runs clusters
    Operator,
    /// Says who may do what
    Admin,
}

/// One binding as it is typed.
#[derive(Debug, Clone, ClapArgs)]
pub struct BindingArgs {
    /// Who: the name of a token's principal, or the common name of a client certificate
    pub principal: String,
    /// May do what
    pub role: Role,
    /// Where: '*', TENANT or TENANT/NAMESPACE
    #[arg(default_value = "*")]
    pub scope: String,
    /// Or may not
    #[arg(long, action = ArgAction::SetTrue)]
    pub deny: bool,
}

/// `binding …`.
#[derive(Debug, Subcommand)]
pub enum Binding {
    /// Add a binding
    Create(BindingArgs),
    /// Show bindings
    List,
    /// Remove a binding
    Delete(BindingArgs),
}

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show the profiles
    GetProfiles,
    /// Choose the profile that is used when none is named
    UseProfile {
        /// Its name
        name: String,
    },
    /// Show the file, without secrets
    View,
}

#[cfg(test)]
mod tests;
