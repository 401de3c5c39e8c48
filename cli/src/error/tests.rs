use super::*;

const SERVER: &str = "https://gateway:7443";

fn refused(code: Code, failure: Failure) -> Error {
    Error::call(SERVER, "applying greet.yaml", failure.into_status(code))
}

fn text(error: &Error) -> String {
    error.render(Style::default())
}

#[test]
fn every_violation_stands_on_a_line_of_its_own() {
    let violations = vec![
        Violation::new("spec.replicas", Reason::InvalidField, "it must be at most 10").with_value("50"),
        Violation::new("spec.input.topcs", Reason::UnknownField, "this field is not known here"),
        Violation::new("spec.className", Reason::MissingField, "a Java function needs a class"),
    ];
    let error =
        refused(Code::InvalidArgument, Failure::of_fields("function greet was not accepted", violations));
    assert_eq!(error.exit(), Exit::Failed);
    insta::assert_snapshot!(text(&error));
}

#[test]
fn a_violation_that_is_the_whole_message_is_said_once() {
    let violation =
        Violation::new("spec.replicas", Reason::InvalidField, "it must be at most 10").with_value("50");
    let error = refused(
        Code::InvalidArgument,
        Failure::of_fields("spec.replicas: it must be at most 10", vec![violation]),
    );
    let said = "error: applying greet.yaml: spec.replicas: it must be at most 10 (got 50) [InvalidField]\n";
    assert_eq!(text(&error), said);
}

#[test]
fn a_refusal_ends_with_what_to_do() {
    let error = refused(Code::Aborted, Failure::new(Reason::StaleRevision, "greet has revision 4, not 3"));
    insta::assert_snapshot!(text(&error));
    let error =
        refused(Code::PermissionDenied, Failure::new(Reason::Forbidden, "ci may not do this in acme/orders"));
    insta::assert_snapshot!(text(&error));
}

#[test]
fn a_status_without_a_message_says_what_its_code_means() {
    let error = Error::call(SERVER, "listing functions", Status::unimplemented(""));
    let means = "error: listing functions: Operation is not implemented or not supported (Unimplemented)\n";
    assert_eq!(text(&error), means);
}

#[test]
fn a_gateway_that_does_not_answer_is_told_apart_from_one_that_refuses() {
    let broken = Error::call(SERVER, "listing functions", Status::unavailable("tcp connect error"));
    assert_eq!(broken.exit(), Exit::NotReached);
    insta::assert_snapshot!(text(&broken));
    let late = Error::call(SERVER, "listing functions", Status::deadline_exceeded("timeout"));
    assert_eq!(late.exit(), Exit::NotReached);
    let stopping = refused(Code::Unavailable, Failure::new(Reason::Unavailable, "the gateway is stopping"));
    assert_eq!(stopping.exit(), Exit::Failed);
}

#[test]
fn problems_of_a_file_have_their_lines() {
    let position = isthmus_dialects::Position { document: 2, line: 14 };
    let violation = Violation::new("spec.java.jar", Reason::MissingField, "name the jar");
    let error = Error::Invalid { file: "greet.yaml".into(), problems: vec![Problem { position, violation }] };
    assert_eq!(
        text(&error),
        "error: greet.yaml is not valid\n  document 2, line 14: spec.java.jar: name the jar [MissingField]\n"
    );
}

#[test]
fn of_several_failures_a_refusal_decides_the_exit_code() {
    let late = || Error::TimedOut("greet is not ready".into());
    let refused = || refused(Code::NotFound, Failure::new(Reason::NotFound, "there is no greet"));
    assert_eq!(Error::Several(vec![late(), refused()]).exit(), Exit::Failed);
    assert_eq!(Error::Several(vec![late(), late()]).exit(), Exit::NotReached);
    assert!(
        text(&Error::Several(vec![late(), refused()]))
            .starts_with("error: greet is not ready\nerror: applying")
    );
}
