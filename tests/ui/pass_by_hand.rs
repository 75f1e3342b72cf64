//! Derived types, a generic agent, an extractor of one's own, `#[cfg]`, and a call of a handler as a plain method.
#![deny(warnings, missing_docs)]

use formicary::prelude::*;
use formicary::{Error, Extract, Invocation, Needs};
use serde::{Deserialize, Serialize};

/// Derived with every default.
#[derive(Serialize, Deserialize, Signal)]
pub struct UserCreated {
    /// The user.
    pub user_id: u64,
}

/// Derived with options.
#[derive(Serialize, Deserialize, Signal, Queue)]
#[signal(name = "rated", answer = Option<Vec<u64>>)]
#[queue(name = "ratings")]
#[serde(rename_all = "camelCase")]
pub struct Rating {
    /// Renamed by the rule.
    pub user_id: u64,
    /// Renamed by itself.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Not sent.
    #[serde(skip)]
    pub cached: u8,
}

/// Without arguments.
#[derive(Serialize, Deserialize, Signal)]
pub struct Ping;

/// Any value can be a message.
#[derive(Serialize, Deserialize, Queue)]
pub enum Job {
    /// One kind of job.
    Clean,
}

/// An extractor.
pub struct Me(String);

impl Extract for Me {
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    fn extract(invocation: &Invocation) -> std::result::Result<Self, Error> {
        let _ = invocation;
        Ok(Me(String::new()))
    }
}

/// Generic over what it keeps.
pub struct Keeper<T: Clone> {
    kept: Vec<T>,
}

#[agent]
impl<T: Clone + 'static> Keeper<T>
where
    T: Default,
{
    #[receiver]
    async fn keep(&mut self, _: UserCreated, me: &Me) -> Result<usize> {
        let _ = &me.0;
        self.kept.push(T::default());
        Ok(self.kept.len())
    }

    #[server]
    async fn serve(me: Handle<Self>) -> Result {
        let _ = me.with(|keeper| keeper.kept.len());
        Ok(())
    }
}

/// Generic, and says nothing of lifetimes.
pub struct Loose<T>(Option<T>);

#[agent]
impl<T> Loose<T> {
    #[receiver]
    async fn lose(&mut self, _: Ping) {
        self.0 = None;
    }
}

/// Takes many arguments, and has handlers that are not always there.
pub struct Busy;

#[agent]
impl Busy {
    #[receiver]
    #[allow(clippy::too_many_arguments)]
    async fn many(
        &self,
        _: Rating,
        a: SentBy,
        _: Cx,
        _: Cx,
        _: Cx,
        _: Cx,
        _: Cx,
        _: Cx,
        _: Cx,
        _: Cx,
        z: &SentBy,
    ) {
        let _ = (a, z);
    }

    #[cfg(any())]
    #[receiver]
    async fn never(&self, _: NoSuchType) {}

    #[cfg(all())]
    #[receiver]
    async fn r#match(&self, _: Ping) {}
}

macro_rules! agents {
    ($($name:ident, $signal:ty, $extracted:ty;)*) => {
        $(
            /// Made by a macro.
            pub struct $name;

            #[agent]
            impl $name {
                #[receiver]
                async fn take(&self, _: $signal, _: $extracted) {}
            }
        )*
    };
}

agents! { Made, UserCreated, &Cx; }

fn local() {
    #[derive(Serialize, Deserialize, Signal)]
    struct Here {}

    struct Local;

    #[agent]
    impl Local {
        #[receiver]
        async fn take(&self, _: Here) {}
    }

    is_agent::<Local>();
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Keeper<u8>>();
    is_agent::<Loose<u8>>();
    is_agent::<Busy>();
    is_agent::<Made>();
    local();
    let names: Vec<_> = Rating::fields_of_signal().iter().map(|field| field.name).collect();
    assert_eq!(names, ["userId", "type"]);
    assert_eq!(<UserCreated as Signal>::NAME, "user_created");
    assert_eq!(<Job as Queue>::NAME, "job");
    let mut keeper = Keeper::<u8> { kept: Vec::new() };
    drop(keeper.keep(UserCreated { user_id: 1 }, &Me(String::new())));
}

impl Rating {
    fn fields_of_signal() -> Vec<formicary::protocol::Field> {
        <Self as Signal>::fields()
    }
}
