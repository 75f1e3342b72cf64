use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::common::{Demo, SOON};

#[tokio::test]
async fn an_unreachable_server_is_one_line_and_exit_code_1() {
    // One port refuses; the other one accepts, and never says a word.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [free, silent.local_addr().unwrap()];
    let urls =
        addresses.iter().flat_map(|at| ["redis", "amqp"].map(|scheme| (at, format!("{scheme}://me:hunter2@{at}"))));
    for (address, url) in urls {
        for flag in ["--bus", "--broker"] {
            let started = Instant::now();
            let demo = Demo::start(&[flag, &url, "--for", "1s"]);
            assert_eq!(demo.process.wait(SOON).await, 1, "{}", demo.process.stderr());
            assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
            let lines = demo.process.stderr_lines();
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].starts_with("error: ") && lines[0].contains(&address.to_string()), "{lines:?}");
            assert!(!lines[0].contains("hunter2"), "{lines:?}");
            assert!(!demo.has_summary());
        }
    }
}
