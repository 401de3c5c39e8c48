//! The signature of a generic class: `<T:Ljava/lang/Object;>Lbase/Abstract<TT;>;Lorg/apache/pulsar/io/core/Source<[B>;`.
//!
//! What an argument is itself given is read over, for nobody asks for it, and a class that gives its own argument on twice would
//! have it double with every class above.

use std::rc::Rc;

/// Types within types that are read over; what is deeper is no connector's.
const DEEPEST: usize = 16;

/// A class or interface that a class is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Above {
    /// With slashes.
    pub(super) name: Rc<str>,
    /// What it is given; nothing where the class is not generic.
    pub(super) arguments: Vec<Argument>,
}

/// What a generic class is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    /// A class; its name with slashes.
    Class(Rc<str>),
    /// What the class that says so was itself given under this name.
    Variable(Rc<str>),
    /// An array, as descriptors have it.
    Array(Rc<str>),
    /// Anything.
    Any,
}

impl Argument {
    /// As Java's reflection names it.
    pub(super) fn java(&self) -> String {
        match self {
            Self::Class(name) | Self::Array(name) => name.replace('/', "."),
            Self::Variable(_) | Self::Any => "java.lang.Object".to_owned(),
        }
    }

    fn descriptor(&self) -> String {
        match self {
            Self::Class(name) => format!("L{name};"),
            Self::Array(descriptor) => descriptor.to_string(),
            Self::Variable(_) | Self::Any => "Ljava/lang/Object;".to_owned(),
        }
    }

    /// With these in place of a variable.
    fn with(self, names: &[Rc<str>], given: &[Self]) -> Self {
        match self {
            Self::Variable(name) => {
                let place = names.iter().position(|known| *known == name);
                place.and_then(|place| given.get(place)).cloned().unwrap_or(Self::Any)
            }
            Self::Class(_) | Self::Array(_) | Self::Any => self,
        }
    }
}

/// What a generic class is made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// What it is to be given.
    names: Vec<Rc<str>>,
    /// The class that it extends, and the interfaces.
    above: Vec<Above>,
}

impl Signature {
    /// `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let names = rest.names()?;
        let mut above = Vec::new();
        while !rest.0.is_empty() {
            above.push(rest.class(0)?);
        }
        Some(Self { names, above })
    }

    /// What it is made from, when it is given these.
    pub(super) fn with(self, given: &[Argument]) -> Vec<Above> {
        let Self { names, above } = self;
        let with = |Above { name, arguments }| {
            let arguments = arguments.into_iter().map(|argument: Argument| argument.with(&names, given));
            Above { name, arguments: arguments.collect() }
        };
        above.into_iter().map(with).collect()
    }
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn eat(&mut self, letter: char) -> bool {
        match self.0.strip_prefix(letter) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, ends: &[char]) -> Option<&'a str> {
        let (found, rest) = self.0.split_at(self.0.find(ends)?);
        self.0 = rest;
        Some(found)
    }

    /// `<NAME:BOUND:BOUND…>`, if it is there; a bound may be left out.
    fn names(&mut self) -> Option<Vec<Rc<str>>> {
        let mut names = Vec::new();
        if !self.eat('<') {
            return Some(names);
        }
        while !self.eat('>') {
            names.push(self.until(&[':'])?.into());
            while self.eat(':') {
                if !self.0.starts_with(':') {
                    self.argument(0)?;
                }
            }
        }
        Some(names)
    }

    fn argument(&mut self, depth: usize) -> Option<Argument> {
        if depth > DEEPEST {
            return None;
        }
        if self.0.starts_with('L') {
            return self.class(depth).map(|class| Argument::Class(class.name));
        }
        if self.eat('T') {
            let name = self.until(&[';'])?.into();
            return self.eat(';').then_some(Argument::Variable(name));
        }
        if !self.eat('[') {
            return None;
        }
        match self.0.chars().next()? {
            primitive @ ('B' | 'C' | 'D' | 'F' | 'I' | 'J' | 'S' | 'Z') => {
                self.eat(primitive);
                Some(Argument::Array(format!("[{primitive}").into()))
            }
            _ => self.argument(depth + 1).map(|of| Argument::Array(format!("[{}", of.descriptor()).into())),
        }
    }

    fn class(&mut self, depth: usize) -> Option<Above> {
        if !self.eat('L') {
            return None;
        }
        let mut name = self.until(&['<', '.', ';'])?.to_owned();
        let mut arguments = self.arguments(depth)?;
        while self.eat('.') {
            name.push('$');
            name.push_str(self.until(&['<', '.', ';'])?);
            arguments = self.arguments(depth)?;
        }
        self.eat(';').then(|| Above { name: name.into(), arguments })
    }

    fn arguments(&mut self, depth: usize) -> Option<Vec<Argument>> {
        let mut all = Vec::new();
        if !self.eat('<') {
            return Some(all);
        }
        while !self.eat('>') {
            if self.eat('*') {
                all.push(Argument::Any);
                continue;
            }
            // What it extends, or is extended by, stands for it.
            let _wildcard = self.eat('+') || self.eat('-');
            all.push(self.argument(depth + 1)?);
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(signature: &str, given: &[Argument]) -> Vec<String> {
        let above = Signature::parse(signature).unwrap().with(given);
        let first = |above: &Above| above.arguments.first().map(Argument::java);
        above.iter().map(|above| first(above).unwrap_or_else(|| "none".to_owned())).collect()
    }

    #[test]
    fn arguments_are_read_whatever_they_are() {
        for (argument, expected) in [
            ("Lorg/example/Person;", "org.example.Person"),
            ("[B", "[B"),
            ("[[Ljava/lang/String;", "[[Ljava.lang.String;"),
            ("Lorg/example/KeyValue<TK;[B>;", "org.example.KeyValue"),
            ("Lorg/example/Outer<TK;>.Inner;", "org.example.Outer$Inner"),
            ("*", "java.lang.Object"),
            ("+Lorg/example/Person;", "org.example.Person"),
        ] {
            let signature = format!("Ljava/lang/Object;Lorg/apache/pulsar/io/core/Source<{argument}>;");
            assert_eq!(java(&signature, &[]), ["none", expected], "{argument}");
        }
    }

    #[test]
    fn what_a_class_was_given_takes_the_place_of_its_variables() {
        let signature =
            "<K::Ljava/lang/Comparable<TK;>;V:Ljava/lang/Object;>Lorg/apache/pulsar/io/core/PushSource<TV;>;";
        let given = [Argument::Any, Argument::Array("[B".into())];
        assert_eq!(java(signature, &given), ["[B"]);
        assert_eq!(java(signature, &[]), ["java.lang.Object"]);
    }

    #[test]
    fn what_is_no_signature_is_not_taken_for_one() {
        for wrong in
            ["L", "Lx", "Lx<", "Lx<*", "<T", "<T:>", "Tx", "Q;", &"[".repeat(1_000), &"Lx<".repeat(1_000)]
        {
            assert_eq!(Signature::parse(wrong), None, "{wrong:.20}");
        }
    }
}
