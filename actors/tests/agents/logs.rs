//! What this process logs, with the spans it stands in. One subscriber serves all tests: they know their agents by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The fields of a span or of a line.
pub type Fields = BTreeMap<&'static str, String>;

/// One log line, with the fields of the spans around it, from the outside.
#[derive(Clone, Debug)]
pub struct Line {
    pub fields: Fields,
    pub spans: Vec<(&'static str, Fields)>,
    pub thread: String,
}

impl Line {
    pub fn message(&self) -> &str {
        self.fields.get("message").map_or("", String::as_str)
    }
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
static CLOSED: Mutex<Vec<Fields>> = Mutex::new(Vec::new());
static RECORDING: OnceLock<()> = OnceLock::new();

/// Records from now on what this process logs.
pub fn record() {
    RECORDING.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Recorder);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// The lines that fit.
pub fn lines(wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
    LINES.lock().unwrap().iter().filter(|line| wanted(line)).cloned().collect()
}

/// The fields of the spans of this agent's runs that have ended.
pub fn runs(agent: &str) -> Vec<Fields> {
    CLOSED.lock().unwrap().iter().filter(|run| run["agent"] == agent).cloned().collect()
}

struct Recorder;

struct Read<'a>(&'a mut Fields);

impl Visit for Read<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("formicary")
            || metadata.target().starts_with(module_path!().split("::").next().unwrap())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Read(&mut fields));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        values.record(&mut Read(span.extensions_mut().get_mut::<Fields>().unwrap()));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Read(&mut fields));
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.map(|span| (span.name(), span.extensions().get::<Fields>().cloned().unwrap_or_default()));
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        LINES.lock().unwrap().push(Line { fields, spans: spans.collect(), thread });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        if span.name() == "handle"
            && let Some(fields) = span.extensions().get::<Fields>()
        {
            CLOSED.lock().unwrap().push(fields.clone());
        }
    }
}
