//! Names and numbers: what they look like, which names are declared, and how they are listed in messages.
//!
//! The parser asks [`Names`] to explain mistakes; it does not know what a name's meaning is made of.

/// What is declared around a formula.
pub(super) trait Names {
    /// Is `name` declared as it stands?
    fn is_declared(&self, name: &str) -> bool;

    /// Is it declared as something that has derivatives?
    fn is_differentiable(&self, name: &str) -> bool;

    /// Is it read as a derivative where it is not declared?
    fn is_derivative(&self, name: &str) -> bool;

    /// The coordinates, in order.
    fn coordinates(&self) -> Vec<&str>;

    /// Is the formula asked of a network that is trained, so that nothing more can be declared?
    fn is_asked(&self) -> bool {
        false
    }

    /// Functions that are known by tables.
    fn tables(&self) -> Vec<&str> {
        vec![]
    }

    /// Is `name` a function that is known by a table, or a derivative of one?
    fn is_table(&self, _: &str) -> bool {
        false
    }

    /// The coordinates that are not time.
    fn space(&self) -> Vec<&str> {
        self.coordinates().into_iter().filter(|name| !is_time(name)).collect()
    }

    /// Those of them that an unknown, or what a derivative is taken of, depends on.
    fn space_of(&self, _: &str) -> Vec<&str> {
        self.space()
    }
}

/// Nothing is known.
pub(super) struct Nothing;

impl Names for Nothing {
    fn is_declared(&self, _: &str) -> bool {
        false
    }

    fn is_differentiable(&self, _: &str) -> bool {
        false
    }

    fn is_derivative(&self, _: &str) -> bool {
        false
    }

    fn coordinates(&self) -> Vec<&str> {
        vec![]
    }
}

/// Is `name` a name: a letter, then letters, digits and underscores?
pub fn is_name(name: &str) -> bool {
    name.starts_with(starts_name) && name.chars().all(continues_name)
}

pub(super) fn starts_name(c: char) -> bool {
    c.is_alphabetic()
}

pub(super) fn continues_name(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit() || c == '_'
}

/// Length of the number at the start: `1`, `1.5`, `.5`, `1e-3`.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1;
        length += digits(length);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits((length + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// Does a coordinate of this name stand for time? Nothing else says which one does.
pub(crate) fn is_time(name: &str) -> bool {
    matches!(name, "t" | "time" | "tau" | "τ")
}

/// A noun as it stands after a number: `point` after 1, else `points`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Names in backticks, joined for a sentence.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    joined(&quoted(names), "and")
}

/// The same for a choice.
pub(super) fn listed_or<S: AsRef<str>>(names: &[S]) -> String {
    joined(&quoted(names), "or")
}

fn quoted<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect()
}

/// Words with commas between them, and `conjunction` before the last.
pub(super) fn joined<S: AsRef<str>>(words: &[S], conjunction: &str) -> String {
    match words {
        [] => "none".to_owned(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {conjunction} {}", first.join(", "), last.as_ref())
        }
    }
}
