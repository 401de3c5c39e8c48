//! What a source file says to the compiler, comments and strings out of the way: the modules it declares and the paths it
//! names. Reading tokens sees into macro calls, where a parser of expressions does not.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What one file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `mod name;`, in order; nested ones with the path of the inline modules around them.
    pub(super) declared: Vec<Vec<String>>,
    /// Paths that begin with `crate` or `super`, the latter resolved against `within`.
    pub(super) paths: Vec<Vec<String>>,
    /// `pub use`: the name, and the path that it stands for.
    pub(super) exported: Vec<(String, Vec<String>)>,
}

/// Reads a file which is the module `within` of its crate (the root is empty). Inline modules of tests are left out.
pub(super) fn read(text: &str, within: &[String]) -> Result<Said> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut said = Said::default();
    walk(&mut said, &tokens.into_iter().collect::<Vec<_>>(), within, &mut Vec::new());
    Ok(said)
}

fn walk(said: &mut Said, tokens: &[TokenTree], within: &[String], inline: &mut Vec<String>) {
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            TokenTree::Group(group) => {
                walk(said, &group.stream().into_iter().collect::<Vec<_>>(), within, inline);
            }
            TokenTree::Ident(ident) if ident == "mod" => match after {
                [TokenTree::Ident(name), TokenTree::Punct(end), ..] if end.as_char() == ';' => {
                    let mut path = inline.clone();
                    path.push(name.to_string());
                    said.declared.push(path);
                }
                [TokenTree::Ident(name), TokenTree::Group(body), further @ ..] => {
                    rest = further;
                    if name != "tests" {
                        inline.push(name.to_string());
                        walk(said, &body.stream().into_iter().collect::<Vec<_>>(), within, inline);
                        inline.pop();
                    }
                }
                _ => {}
            },
            TokenTree::Ident(ident) if ident == "use" => {
                let public =
                    matches!(previous(tokens, after), Some(TokenTree::Ident(before)) if before == "pub");
                if public {
                    for path in tails(after) {
                        export(said, &path);
                    }
                }
            }
            TokenTree::Ident(ident) if ident == "crate" => {
                said.paths.extend(tails(after).into_iter().filter(|path| !path.is_empty()));
            }
            TokenTree::Ident(ident) if ident == "super" => {
                let mut base: Vec<String> = within.iter().chain(inline.iter()).cloned().collect();
                base.pop();
                let mut tail = after;
                while let [TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Ident(again), further @ ..] =
                    tail
                    && again == "super"
                {
                    base.pop();
                    tail = further;
                    rest = further;
                }
                for path in tails(tail) {
                    said.paths.push(base.iter().cloned().chain(path).collect());
                }
            }
            _ => {}
        }
    }
}

/// The token two before the begin of `after`, which begins right behind the one in hand.
fn previous<'a>(tokens: &'a [TokenTree], after: &[TokenTree]) -> Option<&'a TokenTree> {
    tokens.len().checked_sub(after.len() + 2).and_then(|index| tokens.get(index))
}

fn export(said: &mut Said, path: &[String]) {
    if let [head @ .., name] = path {
        said.exported.push((name.clone(), head.to_vec()));
    }
}

/// The paths that go on here: `::a::{b, c::d}` and `a::{b, c::d}` alike are a-b and a-c-d. `as` names the last one anew.
fn tails(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let mut path: Vec<String> = Vec::new();
    let mut rest = tokens;
    loop {
        match rest {
            [TokenTree::Punct(one), TokenTree::Punct(two), further @ ..]
                if one.as_char() == ':' && two.as_char() == ':' =>
            {
                rest = further;
            }
            [TokenTree::Ident(renamed), TokenTree::Ident(name), ..] if renamed == "as" => {
                path.pop();
                path.push(name.to_string());
                return vec![path];
            }
            [TokenTree::Ident(name), further @ ..] => {
                path.push(name.to_string());
                let goes_on = matches!(further, [TokenTree::Punct(next), ..] if next.as_char() == ':')
                    || matches!(further, [TokenTree::Ident(next), ..] if next == "as");
                if !goes_on {
                    return vec![path];
                }
                rest = further;
            }
            [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                return inner
                    .split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
                    .filter(|branch| !branch.is_empty())
                    .flat_map(tails)
                    .map(|tail| path.iter().cloned().chain(tail).collect())
                    .collect();
            }
            _ => return vec![path],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn paths_are_read_from_imports_expressions_and_macro_calls_and_not_from_comments_or_strings() {
        let text = r#"
            //! crate::comment
            use crate::{store::{self, state::State}, auth};
            fn f() { tracing::info!("crate::text", x = crate::clock::now()); }
        "#;

        let said = read(text, &path("api")).unwrap();

        let expected = ["store::self", "store::state::State", "auth", "clock::now"].map(path);
        assert_eq!(said.paths, expected);
    }

    #[test]
    fn super_is_resolved_against_the_file_and_the_inline_modules_around_it() {
        let text = "use super::Noun; mod inner { use super::super::sibling::x; }";

        let said = read(text, &path("store::decide")).unwrap();

        assert_eq!(said.paths, ["store::Noun", "store::sibling::x"].map(path));
    }

    #[test]
    fn inline_tests_are_left_out() {
        let said = read("mod a; #[cfg(test)] mod tests { use crate::b; }", &[]).unwrap();

        assert_eq!(said.declared, [path("a")]);
        assert!(said.paths.is_empty());
    }

    #[test]
    fn what_is_exported_is_known_by_its_last_name() {
        let said = read("pub use component::{Component, kind::Kind as Sort}; use other::X;", &[]).unwrap();

        let expected = [("Component", "component"), ("Sort", "component::kind")];
        assert_eq!(said.exported, expected.map(|(name, of)| (name.to_owned(), path(of))));
    }
}
