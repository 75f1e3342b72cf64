use quote::quote;
use syn::{File, Item, ItemImpl, parse_quote};

use super::expand;

mod policy;

/// What is written beside the user's block, as text without spaces.
fn written(arguments: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> String {
    let file: File = syn::parse2(expand(arguments, item)).unwrap();
    let rest = file.items.iter().skip(1).map(|item| quote!(#item).to_string());
    rest.collect::<String>().replace(' ', "")
}

fn block(item: proc_macro2::TokenStream) -> ItemImpl {
    let file: File = syn::parse2(expand(quote!(), item)).unwrap();
    match &file.items[0] {
        Item::Impl(block) => block.clone(),
        _ => panic!("the block does not come first"),
    }
}

#[test]
fn methods_stay_and_lose_our_attributes_only() {
    let found = block(quote! {
        impl A {
            /// Counts.
            #[receiver(timeout = "1s")]
            #[allow(dead_code)]
            async fn count(&self, _: B) {}
            fn plain(&self) {}
        }
    });
    let wanted: ItemImpl = parse_quote! {
        impl A {
            /// Counts.
            #[allow(dead_code)]
            async fn count(&self, _: B) {}
            fn plain(&self) {}
        }
    };
    assert_eq!(quote!(#found).to_string(), quote!(#wanted).to_string());
}

#[test]
fn each_handler_is_one_call_of_the_builder() {
    let text = written(
        quote!(name = "a"),
        quote! {
            impl A {
                #[receiver(timeout = "1m 30s", concurrency = 8, inbox = 100)]
                async fn one(&self, s: S) {}
                #[receiver(S, T)]
                async fn two(&mut self, s: AnySignal) {}
                #[consumer(Q)]
                async fn three(&mut self, m: M) {}
                #[consumer]
                async fn four(&self, m: M) {}
                #[periodic("500ms", start_after = "3s", overlap = "allow")]
                async fn five(&mut self) {}
                #[cron("@hourly", timezone = "Europe/Berlin")]
                async fn six(&self) {}
                #[on(pre_start)]
                async fn seven(&self) {}
                #[on(post_start)]
                async fn eight(me: Handle<Self>) {}
                #[on(pre_stop, timeout = "2s")]
                async fn nine(&mut self) {}
                #[server]
                async fn ten(me: Handle<Self>) {}
            }
        },
    );
    for call in [
        "agent.name(\"a\");",
        "agent.receiver(\"one\",async|me:&A,",
        ").timeout(::core::time::Duration::new(90u64,0u32))\
         .concurrency(::core::num::NonZeroUsize::MIN.saturating_add(7usize))\
         .inbox(::core::num::NonZeroUsize::MIN.saturating_add(99usize));",
        "agent.receiver_of_mut(&[<<()as::formicary::__private::SignalPayload<S>>::Itas::formicary::Signal>::NAME,",
        "\"two\",async|me:&mutA,payload:::formicary::AnySignal,():()|",
        "agent.consumer_mut::<<()as::formicary::__private::QueueName<Q>>::It,_,_,_,_>(\"three\",async|me:&mutA,",
        "agent.consumer::<<()as::formicary::__private::QueueName<M>>::It,_,_,_,_>(\"four\",",
        "agent.periodic_mut(\"five\",::core::time::Duration::new(0u64,500000000u32),async|me:&mutA,():()|",
        ").start_after(::core::time::Duration::new(3u64,0u32)).overlap(::formicary::Overlap::Allow);",
        "agent.cron(\"six\",\"@hourly\",\"Europe/Berlin\",",
        "agent.pre_start(\"seven\",async|me:&mutA,",
        "agent.post_start(\"eight\",async|me:::formicary::Handle<A>,",
        "agent.pre_stop(\"nine\",",
        "agent.server(\"ten\",async|me:::formicary::Handle<A>,",
    ] {
        assert!(text.contains(call), "{call}\nis not in\n{text}");
    }
}

#[test]
fn a_blocking_handler_is_a_call_without_the_agent() {
    let text = written(
        quote!(),
        quote! {
            impl A {
                #[receiver(blocking, rate = 10)]
                fn one(s: S, cx: &Cx) -> Result<u8> {}
                #[receiver(S, T, blocking)]
                fn two(s: AnySignal) {}
                #[consumer(Q, blocking)]
                fn three(m: M) {}
                #[periodic("1s", blocking)]
                fn four() {}
                #[cron("@hourly", blocking)]
                fn five() -> Result<u8> {}
            }
        },
    );
    let (s, cx) =
        ("<()as::formicary::__private::BlockingSignal<S>>", "<()as::formicary::__private::BlockingArgument<Cx>>");
    let returned = "<()as::formicary::__private::BlockingReturned<Result<u8>>>";
    for call in [
        &format!(
            "agent.blocking_receiver(\"one\",|payload:{s}::It,(extracted_0,):({cx}::It,)|\
             {returned}::take(<A>::one({s}::give(payload),&{cx}::give(extracted_0))))\
             .rate(::core::num::NonZeroU32::MIN.saturating_add(9u32));"
        ),
        "agent.blocking_receiver_of(&[<<()as::formicary::__private::SignalPayload<S>>::Itas::formicary::Signal>::NAME,",
        "\"two\",|payload:::formicary::AnySignal,():()|",
        "agent.blocking_consumer::<<()as::formicary::__private::QueueName<Q>>::It,_,_,_,_>(\"three\",\
         |payload:<()as::formicary::__private::BlockingMessage<M>>::It,():()|",
        "agent.blocking_periodic(\"four\",::core::time::Duration::new(1u64,0u32),|():()|",
        "agent.blocking_cron(\"five\",\"@hourly\",\"UTC\",|():()|<()as::formicary::__private::Returned<Result<u8>>>::take",
    ] {
        assert!(text.contains(call), "{call}\nis not in\n{text}");
    }
}

#[test]
fn layers_stand_in_their_order_around_the_agent_and_each_handler() {
    let text = written(
        quote!(layer = a(), name = "a", layer = Self::b(|x, y| x + y)),
        quote!(
            impl A {
                #[server(layer = C, layer = d::<u8>(2))]
                async fn one(me: Handle<Self>) {}
            }
        ),
    );
    let layer = |layer: &str| format!(".layer(<()as::formicary::__private::IsLayer<_>>::give({layer}))");
    let own = format!("agent.name(\"a\");agent{}{};", layer("a()"), layer("<A>::b(|x,y|x+y)"));
    assert!(text.contains(&own), "{own}\nis not in\n{text}");
    let handlers = format!("){}{};", layer("C"), layer("d::<u8>(2)"));
    assert!(text.contains(&handlers), "{handlers}\nis not in\n{text}");
}

#[test]
fn layers_are_taken_when_the_agent_has_no_handlers() {
    let text = written(quote!(layer = a()), quote!(impl A {}));
    assert!(text.contains("agent.layer("), "{text}");
}

#[test]
fn extractors_come_as_a_tuple_and_references_are_borrowed() {
    let text = written(quote!(), quote!(impl A { #[receiver] async fn one(&self, s: S, by: SentBy, cx: &Cx) {} }));
    let (by, cx) = ("<()as::formicary::__private::Argument<SentBy>>", "<()as::formicary::__private::Argument<Cx>>");
    assert!(text.contains(&format!("(extracted_0,extracted_1,):({by}::It,{cx}::It,)")), "{text}");
    assert!(text.contains(&format!("{by}::give(extracted_0),&{cx}::give(extracted_1)")), "{text}");
}

#[test]
fn every_type_of_a_signature_is_demanded_once_at_its_place() {
    let text = written(quote!(), quote!(impl A { #[receiver] async fn one(&self, s: S, by: SentBy) -> Result<u8> {} }));
    for demand in ["SignalPayload<S>,", "Argument<SentBy>,", "Returned<Result<u8>>,"] {
        assert!(text.contains(&format!("():::formicary::__private::{demand}")), "{demand} is not in\n{text}");
    }
}

#[test]
fn an_agent_with_mistakes_is_still_an_agent() {
    let text = expand(quote!(), quote!(impl A { #[receiver] fn one(&self, s: S) {} })).to_string();
    assert_eq!(text.matches("compile_error").count(), 1, "{text}");
    assert!(text.contains("impl :: formicary :: Agent for A"), "{text}");
    assert!(!text.contains("\"one\""), "{text}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = expand(quote!(), quote!(impl A { #[receiver] fn one(&self, s: S) {} #[on] async fn two(&self) {} }));
    assert_eq!(text.to_string().matches("compile_error").count(), 2);
}

#[test]
fn a_generic_agent_keeps_its_parameters() {
    let text = written(
        quote!(),
        quote!(
            impl<T: Clone> A<T>
            where
                T: Copy,
            {
                #[server]
                async fn one(me: Handle<Self>) {}
            }
        ),
    );
    assert!(text.contains("impl<T:Clone>::formicary::AgentforA<T>whereT:Copy,T:'static"), "{text}");
    assert!(text.contains("me:::formicary::Handle<A<T>>"), "{text}");
}

#[test]
fn many_extractors_are_tuples_of_tuples() {
    let text = written(
        quote!(),
        quote!(impl A { #[periodic("1s")] async fn one(&self, a: E, b: E, c: E, d: E, e: E, f: E, g: E, h: E, i: E) {} }),
    );
    assert!(text.contains("extracted_7,),(extracted_8,),):(("), "{text}");
}
