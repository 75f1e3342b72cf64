//! Python writes `NaN` and `Infinity`, which are not JSON.

const BARE: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];

/// The body with `null` in place of every bare `NaN`, `Infinity` and `-Infinity`, or `None` when it has none.
pub(crate) fn repair(body: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => at = end_of_string(body, at),
            b'N' | b'I' | b'-' => match bare(body, at) {
                Some(length) => {
                    repaired.extend_from_slice(&body[copied..at]);
                    repaired.extend_from_slice(b"null");
                    at += length;
                    copied = at;
                }
                None => at += 1,
            },
            _ => at += 1,
        }
    }
    (copied > 0).then(|| {
        repaired.extend_from_slice(&body[copied..]);
        repaired
    })
}

/// The place after the closing quote of the string that opens at `start`.
fn end_of_string(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}

/// The length of a bare word at `at`, if one stands there alone.
fn bare(body: &[u8], at: usize) -> Option<usize> {
    let rest = &body[at..];
    let word = BARE.into_iter().find(|word| rest.starts_with(word))?;
    let joined = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b"_.-+\"".contains(b));
    let alone = !joined(at.checked_sub(1).and_then(|before| body.get(before))) && !joined(rest.get(word.len()));
    alone.then_some(word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(body: &str) -> Option<String> {
        repair(body.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("UTF-8 stays UTF-8"))
    }

    #[test]
    fn bare_words_become_null() {
        let cases = [
            ("NaN", "null"),
            ("[NaN,Infinity,-Infinity]", "[null,null,null]"),
            (r#"{"a": NaN, "b": [ -Infinity ]}"#, r#"{"a": null, "b": [ null ]}"#),
            (r#"{"NaN": NaN, "x": "Infinity \" NaN"}"#, r#"{"NaN": null, "x": "Infinity \" NaN"}"#),
            (r#"["\\", NaN]"#, r#"["\\", null]"#),
        ];
        for (body, expected) in cases {
            assert_eq!(repaired(body).as_deref(), Some(expected));
        }
    }

    #[test]
    fn other_bodies_are_left_alone() {
        for body in [
            r#"{"a": "b \" NaN c"}"#,
            "",
            "{}",
            r#""NaN""#,
            r#"{"a": "Infinity"}"#,
            "NaNa",
            "xNaN",
            "[-NaN]",
            "--Infinity",
            r#"{"a": "NaN"#,
            "\"\\",
        ] {
            assert_eq!(repaired(body), None, "{body}");
        }
    }
}
