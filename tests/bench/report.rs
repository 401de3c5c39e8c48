//! What was measured, beside what it was measured against.

use anyhow::Result;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::process;

/// What a figure is compared with.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reference {
    /// What was measured.
    name: String,
    /// In the figure's unit.
    value: f64,
}

/// What a figure shall be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// So many times the reference.
    RatioAtLeast(f64),
    /// At most so many times the reference.
    RatioAtMost(f64),
    /// At most so much, in the figure's unit.
    AtMost(f64),
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    reference: Option<Reference>,
    /// Of the figure to its reference.
    ratio: Option<f64>,
    target: Option<Target>,
    /// Whether it is what it shall be.
    met: Option<bool>,
    /// What a reader must know of it.
    note: Option<String>,
}

impl Figure {
    /// A figure that stands alone.
    pub(crate) fn new(part: &'static str, name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        let name = name.into();
        Self { part, name, value, unit, reference: None, ratio: None, target: None, met: None, note: None }
    }

    /// Compared with something of the same unit.
    pub(crate) fn against(mut self, name: impl Into<String>, value: f64) -> Self {
        self.ratio = (value > 0.0).then(|| self.value / value);
        self.reference = Some(Reference { name: name.into(), value });
        self
    }

    /// What it shall be. A ratio without a reference is not met.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.met = Some(match target {
            Target::RatioAtLeast(least) => self.ratio.is_some_and(|ratio| ratio >= least),
            Target::RatioAtMost(most) => self.ratio.is_some_and(|ratio| ratio <= most),
            Target::AtMost(most) => self.value <= most,
        });
        self.target = Some(target);
        self
    }

    /// What a reader must know of it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    profile: &'static str,
    cores: usize,
    /// Load average of the machine, before anything of ours ran: above the number of cores, figures are of a shared machine.
    load_before: f64,
    load_after: f64,
    figures: Vec<Figure>,
}

impl Report {
    /// Nothing measured yet.
    pub(crate) fn begin() -> Self {
        Self {
            profile: if cfg!(debug_assertions) { "dev" } else { "release" },
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load_before: process::load_average(),
            load_after: f64::NAN,
            figures: Vec::new(),
        }
    }

    /// Adds the figures of a part.
    pub(crate) fn add(&mut self, figures: Vec<Figure>) {
        self.figures.extend(figures);
        self.load_after = process::load_average();
    }

    /// Whether every target is met.
    pub(crate) fn holds(&self) -> bool {
        self.figures.iter().all(|figure| figure.met != Some(false))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let Self { profile, cores, load_before, load_after, figures } = self;
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["part", "figure", "value", "reference", "ratio", "target", "met"]);
        for figure in figures {
            table.add_row(row(figure));
        }
        let notes = figures.iter().filter_map(|figure| {
            figure.note.as_ref().map(|note| format!("\n{} / {}: {note}", figure.part, figure.name))
        });
        format!(
            "{table}\nprofile {profile}, {cores} cores, load average {load_before:.1} before and {load_after:.1} after{}",
            notes.collect::<String>()
        )
    }
}

fn row(figure: &Figure) -> Vec<String> {
    let Figure { part, name, value, unit, reference, ratio, target, met, note: _ } = figure;
    let amount = |value: f64| format!("{} {unit}", number(value));
    vec![
        (*part).to_owned(),
        name.clone(),
        amount(*value),
        reference
            .as_ref()
            .map(|reference| format!("{} ({})", amount(reference.value), reference.name))
            .unwrap_or_default(),
        ratio.map(|ratio| format!("{} ×", number(ratio))).unwrap_or_default(),
        target
            .map(|target| match target {
                Target::RatioAtLeast(least) => format!("≥ {} ×", number(least)),
                Target::RatioAtMost(most) => format!("≤ {} ×", number(most)),
                Target::AtMost(most) => format!("≤ {}", amount(most)),
            })
            .unwrap_or_default(),
        met.map(|met| if met { "yes" } else { "NO" }).unwrap_or_default().to_owned(),
    ]
}

/// Three digits that matter, or whole numbers.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_by_the_ratio_or_by_the_value() {
        let figure = |value| Figure::new("accept", "unary", value, "/s").against("etcd", 100.0);
        assert_eq!(figure(300.0).target(Target::RatioAtLeast(3.0)).met, Some(true));
        assert_eq!(figure(299.0).target(Target::RatioAtLeast(3.0)).met, Some(false));
        assert_eq!(figure(401.0).target(Target::RatioAtMost(4.0)).met, Some(false));
        assert_eq!(figure(401.0).target(Target::AtMost(500.0)).met, Some(true));
    }

    #[test]
    fn a_ratio_to_nothing_meets_no_target() {
        let alone = Figure::new("accept", "unary", 1.0, "/s");
        assert_eq!(alone.clone().target(Target::RatioAtLeast(3.0)).met, Some(false));
        assert_eq!(alone.against("etcd", 0.0).target(Target::RatioAtMost(3.0)).met, Some(false));
    }
}
