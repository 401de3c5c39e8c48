use super::*;
use crate::args::{Color, Global};
use crate::environment::Environment;

const COLUMNS: &[Column] =
    &[Column::text("NAME"), Column::text("STATUS"), Column::number("COUNT"), Column::wide("MORE")];

fn record(name: &str, status: &str, count: &str) -> Record {
    let cells = [name, status, count, "m"].map(str::to_owned).to_vec();
    Record { name: format!("thing/{name}"), cells, value: json!({"name": name}) }
}

fn listing(single: bool) -> Output {
    let records = vec![record("a", "Ready", "7")];
    Output::Listings(vec![Listing { columns: COLUMNS, records, single }])
}

#[test]
fn a_status_is_coloured_without_moving_the_columns() {
    let always = Style::of(&Global { color: Color::Always, ..Global::default() }, &Environment::default());
    let records = [record("a-long-name", "Ready", "7"), record("b", "Degraded", "12")];
    let plain = table(COLUMNS, &records, false, true, Style::default());
    let coloured = table(COLUMNS, &records, false, true, always);
    assert!(
        coloured.contains("\u{1b}[32mReady\u{1b}[0m") && coloured.contains("\u{1b}[31mDegraded\u{1b}[0m")
    );
    let mut stripped = coloured;
    for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn colours_need_a_terminal_and_no_objection() {
    let terminal =
        Environment { stdout_is_terminal: true, stderr_is_terminal: true, ..Environment::default() };
    let style = |environment: &Environment| Style::of(&Global::default(), environment).error("x");
    assert_ne!(style(&terminal), "x");
    assert_eq!(style(&Environment { no_color: true, ..terminal.clone() }), "x");
    assert_eq!(style(&Environment { stderr_is_terminal: false, ..terminal }), "x");
}

#[test]
fn what_was_asked_for_by_name_is_itself_and_not_a_list() {
    let json = |output| render(&output, Format::Json, Style::default()).unwrap();
    assert_eq!(json(listing(true)), "{\n  \"name\": \"a\"\n}\n");
    assert!(json(listing(false)).contains("\"kind\": \"List\""));
}

#[test]
fn a_sentence_is_a_value_for_programs() {
    let said = Output::said("done", json!({"done": true}));
    assert_eq!(render(&said, Format::Table, Style::default()).unwrap(), "done\n");
    assert_eq!(render(&said, Format::Yaml, Style::default()).unwrap(), "done: true\n");
}
