#![allow(unused)]
mod bad {
    formicary::declare!("bad.json");
}

mod missing {
    formicary::declare!("missing.json");
}

mod collide {
    formicary::declare!("collide.json");
}

mod remote {
    formicary::declare!("https://declarations.example.org/signals.json");
}

mod no_path {
    formicary::declare!(signals);
}

fn main() {}
