//! What a server is really told, by `MONITOR`.

use formicary_test_support::redis::{Connection, Server};

use crate::stage::SOON;

pub struct Monitor(Connection);

impl Monitor {
    pub async fn start(server: &Server) -> Monitor {
        let mut connection = server.connect().await.unwrap();
        connection.command(&["MONITOR"]).await.unwrap();
        Monitor(connection)
    }

    /// The next command with this name, with its arguments. What stands before it is passed over.
    pub async fn next(&mut self, name: &str) -> Vec<String> {
        let look = async {
            loop {
                let words = words(&self.0.read().await.unwrap().text().unwrap());
                if words[0].eq_ignore_ascii_case(name) {
                    return words;
                }
            }
        };
        match tokio::time::timeout(SOON, look).await {
            Ok(words) => words,
            Err(_) => panic!("no {name} within {SOON:?}"),
        }
    }
}

/// The words of a line such as `1700000000.1 [0 127.0.0.1:1] "SET" "a\x00"`.
fn words(line: &str) -> Vec<String> {
    let start = line.find("] \"").unwrap_or_else(|| panic!("no command in {line:?}")) + 2;
    let mut rest = line[start..].bytes();
    let (mut words, mut word, mut inside) = (Vec::new(), Vec::new(), false);
    while let Some(byte) = rest.next() {
        match byte {
            b'"' if inside => {
                words.push(String::from_utf8(std::mem::take(&mut word)).unwrap());
                inside = false;
            }
            b'"' => inside = true,
            b'\\' => word.push(match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'a' => 7,
                b'b' => 8,
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            }),
            byte if inside => word.push(byte),
            _ => {}
        }
    }
    words
}

#[test]
fn a_line_of_the_monitor_is_taken_apart() {
    let line = r#"1.5 [0 127.0.0.1:1] "PUBLISH" "a:b" "{\"x\": \"\xc3\xa9\\\"}""#;
    assert_eq!(words(line), ["PUBLISH", "a:b", r#"{"x": "é\"}"#]);
}
