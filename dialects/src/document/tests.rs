use super::*;

const LIMIT: usize = 1 << 20;

fn refusal(text: &[u8]) -> Problem {
    parse(text, LIMIT).unwrap_err()
}

#[test]
fn documents_are_numbered_and_empty_ones_left_out() {
    let documents = parse(b"---\na: 1\n---\n# nothing\n---\nb: [1, 2]\n", LIMIT).unwrap();
    let positions: Vec<_> = documents.iter().map(|d| (d.position.document, d.position.line)).collect();
    assert_eq!(positions, [(1, 2), (2, 6)]);
}

#[test]
fn json_is_read_with_its_escapes_and_exact_integers() {
    let documents =
        parse(r#"{"a": "\ud83d\ude00\/\u003c", "n": 9007199254740993, "b": 1.5}"#.as_bytes(), LIMIT).unwrap();
    assert_eq!(
        documents[0].value,
        serde_json::json!({"a": "😀/<", "n": 9_007_199_254_740_993_u64, "b": 1.5})
    );
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_line() {
    let problem = refusal(b"a: 1\nb: \xff\n");
    assert_eq!((problem.position.line, problem.violation.reason), (2, Reason::MalformedDocument));
}

#[test]
fn broken_yaml_is_refused_with_its_line() {
    let problem = refusal(b"a: 1\nb: [1,\n");
    assert_eq!(problem.violation.reason, Reason::MalformedDocument);
    assert!(problem.position.line >= 2, "{problem}");
    assert!(!problem.violation.message.contains('\n'), "{problem}");
}

#[test]
fn a_key_given_twice_is_refused() {
    assert_eq!(refusal(b"a: 1\na: 2\n").violation.reason, Reason::MalformedDocument);
}

#[test]
fn an_oversize_text_is_refused_before_it_is_read() {
    assert_eq!(parse(b"[[[[", 3).unwrap_err().violation.reason, Reason::TooLarge);
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
        let list = vec![format!("*{of}"); 10].join(",");
        bomb = format!("{bomb}{name}: &{name} [{list}]\n");
    }
    let problem = refusal(bomb.as_bytes());
    assert_eq!(problem.violation.reason, Reason::TooLarge, "{problem}");
}

#[test]
fn nesting_without_end_is_refused() {
    let problem = refusal("[".repeat(100_000).as_bytes());
    assert!(matches!(problem.violation.reason, Reason::TooLarge | Reason::MalformedDocument));
}

#[test]
fn a_field_is_found_on_its_line_and_a_missing_one_on_that_of_its_parent() {
    let text = b"a: 1\n---\nspec:\n  input:\n    topics:\n    - x\n    - y\n  labels:\n    a.b/c: v\n";
    let lines = Lines::of(text);
    assert_eq!(lines.line(2, "spec.input.topics[1]"), Some(7));
    assert_eq!(lines.line(2, "spec.labels[a.b/c]"), Some(9));
    assert_eq!(lines.line(2, "spec.input.typeClassName"), Some(4));
    assert_eq!(lines.line(1, "a"), Some(1));
    assert_eq!(lines.line(3, "a"), None);
}

#[test]
fn what_is_nested_too_deeply_is_too_large_however_it_is_written() {
    for text in
        ["[".repeat(70) + &"]".repeat(70), "[".repeat(5_000) + &"]".repeat(5_000), "- ".repeat(200) + "x"]
    {
        let problem = parse(text.as_bytes(), 1 << 20).unwrap_err();
        assert_eq!(problem.violation.reason, Reason::TooLarge, "{problem}");
    }
}
