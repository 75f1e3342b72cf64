//! What nobody understands.

/// So deep is what nobody means.
const DEEP: usize = 100_000;

/// Bodies that are no `{"n": <integer>}`.
pub fn bad_bodies() -> Vec<Vec<u8>> {
    let nested = |open: &str, close: &str| [r#"{"n": "#, &open.repeat(DEEP), &close.repeat(DEEP), "}"].concat();
    let texts = [
        "",
        "no json",
        "[]",
        "7",
        "null",
        "{}",
        "{",
        r#"{"n": null}"#,
        r#"{"n": "7"}"#,
        r#"{"n": true}"#,
        r#"{"n": -1}"#,
        r#"{"n": 1.5}"#,
        r#"{"n": 18446744073709551616}"#,
        r#"{"n": NaN}"#,
        r#"{"n": 1} {"n": 2}"#,
        "\u{feff}{\"n\": 1}",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.extend([nested("[", "]").into_bytes(), nested(r#"{"n":"#, "}").into_bytes()]);
    bodies.extend([b"\xff\xfe".to_vec(), b"{\"n\": \"\xc3\x28\"}".to_vec(), b"{\"n\": \0}".to_vec()]);
    bodies
}
