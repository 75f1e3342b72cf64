use std::process::Command;

use formicary_test_support::process::{Child, example};

use super::common::SOON;

async fn run(args: &[&str]) -> (i32, Child) {
    let mut command = Command::new(example("cluster"));
    command.args(args);
    let process = Child::spawn(command);
    (process.wait(SOON).await, process)
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_the_cure() {
    for (args, cure) in [
        (&["--agents", "foo"][..], "user, comment, email"),
        (&["--agents", "user,,email"], "user, comment, email"),
        (&["--rate", "-1"], "from 0 to 10000"),
        (&["--rate", "NaN"], "from 0 to 10000"),
        (&["--for", "3"], "500ms, 10s or 2m"),
        (&["--mail-delay", "soon"], "500ms, 10s or 2m"),
        (&["--bus", "rediss//host"], "write memory://, redis://host:port or amqp://"),
        (&["--broker", "kafka://host"], "write memory://, redis://host:port or amqp://"),
        (&["--prefix", "a:b"], "':'"),
        (&["--outbox", "/no/such/folder/outbox"], "/no/such/folder"),
        (&["--summary", "/no/such/folder/summary"], "create it first"),
        (&["--inspect"], "--broker redis://"),
        (&["--colour"], "unexpected argument"),
    ] {
        let (code, process) = run(args).await;
        let said = process.stderr();
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(cure), "{args:?}: {said}");
        assert!(process.stdout().is_empty(), "{args:?}: {}", process.stdout());
    }
}

#[tokio::test]
async fn a_wrong_url_does_not_show_its_password() {
    for url in [
        "http://me:hunter2@host",
        "redis://me:hunter2@host:99999",
        "redis://me:hunter2@host/x",
        "amqp://me:hunter2@host:99999",
        "hunter2",
    ] {
        for flag in ["--bus", "--broker"] {
            let (code, process) = run(&[flag, url]).await;
            let said = process.stderr();
            assert_eq!(code, 2, "{flag} {url}: {said}");
            assert!(said.contains(flag) && !said.contains("hunter2"), "{flag} {url}: {said}");
        }
    }
}

#[tokio::test]
async fn help_tells_each_flag_with_its_default_in_one_line() {
    let (code, process) = run(&["--help"]).await;
    assert_eq!(code, 0);
    let help = process.stdout();
    for flag in [
        "--bus",
        "--broker",
        "--prefix",
        "--agents",
        "--rate",
        "--for",
        "--outbox",
        "--mail-delay",
        "--chaos",
        "--inspect",
        "--summary",
    ] {
        let line = help.lines().find(|line| line.trim_start().starts_with(flag));
        assert!(line.is_some_and(|line| line.contains("[default: ")), "{flag}: {help}");
    }
}
