//! A Java class file, as far as it says what the class is made from.
//!
//! Why it is read here and not by a library: those there are decode the whole file, methods and annotations too, and follow types
//! within types as deep as a file wants, which a stack does not survive; and none of them reads signatures and files. What is
//! needed is a name, a list of names and one text.
//!
//! Whatever the bytes are, this neither panics nor follows them anywhere: it goes through them once, and what it keeps is no larger
//! than they are. What is not understood is `None`.

use std::rc::Rc;

use super::signature::{Above, Argument, Signature};

/// What a class is made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// The class that it extends and the interfaces that it implements, without their arguments.
    plain: Vec<Rc<str>>,
    /// The same with arguments; only classes that have some say it.
    signature: Option<Signature>,
}

impl Class {
    /// `None` when it is no class file.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut at = Reader(bytes);
        if at.u32()? != 0xCAFE_BABE {
            return None;
        }
        at.skip(4)?;
        let pool = Pool::parse(&mut at)?;
        at.skip(4)?;
        let mut plain = vec![pool.class(at.u16()?)];
        for _ in 0..at.u16()? {
            plain.push(pool.class(at.u16()?));
        }
        for _fields_and_methods in 0..2 {
            for _ in 0..at.u16()? {
                at.skip(6)?;
                attributes(&mut at, |_, _| ())?;
            }
        }
        let mut signature = None;
        attributes(&mut at, |name, body| {
            if pool.text(name).is_some_and(|name| &**name == "Signature") {
                signature = Reader(body).u16().and_then(|at| Signature::parse(pool.text(at)?));
            }
        })?;
        Some(Self { plain: plain.into_iter().flatten().collect(), signature })
    }

    /// What it is made from, when it is given these arguments.
    pub(super) fn above(self, arguments: &[Argument]) -> Vec<Above> {
        match self.signature {
            Some(signature) => signature.with(arguments),
            None => self.plain.into_iter().map(|name| Above { name, arguments: Vec::new() }).collect(),
        }
    }
}

fn attributes<'a>(at: &mut Reader<'a>, mut each: impl FnMut(u16, &'a [u8])) -> Option<()> {
    for _ in 0..at.u16()? {
        let (name, length) = (at.u16()?, at.u32()?);
        each(name, at.take(usize::try_from(length).ok()?)?);
    }
    Some(())
}

/// The texts and class names of a class file, by their numbers. A text is kept once, however often it is named.
struct Pool(Vec<Constant>);

#[derive(Clone)]
enum Constant {
    Text(Rc<str>),
    Class(u16),
    Other,
}

impl Pool {
    fn parse(at: &mut Reader<'_>) -> Option<Self> {
        let count = usize::from(at.u16()?);
        // Numbers begin at 1.
        let mut all = vec![Constant::Other];
        while all.len() < count {
            let (constant, places) = match at.u8()? {
                1 => {
                    let length = at.u16()?.into();
                    // Names of another encoding than UTF-8's own are none that are looked for.
                    let text = std::str::from_utf8(at.take(length)?);
                    (text.map_or(Constant::Other, |text| Constant::Text(text.into())), 1)
                }
                7 => (Constant::Class(at.u16()?), 1),
                8 | 16 | 19 | 20 => (at.skip(2).map(|()| Constant::Other)?, 1),
                15 => (at.skip(3).map(|()| Constant::Other)?, 1),
                3 | 4 | 9 | 10 | 11 | 12 | 17 | 18 => (at.skip(4).map(|()| Constant::Other)?, 1),
                // What is eight bytes long counts for two.
                5 | 6 => (at.skip(8).map(|()| Constant::Other)?, 2),
                _ => return None,
            };
            all.resize(all.len() + places, constant);
        }
        Some(Self(all))
    }

    fn text(&self, number: u16) -> Option<&Rc<str>> {
        match self.0.get(usize::from(number))? {
            Constant::Text(text) => Some(text),
            Constant::Class(_) | Constant::Other => None,
        }
    }

    fn class(&self, number: u16) -> Option<Rc<str>> {
        match self.0.get(usize::from(number))? {
            Constant::Class(name) => self.text(*name).cloned(),
            Constant::Text(_) | Constant::Other => None,
        }
    }
}

/// Numbers stand with their highest byte first.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }
}
