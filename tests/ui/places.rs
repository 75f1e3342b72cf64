#![allow(unused)]
use formicary::prelude::*;

struct Clerk;

impl Clerk {
    #[receiver]
    async fn count(&self) {}

    #[consumer(timeout = "1s")]
    async fn deliver(&self) {}

    #[periodic("1s")]
    async fn refresh(&self) {}

    #[cron("@hourly")]
    async fn report(&self) {}

    #[on(pre_start)]
    async fn setup(&self) {}

    #[server]
    async fn serve(&self) {}
}

#[agent]
struct NoBlock;

#[agent]
impl Default for Clerk {
    fn default() -> Self {
        Clerk
    }
}

#[agent(name = "a:b")]
impl Clerk {}

fn main() {}
