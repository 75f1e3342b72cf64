//! A first look at a body: whether it holds nothing that its type does not know, found without an allocation.

/// Whether a body is an object whose arguments are all among `known`, and has no object within it. `false` says nothing:
/// whoever wants to know what else is there has to read it with more care.
pub(crate) fn is_plain(body: &[u8], known: &[&str]) -> bool {
    let mut rest = Rest(body);
    rest.next() == Some(b'{') && (rest.peek() == Some(b'}') || only_known(&mut rest, known) == Some(()))
}

fn only_known(rest: &mut Rest<'_>, known: &[&str]) -> Option<()> {
    loop {
        if rest.next()? != b'"' {
            return None;
        }
        let name = rest.text()?;
        if !known.iter().any(|known| known.as_bytes() == name) || rest.next()? != b':' {
            return None;
        }
        match rest.value()? {
            b',' => {}
            b'}' => return Some(()),
            _ => return None,
        }
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn peek(&mut self) -> Option<u8> {
        let at = self.0.iter().position(|byte| !byte.is_ascii_whitespace())?;
        self.0 = &self.0[at..];
        self.0.first().copied()
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.0 = &self.0[1..];
        Some(byte)
    }

    /// What stands before the closing quote; `None` when it holds an escape, whose meaning this does not know.
    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        (rest[0] == b'"').then_some(text)
    }

    /// Passes over a value, and gives what stands behind it. `None` for objects, also within arrays.
    fn value(&mut self) -> Option<u8> {
        let mut depth = 0usize;
        loop {
            match self.next()? {
                b'"' => self.pass_text()?,
                b'[' => depth += 1,
                b']' => depth = depth.checked_sub(1)?,
                b'{' => return None,
                behind @ (b',' | b'}') if depth == 0 => return Some(behind),
                _ => {}
            }
        }
    }

    fn pass_text(&mut self) -> Option<()> {
        loop {
            let at = self.0.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            let found = self.0[at];
            self.0 = self.0.get(at + if found == b'"' { 1 } else { 2 }..)?;
            if found == b'"' {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_what_has_nothing_else() {
        let known = &["a", "b"];
        let plain =
            [r#"{}"#, r#" { "a" : 1 , "b" : "x\"}{" } "#, r#"{"b":[1,["]"],"{"],"a":null}"#, r#"{"a":1,"a":2}"#];
        for body in plain {
            assert!(is_plain(body.as_bytes(), known), "{body}");
        }
        let not = [
            "",
            "{",
            "[]",
            r#"{"c":1}"#,
            r#"{"a":{}}"#,
            r#"{"a":[{"x":1}]}"#,
            r#"{"a":1,"c":2}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":"#,
            r#"{"a":"x"#,
            r#"{"a":"\"#,
            r#"{"a":1]}"#,
            r#"{"a"}"#,
            r#"{"a":1,}"#,
        ];
        for body in not {
            assert!(!is_plain(body.as_bytes(), known), "{body}");
        }
    }
}
