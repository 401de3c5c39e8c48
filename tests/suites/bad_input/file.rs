//! A wrong manifest as it lies in `tests/golden/bad`: a header of comments, and the text.
//!
//! ```text
//! # What is wrong, as a sentence.
//! # call: ApplyManifest [dialect=kubernetes|function-config|source-config|sink-config] [unknown-fields=error|warn|ignore]
//! #                     [delete] [dry-run] [request-id=…]        the only line that must be given beside the next
//! # code: INVALID_ARGUMENT
//! # reason: UnknownField                        when it is not that of the first violation
//! # as: dev                                     when the caller is not the administrator
//! # result: 1                                   when not the call is refused, but the component of this document
//! # violation: UnknownField spec.inputs         every one, in order; with a value: InvalidField spec.replicas = 0
//! # says: line 7                                a piece of what is said to people
//! ```
//!
//! Lines are counted from the first one after the header. In the text, and in the values of violations,
//! `@{repeat 3 abc}` stands for `abcabcabc`, `@{bytes c3 28}` for those bytes, `@{stored}` for the location of a stored package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1::{ApplyManifestRequest, Dialect, UnknownFields};
use tonic::Code;

use super::expected::{Expected, Fault};

/// What a file says.
#[derive(Debug)]
pub(super) struct Input {
    /// The file's name and its first sentence.
    pub(super) name: String,
    pub(super) caller: String,
    pub(super) request: ApplyManifestRequest,
    /// The document whose component is refused, if it is not the call.
    pub(super) result: Option<u32>,
    pub(super) expected: Expected,
}

/// Every file, in the order of their names.
pub(super) fn all(stored: &str) -> Result<Vec<Input>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    files.iter().map(|path| read(path, stored).with_context(|| format!("read {}", path.display()))).collect()
}

fn read(path: &Path, stored: &str) -> Result<Input> {
    let text = fs::read_to_string(path)?;
    let header_bytes =
        text.split_inclusive('\n').take_while(|line| line.starts_with("# ")).map(str::len).sum();
    let (header, body) = text.split_at(header_bytes);
    let file = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
    let mut request =
        ApplyManifestRequest { manifest: expand(body, stored)?, ..ApplyManifestRequest::default() };
    let (mut title, mut caller, mut result, mut called) = (String::new(), "admin".to_owned(), None, false);
    let (mut code, mut reason, mut violations, mut says) = (None, None, Vec::new(), Vec::new());
    for line in header.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let Some((key, value)) = line.split_once(": ") else {
            ensure!(title.is_empty(), "the header line {line:?} has no key");
            line.clone_into(&mut title);
            continue;
        };
        match key {
            "call" => {
                called = true;
                call(value, &mut request)?;
            }
            "as" => value.clone_into(&mut caller),
            "result" => result = Some(value.parse()?),
            "code" => code = Some(grpc_code(value)?),
            "reason" => reason = Some(word(value)?),
            "violation" => violations.push(fault(value, stored)?),
            "says" => says.push(value.to_owned()),
            _ => bail!("the header knows no {key:?}"),
        }
    }
    ensure!(called && !title.is_empty(), "the header needs a sentence and a call");
    let reason = reason.or_else(|| violations.first().map(|fault: &Fault| fault.reason));
    let expected = Expected {
        code: code.context("the header needs a code")?,
        reason: reason.context("the header needs a reason or a violation")?,
        violations,
        says,
    };
    Ok(Input { name: format!("{file} ({title})"), caller, request, result, expected })
}

fn call(value: &str, request: &mut ApplyManifestRequest) -> Result<()> {
    let mut words = value.split_whitespace();
    ensure!(words.next() == Some("ApplyManifest"), "only ApplyManifest takes manifests");
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("dialect", dialect) => request.set_dialect(match dialect {
                "kubernetes" => Dialect::Kubernetes,
                "function-config" => Dialect::FunctionConfig,
                "source-config" => Dialect::SourceConfig,
                "sink-config" => Dialect::SinkConfig,
                _ => bail!("there is no dialect {dialect:?}"),
            }),
            ("unknown-fields", policy) => request.set_unknown_fields(match policy {
                "error" => UnknownFields::Error,
                "warn" => UnknownFields::Warn,
                "ignore" => UnknownFields::Ignore,
                _ => bail!("there is no policy {policy:?}"),
            }),
            ("delete", "") => request.delete = true,
            ("dry-run", "") => request.dry_run = true,
            ("request-id", id) => id.clone_into(&mut request.request_id),
            _ => bail!("ApplyManifest knows no {word:?}"),
        }
    }
    Ok(())
}

fn fault(value: &str, stored: &str) -> Result<Fault> {
    let (path, value) = value.split_once(" = ").unwrap_or((value, ""));
    let (reason, field) = path.split_once(' ').unwrap_or((path, ""));
    let value = String::from_utf8(expand(value, stored)?)?;
    Ok(Fault { reason: word(reason)?, field: field.to_owned(), value })
}

fn word(text: &str) -> Result<Reason> {
    text.parse().ok().with_context(|| format!("there is no reason {text:?}"))
}

/// A code by the name that gRPC's documents give it.
fn grpc_code(text: &str) -> Result<Code> {
    let name = |code: &Code| {
        let mut name = String::new();
        for letter in format!("{code:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_uppercase());
        }
        name
    };
    (1..=16)
        .map(Code::from_i32)
        .find(|code| name(code) == text)
        .with_context(|| format!("there is no code {text:?}"))
}

/// The text with what stands for something else.
fn expand(mut text: &str, stored: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some((before, rest)) = text.split_once("@{") {
        let (what, after) = rest.split_once('}').context("@{ is not closed")?;
        bytes.extend(before.as_bytes());
        match what.split_once(' ').unwrap_or((what, "")) {
            ("stored", "") => bytes.extend(stored.as_bytes()),
            ("repeat", how) => {
                let (times, piece) = how.split_once(' ').context("repeat needs a number and a text")?;
                bytes.extend(piece.repeat(times.parse()?).as_bytes());
            }
            ("bytes", hex) => {
                for byte in hex.split_whitespace() {
                    bytes.push(u8::from_str_radix(byte, 16)?);
                }
            }
            _ => bail!("@{{{what}}} stands for nothing"),
        }
        text = after;
    }
    bytes.extend(text.as_bytes());
    Ok(bytes)
}
