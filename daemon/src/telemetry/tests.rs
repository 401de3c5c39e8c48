use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

fn logged(config: &Config, log: impl FnOnce(&LiveFilter)) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let (subscriber, filter) = subscriber(config, move || writer.clone());
    tracing::subscriber::with_default(subscriber, || log(&filter));
    lines.text()
}

#[test]
fn text_is_for_people_and_has_no_colour_when_told_so() {
    let config = Config { colour: Colour::Never, ..Config::default() };
    let text = logged(&config, |_| tracing::info!(answer = 42, "it works"));
    assert!(text.contains("INFO") && text.contains("it works answer=42"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn json_is_one_object_a_line() {
    let config = Config { format: Format::Json, ..Config::default() };
    let text = logged(&config, |_| tracing::info!(answer = 42, "it works"));
    assert!(text.starts_with('{') && text.ends_with("}\n") && text.lines().count() == 1, "{text}");
    assert!(text.contains(r#""message":"it works""#) && text.contains(r#""answer":42"#), "{text}");
}

#[test]
fn the_filter_changes_while_the_log_runs() {
    let text = logged(&Config::default(), |filter| {
        tracing::debug!("hidden");
        filter.set("debug".parse().unwrap());
        assert_eq!(filter.get().to_string(), "debug");
        tracing::debug!("shown");
    });
    assert!(!text.contains("hidden") && text.contains("shown"), "{text}");
}

#[test]
fn a_filter_that_does_not_parse_is_refused_with_an_example() {
    let error = "info,=,x".parse::<Filter>().unwrap_err().to_string();
    assert!(error.contains("info,isthmus_gateway=debug"), "{error}");
}

#[test]
fn seconds_are_counted_in_buckets() {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &Metrics::SECONDS)
        .unwrap()
        .build_recorder();
    let metrics = Metrics(recorder.handle());
    metrics::with_local_recorder(&recorder, || metrics::histogram!("commit_seconds").record(0.003));
    let text = metrics.render();
    assert!(text.contains("commit_seconds_bucket{le=\"0.005\"} 1"), "{text}");
    assert!(text.contains("commit_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
}
