//! Reading a document and noting every mistake in it.

use super::document::Node;
use super::{Declarations, QueueDeclaration, SignalDeclaration, TypeName, exchanges, merge};
use crate::text::{MAX_QUOTED, shorten};
use crate::{Error, Prefix, check_queue_name, check_signal_name, check_topic};

type Entries = [(String, Node)];

pub(super) fn parse(text: &str, source: &str) -> Result<Declarations, Error> {
    let refuse = |problems| Err(Error::Declarations { document: source.to_owned(), problems });
    let root = match serde_json::from_str::<Node>(text) {
        Ok(root) => root,
        Err(error) => {
            return refuse(vec![format!("not JSON: {}", shorten(&error.to_string(), MAX_QUOTED))]);
        }
    };
    let mut reader = Reader::default();
    let declarations = reader.document(&root);
    if reader.problems.is_empty() { Ok(declarations) } else { refuse(reader.problems) }
}

#[derive(Default)]
pub(super) struct Reader {
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn note(&mut self, place: &str, problem: impl AsRef<str>) {
        let place = shorten(&place.escape_debug().to_string(), MAX_QUOTED);
        self.problems.push(format!("{place}: {}", problem.as_ref()));
    }

    fn document(&mut self, root: &Node) -> Declarations {
        let mut declarations = Declarations::default();
        let Node::Object(root) = root else {
            self.problems.push(format!("expected an object with `signals` and `queues`, found {}", root.describe()));
            return declarations;
        };
        self.repeated("", root);
        if let Some(text) = get(root, "default_prefix").and_then(|node| self.string("default_prefix", node)) {
            match Prefix::new(&text) {
                Ok(prefix) => declarations.default_prefix = Some(prefix),
                Err(error) => self.note("default_prefix", error.to_string()),
            }
        }
        for (index, entry) in self.list("signals", root) {
            let place = format!("signals[{index}]");
            if let Some(signal) = self.signal(&place, entry) {
                let conflict = merge::add(&mut declarations.signals, &signal.name.clone(), signal);
                conflict.into_iter().for_each(|problem| self.note(&place, problem));
            }
        }
        for (index, entry) in self.list("queues", root) {
            let place = format!("queues[{index}]");
            if let Some(queue) = self.queue(&place, entry) {
                let conflict = merge::add(&mut declarations.queues, &queue.name.clone(), queue);
                conflict.into_iter().for_each(|problem| self.note(&place, problem));
            }
        }
        exchanges::contradictions(&declarations.queues).into_iter().for_each(|problem| self.note("queues", problem));
        declarations
    }

    fn signal(&mut self, place: &str, entry: &Node) -> Option<SignalDeclaration> {
        let entry = self.entry(place, entry)?;
        let name = self.name(place, entry, check_signal_name);
        let at = format!("{place}.providing_args");
        let mut arguments = match get(entry, "providing_args") {
            Some(node) => self.arguments(&at, node, TypeName::PLAIN),
            None => {
                self.note(&at, "missing: list the arguments, or write [] for none");
                Vec::new()
            }
        };
        if let Some(node) = get(entry, "types") {
            self.refine(&format!("{place}.types"), node, &mut arguments);
        }
        let at = format!("{place}.answer");
        let answer = get(entry, "answer").and_then(|node| self.type_name(&at, node, TypeName::ALL.len()));
        Some(SignalDeclaration { name: name?, arguments, answer })
    }

    fn queue(&mut self, place: &str, entry: &Node) -> Option<QueueDeclaration> {
        let entry = self.entry(place, entry)?;
        let name = self.name(place, entry, check_queue_name);
        let exchange = get(entry, "exchange")
            .and_then(|node| self.string(&format!("{place}.exchange"), node))
            .filter(|exchange| !exchange.is_empty());
        let mut topics = Vec::new();
        for (index, node) in self.list_at(&format!("{place}.topics"), get(entry, "topics")) {
            let at = format!("{place}.topics[{index}]");
            let Some(topic) = self.string(&at, node) else { continue };
            match check_topic(&topic) {
                Ok(()) => topics.push(topic),
                Err(error) => self.note(&at, error.to_string()),
            }
        }
        if exchange.is_none() && !topics.is_empty() {
            self.note(&format!("{place}.topics"), "topics need an exchange: add `exchange`, or remove `topics`");
        }
        let at = format!("{place}.message");
        let message = get(entry, "message").map(|node| self.arguments(&at, node, TypeName::ALL.len()));
        Some(QueueDeclaration { name: name?, exchange, topics, message })
    }

    fn name(&mut self, place: &str, entry: &Entries, check: fn(&str) -> Result<(), Error>) -> Option<String> {
        let at = format!("{place}.name");
        let Some(node) = get(entry, "name") else {
            self.note(&at, "missing: every entry needs a name");
            return None;
        };
        let name = self.string(&at, node)?;
        match check(&name) {
            Ok(()) => Some(name),
            Err(error) => {
                self.note(&at, error.to_string());
                None
            }
        }
    }

    fn entry<'a>(&mut self, place: &str, entry: &'a Node) -> Option<&'a Entries> {
        match entry {
            Node::Object(entries) => {
                self.repeated(place, entries);
                Some(entries)
            }
            other => {
                self.note(place, format!("expected an object, found {}", other.describe()));
                None
            }
        }
    }

    fn list<'a>(&mut self, key: &str, root: &'a Entries) -> impl Iterator<Item = (usize, &'a Node)> + use<'a> {
        self.list_at(key, get(root, key))
    }

    fn list_at<'a>(
        &mut self,
        place: &str,
        node: Option<&'a Node>,
    ) -> impl Iterator<Item = (usize, &'a Node)> + use<'a> {
        let nodes: &[Node] = match node {
            None => &[],
            Some(Node::Array(nodes)) => nodes,
            Some(other) => {
                self.note(place, format!("expected a list, found {}", other.describe()));
                &[]
            }
        };
        nodes.iter().enumerate()
    }

    pub(super) fn string(&mut self, place: &str, node: &Node) -> Option<String> {
        match node {
            Node::String(text) => Some(text.clone()),
            other => {
                self.note(place, format!("expected a string, found {}", other.describe()));
                None
            }
        }
    }

    /// A key that stands twice: Python and most others would take the last one without a word.
    pub(super) fn repeated(&mut self, place: &str, entries: &Entries) {
        for (index, (key, _)) in entries.iter().enumerate() {
            if entries[..index].iter().any(|(earlier, _)| earlier == key) {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                self.note(&place, "stands twice: remove one");
            }
        }
    }
}

fn get<'a>(entries: &'a Entries, key: &str) -> Option<&'a Node> {
    entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
}
