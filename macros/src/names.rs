//! From names on the wire to names in Rust and back.

use proc_macro2::{Ident, Span};

/// `UserComment` → `user_comment`, `HTTPServer` → `http_server`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(index + 1);
        let starts_word = before.is_some_and(|before| {
            before != '_' && (!before.is_uppercase() || after.is_some_and(|after| after.is_lowercase()))
        });
        if letter.is_uppercase() && starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// `user_comment` → `UserComment`; what cannot stand in a Rust name parts words. `None` when nothing is left.
pub(crate) fn type_name(name: &str) -> Option<Ident> {
    let mut pascal = String::with_capacity(name.len());
    for word in name.split(|letter| letter == '_' || !could_stand(letter)) {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            pascal.extend(first.to_uppercase());
            pascal.push_str(letters.as_str());
        }
    }
    identifier(&pascal)
}

/// The name of a field: as it is where it can be, else with `_` for what cannot stand in it. `None` when nothing is left.
pub(crate) fn field_name(name: &str) -> Option<Ident> {
    let field: String = name.chars().map(|letter| if could_stand(letter) { letter } else { '_' }).collect();
    if field.chars().all(|letter| letter == '_') { None } else { identifier(&field) }
}

/// The name of a field that is there: as it is, or raw.
pub(crate) fn member(name: &str, span: Span) -> Option<Ident> {
    let ident = syn::parse_str::<Ident>(name).or_else(|_| syn::parse_str::<Ident>(&format!("r#{name}")));
    ident.ok().map(|ident| with_span(ident, span))
}

/// A name as an identifier, raw or changed where it must be.
fn identifier(name: &str) -> Option<Ident> {
    let plain = |name: &str| syn::parse_str::<Ident>(name).ok();
    if name.is_empty() {
        return None;
    }
    plain(name)
        .or_else(|| syn::parse_str::<Ident>(&format!("r#{name}")).ok())
        .or_else(|| plain(&format!("_{name}")))
        .or_else(|| plain(&format!("{name}_")))
        .map(|ident| with_span(ident, Span::call_site()))
}

fn with_span(mut ident: Ident, span: Span) -> Ident {
    ident.set_span(span);
    ident
}

/// Whether an identifier can hold the character somewhere.
fn could_stand(letter: char) -> bool {
    // No keyword begins like this, so that only the character decides.
    letter == '_' || syn::parse_str::<Ident>(&format!("a_{letter}")).is_ok()
}

/// The name without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_names_on_the_wire() {
        for (given, wanted) in [
            ("UserComment", "user_comment"),
            ("HTTPServer", "http_server"),
            ("A", "a"),
            ("V2Mail", "v2_mail"),
            ("Already_Parted", "already_parted"),
        ] {
            assert_eq!(snake_case(given), wanted);
        }
    }

    #[test]
    fn names_on_the_wire_become_types() {
        for (given, wanted) in [
            ("user_comment", "UserComment"),
            ("user-created.v2", "UserCreatedV2"),
            ("userCreated", "UserCreated"),
            ("2fa", "_2fa"),
            ("self", "_Self"),
            ("{tag}mailer", "TagMailer"),
            ("агент_1", "Агент1"),
        ] {
            assert_eq!(type_name(given).map(|name| name.to_string()).as_deref(), Some(wanted));
        }
        assert_eq!(type_name("-"), None);
    }

    #[test]
    fn arguments_become_fields() {
        for (given, wanted) in [
            ("user_id", "user_id"),
            ("userId", "userId"),
            ("type", "r#type"),
            ("self", "_self"),
            ("user-id", "user_id"),
            ("1st", "_1st"),
        ] {
            assert_eq!(field_name(given).map(|name| name.to_string()).as_deref(), Some(wanted));
        }
        assert_eq!(field_name("--"), None);
        assert_eq!(field_name("_"), None);
    }
}
