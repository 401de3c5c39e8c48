use super::*;
use crate::view::fixture::{NOW, greet};

#[test]
fn a_status_keeps_the_spec_that_was_seen_before() {
    let mut known = Known::default();
    assert!(known.after(Event::Added(greet())).is_some());
    let status = Status { phase: "Ready".into(), ready: 4, desired: 4, ..Status::default() };
    let mut metadata = greet().metadata.unwrap();
    metadata.labels.clear();
    let event =
        Component { metadata: Some(metadata), spec: None, placement: None, status: Some(status), ..greet() };
    let (after, word) = known.after(Event::Status(event)).unwrap();
    assert_eq!(word, "STATUS");
    assert_eq!((after.spec, after.status.unwrap().phase), (greet().spec, "Ready".to_owned()));
    assert_eq!(after.metadata.unwrap().labels, greet().metadata.unwrap().labels);
}

#[test]
fn what_is_deleted_is_shown_once_more_and_forgotten() {
    let mut known = Known::default();
    assert!(known.after(Event::Added(greet())).is_some());
    let bare = || Component { spec: None, status: None, ..greet() };
    let (after, word) = known.after(Event::Deleted(bare())).unwrap();
    assert_eq!((after.status.unwrap().phase.as_str(), word), ("Deleted", "DELETED"));
    assert!(known.after(Event::Deleted(bare())).is_none());
    assert!(known.after(Event::Bookmark(7)).is_none());
}

#[test]
fn what_leaves_the_selection_is_shown_as_it_stands_and_added_again_when_it_is_back() {
    let mut known = Known::default();
    assert!(known.after(Event::Deleted(greet())).is_none(), "it was never among them");
    let (_, word) = known.after(Event::Modified(greet())).unwrap();
    assert_eq!(word, "ADDED");
    let (after, word) = known.after(Event::Deleted(greet())).unwrap();
    assert_eq!((after.status.unwrap().phase, word), (greet().status.unwrap().phase, "DELETED"));
    assert!(known.after(Event::Status(Component { spec: None, ..greet() })).is_none());
    let (_, word) = known.after(Event::Modified(greet())).unwrap();
    assert_eq!(word, "ADDED");
}

#[test]
fn lines_keep_their_columns_and_have_one_header() {
    let mut lines = Lines::new(Format::Table, view::component::COLUMNS);
    let record = view::component::record(&greet(), NOW, false);
    let text = lines.render(&record, "ADDED").unwrap() + &lines.render(&record, "STATUS").unwrap();
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1], rows[2]);
    assert_eq!(rows[0].find("STATUS"), rows[1].find("Degraded"));
}

#[test]
fn for_programs_each_event_is_one_line_of_json() {
    let mut lines = Lines::new(Format::Json, view::component::COLUMNS);
    let text = lines.render(&view::component::record(&greet(), NOW, false), "ADDED").unwrap();
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["type"], &value["object"]["metadata"]["name"]), (&json!("ADDED"), &json!("greet")));
}
