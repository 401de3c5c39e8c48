use isthmus_proto::component::v1::{Change, ChangeResponse, ClusterStatus, Component, FieldChange};

use super::fixture::{self, NOW};
use super::*;
use crate::args::Format;
use crate::output::{Listing, Output, render};
use crate::style::Style;

fn printed(listings: Vec<Listing>, format: Format) -> String {
    render(&Output::Listings(listings), format, Style::default()).unwrap()
}

fn functions() -> Listing {
    component::listing(&[fixture::greet(), fixture::parked()], NOW, false, false)
}

#[test]
fn functions_as_a_table() {
    insta::assert_snapshot!(printed(vec![functions()], Format::Table));
}

#[test]
fn functions_as_a_wide_table() {
    insta::assert_snapshot!(printed(vec![functions()], Format::Wide));
}

#[test]
fn functions_as_names() {
    insta::assert_snapshot!(printed(vec![functions()], Format::Name));
}

#[test]
fn several_kinds_in_tables_of_their_own() {
    let sinks = component::listing(&[fixture::store()], NOW, true, false);
    let functions = component::listing(&[fixture::greet()], NOW, true, false);
    let none = component::listing(&[], NOW, true, false);
    insta::assert_snapshot!(printed(vec![functions, none, sinks], Format::Table));
}

#[test]
fn one_function_as_yaml() {
    let one = component::listing(&[fixture::greet()], NOW, false, true);
    insta::assert_snapshot!(printed(vec![one], Format::Yaml));
}

#[test]
fn one_function_as_json() {
    let one = component::listing(&[fixture::greet()], NOW, false, true);
    insta::assert_snapshot!(printed(vec![one], Format::Json));
}

#[test]
fn what_is_printed_as_yaml_is_what_apply_reads() {
    let text = printed(vec![functions()], Format::Yaml);
    let read = isthmus_dialects::read(text.as_bytes(), &isthmus_dialects::Options::default()).unwrap();
    let drafts: Vec<_> = read.drafts.into_iter().map(|written| written.into_draft().unwrap()).collect();
    let expected = [fixture::greet(), fixture::parked()]
        .map(|component| isthmus_proto::convert::component::draft(component, None).unwrap());
    assert_eq!(drafts, expected);
}

#[test]
fn a_described_function() {
    let text = describe::component(&fixture::greet(), Some(&fixture::explanation()), NOW, Style::default());
    insta::assert_snapshot!(text.unwrap());
}

#[test]
fn a_described_function_says_what_is_wrong_with_its_pods_and_what_that_means() {
    let mut greet = fixture::greet();
    let west = west_of(&mut greet);
    west.reason = "Unschedulable".into();
    west.last_error =
        "pod greet-function-1: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.".into();
    let text = describe::component(&greet, None, NOW, Style::default()).unwrap();
    let wrong = "
What is wrong on west (Unschedulable):
  No node of the Kubernetes cluster takes the pod; the scheduler's words say why not.
  pod greet-function-1: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.
";
    assert!(text.contains(wrong), "{text}");
    west_of(&mut greet).phase = "Progressing".into();
    let text = describe::component(&greet, None, NOW, Style::default()).unwrap();
    assert!(text.contains("\nLast error on west:\n  pod greet-function-1"), "{text}");
}

fn west_of(component: &mut Component) -> &mut ClusterStatus {
    let clusters = &mut component.status.as_mut().unwrap().clusters;
    clusters.iter_mut().find(|share| share.cluster == "west").unwrap()
}

#[test]
fn an_explanation_with_a_chosen_cluster() {
    insta::assert_snapshot!(explanation::lines(&fixture::explanation(), "  "));
}

#[test]
fn an_explanation_without_a_chosen_cluster() {
    insta::assert_snapshot!(explanation::lines(&fixture::nowhere(), "  "));
}

#[test]
fn a_dry_run_says_what_would_change_and_where_it_would_run() {
    let field = |field: &str, before: &str, after: &str| FieldChange {
        field: field.into(),
        before: before.into(),
        after: after.into(),
    };
    let change = ChangeResponse {
        change: Change::Updated.into(),
        component: Some(fixture::greet()),
        explanation: Some(fixture::explanation()),
        changes: vec![
            field("spec.replicas", "1", "2"),
            field("spec.userConfig.greeting", "", "\"hello\""),
            field("spec.logTopic", "\"logs\"", ""),
        ],
        ..ChangeResponse::default()
    };
    insta::assert_snapshot!(change::plan(&change));
}

#[test]
fn a_change_is_one_line_with_its_namespace_unless_that_is_the_default() {
    let of = |change: Change, component| {
        change::line(
            &ChangeResponse { change: change.into(), component: Some(component), ..Default::default() },
            false,
        )
    };
    assert_eq!(of(Change::Created, fixture::greet()), "function/greet created\n");
    let parked = of(Change::Deleted, fixture::parked());
    assert_eq!(parked, "function/acme/orders/a-function-with-a-rather-long-name deleted\n");
}

#[test]
fn clusters_as_a_wide_table() {
    insta::assert_snapshot!(printed(vec![cluster::listing(&fixture::clusters(), NOW, false)], Format::Wide));
}

#[test]
fn clusters_as_yaml() {
    insta::assert_snapshot!(printed(vec![cluster::listing(&fixture::clusters(), NOW, false)], Format::Yaml));
}

#[test]
fn everything_else_as_tables() {
    let listings = vec![
        pulsar_cluster::listing(&fixture::pulsar_clusters(), false),
        package::listing(&fixture::packages(), NOW, false),
        access::tokens(&fixture::tokens(), NOW, false),
        access::bindings(&fixture::bindings()),
    ];
    insta::assert_snapshot!(printed(listings, Format::Wide));
}

#[test]
fn an_age_is_written_as_kubectl_writes_it() {
    for (seconds, text) in [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (601, "10m"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (3 * 86_400 + 7_200, "3d2h"),
        (100 * 86_400, "100d"),
        (3 * 365 * 86_400, "3y"),
    ] {
        assert_eq!(span(seconds), text);
    }
}

#[test]
fn a_size_is_written_in_the_unit_that_fits() {
    for (size, text) in
        [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (6_400_123, "6.1 MiB"), (u64::MAX, "16777215 TiB")]
    {
        assert_eq!(bytes(size), text);
    }
}
