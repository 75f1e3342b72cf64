#![allow(unused)]
use formicary::prelude::*;

struct Slow;

#[derive(Default)]
struct Clerk;

#[agent(layer = "trace")]
impl Clerk {
    #[periodic("1s", layer = Slow)]
    async fn refresh(&self) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
