//! The signature of a generic class: `<T:Ljava/lang/Object;>Lbase/Abstract<TT;>;Lorg/apache/pulsar/io/core/Source<[B>;`.

/// Nested types that are read; what is deeper is no connector's.
const DEEPEST: usize = 16;

/// A type, as signatures have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// A class; names with slashes.
    Class {
        /// Its name.
        name: String,
        /// What it is given.
        arguments: Vec<Type>,
    },
    /// What the class was given under this name.
    Variable(String),
    /// An array, as descriptors have it.
    Array(String),
    /// Anything.
    Any,
}

impl Type {
    /// As Java's reflection names it.
    pub(super) fn java(&self) -> String {
        match self {
            Self::Class { name, .. } | Self::Array(name) => name.replace('/', "."),
            Self::Variable(_) | Self::Any => "java.lang.Object".to_owned(),
        }
    }

    /// Whether it is one of Java's own classes, above which no connector is.
    pub(super) fn is_of_java(&self) -> bool {
        !matches!(self, Self::Class { name, .. } if !name.starts_with("java/"))
    }

    fn descriptor(&self) -> String {
        match self {
            Self::Class { name, .. } => format!("L{name};"),
            Self::Array(descriptor) => descriptor.clone(),
            Self::Variable(_) | Self::Any => "Ljava/lang/Object;".to_owned(),
        }
    }

    /// With these in place of the variables.
    fn with(self, names: &[String], given: &[Type]) -> Self {
        match self {
            Self::Class { name, arguments } => {
                let arguments = arguments.into_iter().map(|argument| argument.with(names, given));
                Self::Class { name, arguments: arguments.collect() }
            }
            Self::Variable(name) => {
                let place = names.iter().position(|known| *known == name);
                place.and_then(|place| given.get(place)).cloned().unwrap_or(Self::Any)
            }
            other => other,
        }
    }
}

/// What a generic class is made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// What it is to be given.
    names: Vec<String>,
    /// The class that it extends, and the interfaces.
    above: Vec<Type>,
}

impl Signature {
    /// `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let names = rest.names()?;
        let mut above = Vec::new();
        while !rest.0.is_empty() {
            above.push(rest.a_type(0)?);
        }
        Some(Self { names, above })
    }

    /// What it is made from, when it is given these.
    pub(super) fn with(self, given: &[Type]) -> Vec<Type> {
        let Self { names, above } = self;
        above.into_iter().map(|above| above.with(&names, given)).collect()
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
    fn names(&mut self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        if !self.eat('<') {
            return Some(names);
        }
        while !self.eat('>') {
            names.push(self.until(&[':'])?.to_owned());
            while self.eat(':') {
                if !self.0.starts_with(':') {
                    self.a_type(0)?;
                }
            }
        }
        Some(names)
    }

    fn a_type(&mut self, depth: usize) -> Option<Type> {
        if depth > DEEPEST {
            return None;
        }
        let first = self.0.chars().next()?;
        self.eat(first);
        match first {
            'L' => self.class(depth),
            'T' => {
                let name = self.until(&[';'])?.to_owned();
                self.eat(';').then_some(Type::Variable(name))
            }
            '[' => match self.0.chars().next()? {
                primitive @ ('B' | 'C' | 'D' | 'F' | 'I' | 'J' | 'S' | 'Z') => {
                    self.eat(primitive);
                    Some(Type::Array(format!("[{primitive}")))
                }
                _ => self.a_type(depth + 1).map(|of| Type::Array(format!("[{}", of.descriptor()))),
            },
            _ => None,
        }
    }

    fn class(&mut self, depth: usize) -> Option<Type> {
        let mut name = self.until(&['<', '.', ';'])?.to_owned();
        let mut arguments = self.arguments(depth)?;
        while self.eat('.') {
            name = format!("{name}${}", self.until(&['<', '.', ';'])?);
            arguments = self.arguments(depth)?;
        }
        self.eat(';').then_some(Type::Class { name, arguments })
    }

    fn arguments(&mut self, depth: usize) -> Option<Vec<Type>> {
        let mut all = Vec::new();
        if !self.eat('<') {
            return Some(all);
        }
        while !self.eat('>') {
            if self.eat('*') {
                all.push(Type::Any);
                continue;
            }
            // What it extends, or is extended by, stands for it.
            let _wildcard = self.eat('+') || self.eat('-');
            all.push(self.a_type(depth + 1)?);
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(signature: &str, given: &[Type]) -> Vec<String> {
        let above = Signature::parse(signature).unwrap().with(given);
        above
            .iter()
            .map(|above| match above {
                Type::Class { arguments, .. } if !arguments.is_empty() => arguments[0].java(),
                other => other.java(),
            })
            .collect()
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
            assert_eq!(java(&signature, &[]), ["java.lang.Object", expected], "{argument}");
        }
    }

    #[test]
    fn what_a_class_was_given_takes_the_place_of_its_variables() {
        let signature =
            "<K::Ljava/lang/Comparable<TK;>;V:Ljava/lang/Object;>Lorg/apache/pulsar/io/core/PushSource<TV;>;";
        let given = [Type::Any, Type::Array("[B".into())];
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
