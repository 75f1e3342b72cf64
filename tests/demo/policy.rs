use std::process::Command;

use formicary_test_support::process::{Child, example};
use formicary_test_support::workspace;

use super::common::SOON;

#[tokio::test]
async fn the_example_of_a_policy_tells_what_becomes_of_its_orders() {
    let mut command = Command::new(example("policy"));
    command.current_dir(workspace());
    let process = Child::spawn(command);
    assert_eq!(process.wait(SOON).await, 0, "{}", process.stderr());
    let output = process.stdout();
    for line in [
        "order 2: attempt 2 of 3",
        "order 3: given up after attempt 3: the bank is busy",
        "order 4: given up after attempt 1: there is no money",
        "-- order 1 came twice, and was handled once: 1 left out",
        "refused, attempt 1: there is no money",
        "exhausted, attempt 3: the bank is busy",
        "-- replayed 1",
        "order 3: done, and it will not come again",
        "-- purged 2",
    ] {
        assert!(output.lines().any(|said| said == line), "{line:?} is not in\n{output}");
    }
}
