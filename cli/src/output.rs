//! How results are printed: every command returns an [`Output`], and only this module writes to standard output.

use std::io::Write as _;

use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::args::Format;
use crate::error::Error;
use crate::style::Style;

/// What a command found or did.
#[derive(Debug)]
pub(crate) enum Output {
    /// Resources, by type.
    Listings(Vec<Listing>),
    /// Text for people, and the same as a value for programs.
    Text { text: String, value: Value },
    /// Bytes as they are, whatever the format.
    Raw(Vec<u8>),
    /// Nothing more: it was printed on the way.
    Nothing,
}

impl Output {
    /// A sentence, and what it is about.
    pub(crate) fn said(text: impl Into<String>, value: Value) -> Self {
        let mut text = text.into();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self::Text { text, value }
    }
}

/// Resources of one type.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) columns: &'static [Column],
    pub(crate) records: Vec<Record>,
    /// Asked for by name: as a value it is the thing itself rather than a list.
    pub(crate) single: bool,
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Only shown by `-o wide`.
    pub(crate) wide: bool,
    /// Numbers stand at the right.
    pub(crate) number: bool,
}

impl Column {
    pub(crate) const fn text(title: &'static str) -> Self {
        Self { title, wide: false, number: false }
    }
    pub(crate) const fn number(title: &'static str) -> Self {
        Self { title, wide: false, number: true }
    }
    pub(crate) const fn wide(title: &'static str) -> Self {
        Self { title, wide: true, number: false }
    }
}

/// One resource.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// `function/greet`: what `-o name` prints and commands take.
    pub(crate) name: String,
    /// One for each column of the listing, the wide ones too.
    pub(crate) cells: Vec<String>,
    /// The whole.
    pub(crate) value: Value,
}

/// Prints what a command found.
pub(crate) fn print(output: &Output, format: Format, style: Style) -> Result<(), Error> {
    let bytes = match output {
        Output::Raw(bytes) => bytes.clone(),
        other => render(other, format, style)?.into_bytes(),
    };
    write(&bytes)
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::here("the result could not be written to standard output", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The text of an output, ending with a newline unless it is empty.
pub(crate) fn render(output: &Output, format: Format, style: Style) -> Result<String, Error> {
    match output {
        Output::Nothing | Output::Raw(_) => Ok(String::new()),
        Output::Text { text, value } => match format {
            Format::Table | Format::Wide | Format::Name => Ok(text.clone()),
            Format::Json => pretty(value),
            Format::Yaml => yaml(value),
        },
        Output::Listings(listings) => match format {
            Format::Table => Ok(tables(listings, false, style)),
            Format::Wide => Ok(tables(listings, true, style)),
            Format::Json => pretty(&list(listings)),
            Format::Yaml => documents(listings),
            Format::Name => {
                let names =
                    listings.iter().flat_map(|listing| &listing.records).map(|record| record.name.as_str());
                Ok(names.flat_map(|name| [name, "\n"]).collect())
            }
        },
    }
}

fn tables(listings: &[Listing], wide: bool, style: Style) -> String {
    let filled = listings.iter().filter(|listing| !listing.records.is_empty());
    let tables: Vec<_> =
        filled.map(|listing| table(listing.columns, &listing.records, wide, true, style)).collect();
    tables.join("\n")
}

/// Columns separated by three blanks, as kubectl has them.
pub(crate) fn table(
    columns: &[Column],
    records: &[Record],
    wide: bool,
    header: bool,
    style: Style,
) -> String {
    let shown = |column: &Column| wide || !column.wide;
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if header {
        table.set_header(columns.iter().filter(|c| shown(c)).map(|column| column.title));
    }
    for record in records {
        table.add_row(
            columns.iter().zip(&record.cells).filter(|(column, _)| shown(column)).map(|(_, cell)| cell),
        );
    }
    for (index, column) in columns.iter().filter(|column| shown(column)).enumerate() {
        if let Some(it) = table.column_mut(index) {
            it.set_padding((0, 3));
            it.set_cell_alignment(if column.number { CellAlignment::Right } else { CellAlignment::Left });
        }
    }
    let status = columns.iter().position(|column| column.title == "STATUS");
    let mut lines = table.lines();
    let mut text = String::new();
    if header {
        text.extend(lines.next().map(|line| format!("{}\n", line.trim_end())));
    }
    for (line, record) in lines.zip(records) {
        // Coloured after it was laid out: escapes have no width.
        let word = status.and_then(|index| record.cells.get(index));
        let at = word.and_then(|word| {
            line.rfind(word.as_str()).and_then(|at| Some((line.split_at_checked(at)?, word)))
        });
        let line = match at {
            Some(((before, after), word)) => {
                format!("{before}{}{}", style.status(word), after.replacen(word, "", 1))
            }
            None => line,
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// As one JSON value: the thing itself when one was asked for by name, else a list as in Kubernetes.
fn list(listings: &[Listing]) -> Value {
    match listings {
        [Listing { records, single: true, .. }] if records.len() == 1 => {
            records.first().map(|record| record.value.clone()).unwrap_or_default()
        }
        _ => {
            let items: Vec<_> =
                listings.iter().flat_map(|l| &l.records).map(|record| record.value.clone()).collect();
            json!({"apiVersion": isthmus_dialects::native::API_VERSION, "kind": "List", "items": items})
        }
    }
}

/// One YAML document for each resource.
fn documents(listings: &[Listing]) -> Result<String, Error> {
    let records = listings.iter().flat_map(|listing| &listing.records);
    let texts: Vec<_> = records.map(|record| yaml(&record.value)).collect::<Result<_, _>>()?;
    Ok(texts.join("---\n"))
}

fn pretty(value: &Value) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|error| Error::here("the result cannot be written as JSON", error))? + "\n")
}

/// A value as YAML, ending with a newline.
pub(crate) fn yaml(value: &Value) -> Result<String, Error> {
    let text = serde_saphyr::to_string(value);
    let text = text.map_err(|error| Error::here("the result cannot be written as YAML", error))?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

/// Says something to the person, not to the program that reads standard output.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests;
