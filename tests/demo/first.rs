use std::process::Command;

use formicary_test_support::process::{Child, Signal, example};
use formicary_test_support::workspace;

use super::common::SOON;

#[tokio::test]
async fn the_first_agents_greet_and_stop() {
    for name in ["first_agent", "without_macros"] {
        let mut command = Command::new(example(name));
        command.current_dir(workspace());
        let process = Child::spawn(command);
        process.wait_stdout(|line| line == "greeter created user 2: 2 so far", SOON).await;
        process.signal(Signal::INT);
        assert_eq!(process.wait(SOON).await, 0, "{name}: {}", process.stderr());
    }
}
