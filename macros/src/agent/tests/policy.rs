use quote::quote;

use super::written;

#[test]
fn a_policy_is_calls_on_the_consumer() {
    let text = written(
        quote!(),
        quote! {
            impl A {
                #[consumer(Q, by = "user.id", dead_letter = false, dedup(window = "10m", by = "type"), retry(
                    attempts = 8, backoff = "linear", first = "2s", most = "1m", jitter = 1, on = Self::passes,
                ))]
                async fn one(&self, m: M) {}
                #[consumer(retry = 3, dedup(window = "1s"))]
                async fn two(&self, m: M) {}
                #[consumer(Q, retry(backoff = "constant"))]
                async fn three(&self, m: M) {}
                #[consumer(Q, retry())]
                async fn four(&self, m: M) {}
                #[consumer(Q, retry(first = "2s"))]
                async fn six(&self, m: M) {}
                #[consumer(Q, retry(jitter = 0.25), blocking, by = "id")]
                fn five(m: M) {}
            }
        },
    );
    let duration = |seconds: u64| format!("::core::time::Duration::new({seconds}u64,0u32)");
    let key = |payload: &str, field: &str| {
        let (it, key) =
            (format!("<()as::formicary::__private::{payload}>"), "<()as::formicary::__private::Key<_>>::of");
        format!("|payload:&{it}::It|{key}(&{it}::look(payload){field})")
    };
    let attempts = |above_one: u32| format!(".attempts(::core::num::NonZeroU32::MIN.saturating_add({above_one}u32))");
    let (one, two, minute) = (duration(1), duration(2), duration(60));
    for call in [
        format!(
            ".by({}).dedup_by({},{}).retry(::formicary::Retry::linear({two},{minute}){}.jitter(1f64).on(\
             ::formicary::__private::Judge{{ask:<A>::passes}}.ask))\
             .dead_letter(false);",
            key("QueuePayload<M>", ".user.id"),
            duration(600),
            key("QueuePayload<M>", ".r#type"),
            attempts(7),
        ),
        format!(".dedup({one}).retry(::formicary::Retry::default(){});", attempts(2)),
        format!(".retry(::formicary::Retry::constant({one}));"),
        ".retry(::formicary::Retry::default());".to_owned(),
        format!(".retry(::formicary::Retry::exponential({two},{minute}));"),
        format!(".by({}).retry(", key("BlockingMessage<M>", ".id")),
        "::default().jitter(0.25f64));".to_owned(),
    ] {
        assert!(text.contains(&call), "{call}\nis not in\n{text}");
    }
}

#[test]
fn a_list_of_items_is_a_batch() {
    let text = written(
        quote!(),
        quote! {
            impl A {
                #[consumer(Q, batch(size = 100, wait = "50ms"))]
                async fn one(&self, m: Vec<Item<M>>) {}
                #[consumer]
                async fn two(&mut self, m: Vec<Item<Q>>) {}
                #[consumer(Q, batch(size = 8))]
                async fn three(&self, m: Vec<Item<M>>) {}
            }
        },
    );
    let payload = "<()as::formicary::__private::QueuePayload<M>>";
    for call in [
        &format!(
            "agent.batch_consumer::<<()as::formicary::__private::QueueName<Q>>::It,_,_,_,_>(\"one\",async|me:&A,payload:\
             ::std::vec::Vec<::formicary::Item<{payload}::It>>,():()|<()as::formicary::__private::Returned<()>>::take\
             (<A>::one(me,{payload}::give_all(payload)).await))\
             .batch(::core::num::NonZeroUsize::MIN.saturating_add(99usize),::core::time::Duration::new(0u64,50000000u32));"
        ),
        "agent.batch_consumer_mut::<<()as::formicary::__private::QueueName<Q>>::It,_,_,_,_>(\"two\",",
        ".batch(::core::num::NonZeroUsize::MIN.saturating_add(7usize),::formicary::BatchOptions::WAIT);",
        "():::formicary::__private::QueuePayload<Q>,",
    ] {
        assert!(text.contains(call), "{call}\nis not in\n{text}");
    }
}

#[test]
fn what_on_exhausted_names_is_a_call_of_its_own() {
    let text = written(
        quote!(),
        quote! {
            impl A {
                #[cfg(a)]
                #[consumer(Q, on_exhausted = two)]
                async fn one(&self, m: M) {}
                async fn two(&mut self, m: N, why: Exhausted) {}
                #[consumer(on_exhausted = four)]
                async fn three(&self, m: Vec<Item<R>>) {}
                async fn four(&self, m: R) {}
            }
        },
    );
    for call in [
        "#[cfg(a)]{agent.on_exhausted_mut::<<()as::formicary::__private::QueueName<Q>>::It,_,_,_,_>(\"two\",async|me:&mutA,\
         payload:<()as::formicary::__private::QueuePayload<N>>::It,",
        "agent.on_exhausted::<<()as::formicary::__private::QueueName<R>>::It,_,_,_,_>(\"four\",async|me:&A,",
    ] {
        assert!(text.contains(call), "{call}\nis not in\n{text}");
    }
}
