//! Long steps show that they live: a spinner on a terminal, plain lines in a log.

use std::{
    fmt::Display,
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a step that takes long says so where no spinner can turn.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One step, shown on standard error from its begin to its end, with the time it took.
#[derive(Debug)]
pub struct Step {
    what: String,
    began: Instant,
    display: Shown,
}

#[derive(Debug)]
enum Shown {
    Spinner(ProgressBar),
    Lines { said: Instant },
}

impl Step {
    /// Announces the step. `what` reads like "Building etcd 3.6".
    pub fn begin(what: impl Display) -> Self {
        let what = what.to_string();
        let began = Instant::now();
        let display = if stderr().is_terminal() {
            Shown::Spinner(spinner(&what))
        } else {
            eprintln!("{what} …");
            Shown::Lines { said: began }
        };
        Self { what, began, display }
    }

    /// To be called now and then while the step goes on.
    pub(crate) fn beat(&mut self) {
        if let Shown::Lines { said } = &mut self.display
            && said.elapsed() >= HEARTBEAT
        {
            *said = Instant::now();
            eprintln!("{} … {} s", self.what, self.began.elapsed().as_secs());
        }
    }

    /// Says that the step is done and how long it took.
    pub fn done(self) {
        let line = format!("{} took {:.1} s", self.what, self.began.elapsed().as_secs_f64());
        match self.display {
            Shown::Spinner(bar) => {
                bar.finish_and_clear();
                eprintln!("{line}");
            }
            Shown::Lines { .. } => eprintln!("{line}"),
        }
    }
}

fn spinner(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} … {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
