use proc_macro2::TokenStream;
use quote::quote;

fn text(tokens: TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}

#[test]
fn defaults_of_a_signal() {
    let text = text(super::signal(quote!(
        struct UserCreated {
            user_id: u64,
        }
    )));
    assert!(text.contains("constNAME:&'staticstr=\"user_created\";typeAnswer=::formicary::Value;"), "{text}");
    assert!(text.contains("Field{name:\"user_id\",kind:::formicary::__private::field_kind!(u64)}"), "{text}");
}

#[test]
fn options_of_a_signal() {
    let text = text(super::signal(quote! {
        #[signal(name = "rated", answer = Option<Vec<u64>>)]
        struct Rating;
    }));
    assert!(text.contains("constNAME:&'staticstr=\"rated\";typeAnswer=Option<Vec<u64>>;"), "{text}");
    assert!(text.contains("vec![]"), "{text}");
}

#[test]
fn serde_decides_names_and_kinds() {
    let text = text(super::queue(quote! {
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Mail {
            sent_at: u64,
            #[serde(rename = "type", default = "make")]
            kind: String,
            #[serde(skip)]
            cached: u8,
            #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
            delay: Duration,
            r#loop: bool,
        }
    }));
    let names: Vec<_> = text.split("name:\"").skip(1).filter_map(|part| part.split('"').next()).collect();
    assert_eq!(names, ["sentAt", "type", "delay", "loop"], "{text}");
    assert!(text.contains("name:\"delay\",kind:::formicary::__private::FieldKind::Any"), "{text}");
}

#[test]
fn a_message_without_named_fields_is_any_value() {
    for item in [
        quote!(
            enum Job {
                A,
            }
        ),
        quote!(
            struct Job(u8);
        ),
        quote!(
            #[serde(transparent)]
            struct Job {
                inner: u8,
            }
        ),
    ] {
        let text = text(super::queue(item));
        assert!(text.contains("{::core::option::Option::None}"), "{text}");
    }
}
