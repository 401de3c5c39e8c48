use clap::CommandFactory as _;
use isthmus_model::policy::TaintEffect;

use super::*;

fn parse(line: &str) -> Args {
    Args::try_parse_from(line.split_whitespace()).unwrap()
}

fn refused(line: &str) -> String {
    Args::try_parse_from(line.split_whitespace()).unwrap_err().to_string()
}

#[test]
fn the_definition_of_the_arguments_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn apply_takes_what_kubectl_takes() {
    let args = parse("isthmus apply -f a.yaml -f - -R --dry-run --validate=warn -n acme/orders -o json");
    assert_eq!((args.global.namespace.as_deref(), args.global.output), (Some("acme/orders"), Format::Json));
    let Command::Apply(apply) = args.command else { unreachable!("it was apply") };
    assert_eq!(apply.files.files, [PathBuf::from("a.yaml"), PathBuf::from("-")]);
    assert!(apply.files.recursive && apply.dry_run && !apply.waiting.wait);
    assert_eq!((apply.files.validate, apply.waiting.timeout), (Validate::Warn, Duration::from_mins(5)));
}

#[test]
fn a_join_token_has_labels_and_a_time_to_live() {
    let args = parse("isthmus cluster join-token east --labels region=eu,zone=a --ttl 1h30m");
    let Command::Cluster(Cluster::JoinToken { name, labels, ttl }) = args.command else {
        unreachable!("it was join-token")
    };
    assert_eq!(name, "east");
    assert_eq!(labels, [Pair("region".into(), "eu".into()), Pair("zone".into(), "a".into())]);
    assert_eq!(ttl, Some(Duration::from_mins(90)));
}

#[test]
fn a_taint_is_written_as_in_kubernetes() {
    let taint = |text: &str| text.parse::<Taint>().map(|taint| (taint.key, taint.value, taint.effect));
    assert_eq!(taint("gpu=yes:NoPlace"), Ok(("gpu".into(), "yes".into(), TaintEffect::NoPlace)));
    assert_eq!(taint("gpu:Evict"), Ok(("gpu".into(), String::new(), TaintEffect::Evict)));
    for wrong in ["gpu", "gpu=yes", ":NoPlace", "gpu:NoSchedule"] {
        assert!(taint(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_argument() {
    assert!(refused("isthmus delete function greet -f a.yaml").contains("cannot be used with"));
    assert!(
        refused("isthmus get functions -o xml").contains("possible values: table, wide, json, yaml, name")
    );
    assert!(refused("isthmus whoami --client-key k").contains("--client-certificate"));
    assert!(refused("isthmus cluster join-token east --labels region").contains("KEY=VALUE"));
    assert!(refused("isthmus apply -f x --timeout soon").contains("--timeout"));
}
