//! How large a component is, without writing it down.

use std::io;

use isthmus_model::component::Spec;

use crate::report::Report;

/// Greatest size of an encoded spec: what etcd, Kubernetes and one commit can hold.
const MAX_BYTES: usize = 1 << 20;

pub(crate) fn check(spec: &Spec, report: &mut Report) {
    let mut counter = Counter(0);
    let counted = serde_json::to_writer(&mut counter, spec).is_ok();
    if !counted || counter.0 > MAX_BYTES {
        let message = format!("the spec must have at most {MAX_BYTES} bytes as JSON");
        report.too_large("spec", message);
    }
}

/// Counts what is written to it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
