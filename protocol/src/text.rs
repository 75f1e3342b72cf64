//! Text from outside, cut short for errors and logs.

/// The longest piece of foreign text that an error repeats, in bytes.
pub(crate) const MAX_QUOTED: usize = 300;

/// Cuts at a character boundary, so that at most `max` bytes and a mark of the cut remain.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    match cut(text, max) {
        short if short.len() < text.len() => format!("{short}…"),
        whole => whole.to_owned(),
    }
}

/// The longest start of `text` that has at most `max` bytes and ends on a character boundary.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The name of a type without the paths: `Option<UserCreated>`, not `core::option::Option<my::UserCreated>`.
pub(crate) fn short_type_name<T: ?Sized>() -> String {
    let mut short = String::new();
    let mut word = String::new();
    for character in std::any::type_name::<T>().chars() {
        match character {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                short.push_str(&word);
                word.clear();
                short.push(c);
            }
        }
    }
    short.push_str(&word);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_on_a_character_boundary() {
        assert_eq!(shorten("привет", 3), "п…");
        assert_eq!(shorten("привет", 12), "привет");
        assert_eq!(cut("é", 1), "");
    }

    #[test]
    fn type_names_lose_their_paths() {
        assert_eq!(short_type_name::<Option<std::collections::BTreeMap<String, u8>>>(), "Option<BTreeMap<String, u8>>");
    }
}
