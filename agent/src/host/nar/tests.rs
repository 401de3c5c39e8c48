use std::collections::BTreeMap;
use std::io::Write;
use std::rc::Rc;

use isthmus_model::component::{Input, Output, Spec};
use isthmus_model::policy::Placement;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// A class file with nothing in it but what it is made from.
fn class(above: &str, signature: Option<&str>) -> Vec<u8> {
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let text =
        |text: &str| [&[1], &u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    pool.push(text(above));
    pool.push(vec![7, 0, 1]);
    // Counts for two.
    pool.push([&[5_u8][..], &[0; 8]].concat());
    pool.push(text("Signature"));
    pool.push(text(signature.unwrap_or_default()));
    let mut bytes = [&0xCAFE_BABE_u32.to_be_bytes()[..], &[0, 0, 0, 61], &7_u16.to_be_bytes()].concat();
    bytes.extend(pool.concat());
    // Access, this, super; no interfaces, fields or methods.
    bytes.extend([0, 1, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0]);
    match signature {
        Some(_) => bytes.extend([0, 1, 0, 5, 0, 0, 0, 2, 0, 6]),
        None => bytes.extend([0, 0]),
    }
    bytes
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn component(kind: ComponentKind) -> Component {
    Component {
        kind,
        name: "public/default/c".parse().unwrap(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        placement: Placement::default(),
        spec: Box::new(Spec::default()),
    }
}

fn completed(kind: ComponentKind, nar: &[u8]) -> Result<(String, String), Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), nar).unwrap();
    let mut component = component(kind);
    complete(&mut component, file.path())?;
    let spec = component.spec;
    let record = match kind {
        ComponentKind::Source => spec.output.unwrap_or_default().type_class_name,
        _ => spec.input.unwrap_or_default().type_class_name,
    };
    Ok((spec.class_name, record))
}

const YAML: &[u8] =
    b"# licence\nname: example\nsourceClass: org.example.Own\nsinkClass: org.example.Drain\nother: [1]\n";

#[test]
fn class_and_type_are_found_through_the_classes_above_and_in_a_bundled_jar() {
    let own = class("org/example/Base", Some("Lorg/example/Base<[B>;"));
    let base = class(
        "java/lang/Object",
        Some("<T:Ljava/lang/Object;>Ljava/lang/Object;Lorg/apache/pulsar/io/core/PushSource<TT;>;"),
    );
    let jar = archive(&[("org/example/Base.class", &base)]);
    let nar = archive(&[
        (DESCRIPTION, YAML),
        ("META-INF/bundled-dependencies/base.jar", &jar),
        ("org/example/Own.class", &own),
    ]);
    assert_eq!(completed(ComponentKind::Source, &nar).unwrap(), ("org.example.Own".into(), "[B".into()));
    // The other class is not in it: the type stays open.
    assert_eq!(completed(ComponentKind::Sink, &nar).unwrap(), ("org.example.Drain".into(), String::new()));
}

#[test]
fn what_is_given_stays_and_needs_no_package() {
    let mut given = component(ComponentKind::Sink);
    given.spec.class_name = "org.example.Given".into();
    given.spec.input = Some(Input { type_class_name: "[B".into(), ..Input::default() });
    let before = given.clone();
    complete(&mut given, Path::new("/nowhere")).unwrap();
    assert_eq!(given, before);
    let mut function = component(ComponentKind::Function);
    function.spec.output = Some(Output::default());
    complete(&mut function, Path::new("/nowhere")).unwrap();
}

#[test]
fn a_package_that_does_not_say_is_told_from_one_that_cannot_be_read() {
    let refused = |kind, nar: &[u8]| completed(kind, nar).unwrap_err();
    assert!(matches!(refused(ComponentKind::Source, b"no archive"), Error::Read { .. }));
    assert!(matches!(refused(ComponentKind::Source, &archive(&[])), Error::NoDescription));
    let sink_only = archive(&[(DESCRIPTION, b"sinkClass: org.example.Drain\n")]);
    let error = refused(ComponentKind::Source, &sink_only).to_string();
    assert!(error.contains("no source") && error.contains("sourceClass"), "{error}");
    let wrong = archive(&[(DESCRIPTION, b"- 1\n")]);
    assert!(matches!(refused(ComponentKind::Source, &wrong), Error::Description(_)));
}

#[test]
fn no_bytes_of_a_class_file_bring_the_agent_down() {
    let whole = class("org/example/Base", Some("Lorg/example/Base<[B>;"));
    for cut in 0..whole.len() {
        assert_eq!(Class::parse(&whole[..cut]), None, "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] = !changed[at];
        let _any = Class::parse(&changed);
    }
}

/// `Own<T> extends Own<Pair<T, …, T>>`: each class above would be given the square of what this one was.
#[test]
fn a_class_that_gives_its_own_argument_on_many_times_is_no_work() {
    let many = "TT;".repeat(10_000);
    let own = class(
        "org/example/Own",
        Some(&format!("<T:Ljava/lang/Object;>Lorg/example/Own<Lorg/example/Pair<{many}>;{many}>;")),
    );
    let nar = archive(&[(DESCRIPTION, YAML), ("org/example/Own.class", &own)]);
    assert_eq!(completed(ComponentKind::Source, &nar).unwrap(), ("org.example.Own".into(), String::new()));
}

/// 200 KB that say the same 60 KB 65,535 times.
#[test]
fn a_long_name_that_is_said_many_times_is_kept_once() {
    let mut bytes = class(&"a".repeat(60_000), None);
    let interfaces = bytes.len() - 8;
    bytes.splice(interfaces..interfaces + 2, [[0xFF, 0xFF]].concat());
    bytes.splice(interfaces + 2..interfaces + 2, [0, 2].repeat(0xFFFF));
    let above = Class::parse(&bytes).unwrap().above(&[]);
    assert_eq!(above.len(), 1 + 0xFFFF);
    assert!(above.iter().all(|one| Rc::ptr_eq(&one.name, &above[0].name)));
}

#[test]
fn what_is_longer_than_any_class_is_not_read() {
    let long = vec![0; usize::try_from(LARGEST_FILE).unwrap() + 1];
    let nar = archive(&[(DESCRIPTION, &long), ("org/example/Own.class", &long)]);
    assert!(matches!(completed(ComponentKind::Source, &nar), Err(Error::Read { .. })));
    let nar = archive(&[(DESCRIPTION, YAML), ("org/example/Own.class", &long)]);
    assert_eq!(completed(ComponentKind::Source, &nar).unwrap(), ("org.example.Own".into(), String::new()));
}
