//! A virtual host with a user of its own.

use std::fmt;

use serde_json::Value;

use super::Server;
use super::console::{binary, json};
use super::erlang;
use super::launch::{PASSWORD, USER};

/// A virtual host, with a user who may do everything there and nothing elsewhere.
#[derive(Clone)]
pub struct Place<'s> {
    server: &'s Server,
    name: String,
    password: String,
}

/// Channels that stand still.
pub struct Busy<'s>(&'s Server);

impl Busy<'_> {
    /// They go on.
    pub async fn end(self) {
        self.0.eval("[erlang:resume_process(C) || C <- erase(busy), is_process_alive(C)], ok").await;
    }
}

/// A queue as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Messages that wait.
    pub ready: u64,
    /// Messages in the hands of consumers.
    pub unacked: u64,
    /// Consumers.
    pub consumers: u64,
    /// Whether it outlives a restart.
    pub durable: bool,
    /// `classic`, `quorum` or `stream`.
    pub kind: String,
}

impl<'s> Place<'s> {
    pub(super) async fn make(server: &'s Server, name: &str) -> Place<'s> {
        let password = if name == USER { PASSWORD.to_owned() } else { format!("secret-of-{name}") };
        let place = Place { server, name: name.to_owned(), password };
        let (name, password) = (binary(&place.name), binary(&place.password));
        let make = format!(
            "case rabbit_auth_backend_internal:lookup_user({name}) of
                {{ok, _}} -> there;
                _ ->
                    rabbit_vhost:add({name}, <<\"test\">>),
                    rabbit_auth_backend_internal:add_user({name}, {password}, <<\"test\">>),
                    made
             end"
        );
        // Who is there already may have been forbidden something.
        if server.eval(&make).await == "made" {
            place.allow().await;
        }
        place
    }

    /// `amqp://<user>:<password>@127.0.0.1:<port>/<vhost>`.
    pub fn url(&self) -> String {
        self.url_by(self.server.port())
    }

    /// The same by another port, such as that of a proxy.
    pub fn url_by(&self, port: u16) -> String {
        format!("amqp://{}:{}@127.0.0.1:{port}/{}", self.name, self.password, self.name)
    }

    /// The name of virtual host and user.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The node on which it is.
    pub fn server(&self) -> &'s Server {
        self.server
    }

    /// The queues here, by name.
    pub async fn queues(&self) -> Vec<Queue> {
        let told = json(&self.server.eval(&erlang::queues(&self.name)).await);
        let mut queues: Vec<Queue> = serde_json::from_value(told).unwrap_or_else(|error| panic!("queues: {error}"));
        queues.sort_by(|a, b| a.name.cmp(&b.name));
        queues
    }

    /// One queue, if it is there.
    pub async fn queue(&self, name: &str) -> Option<Queue> {
        self.queues().await.into_iter().find(|queue| queue.name == name)
    }

    /// What is declared here, under the names of AMQP: `{"queues": […], "exchanges": […], "bindings": […]}`, without what the
    /// server makes by itself.
    pub async fn topology(&self) -> Value {
        json(&self.server.eval(&erlang::topology(&self.name)).await)
    }

    /// Declares a durable queue, as an agent that consumes it does. It may be there already.
    pub async fn declare_queue(&self, name: &str) {
        let declare = format!(
            "{{_, _}} = rabbit_amqqueue:declare(rabbit_misc:r({}, queue, {}), true, false, [], none, <<\"test\">>), ok",
            binary(&self.name),
            binary(name),
        );
        self.server.eval(&declare).await;
    }

    /// Deletes a queue with what is in it, under its consumers.
    pub async fn delete_queue(&self, name: &str) {
        let delete = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r({}, queue, {})), rabbit_amqqueue:delete(Q, false, false, <<\"test\">>), ok",
            binary(&self.name),
            binary(name),
        );
        self.server.eval(&delete).await;
    }

    /// Publishes what no driver would let through: key and body are bytes, and the properties are Erlang, such as
    /// `[{message_id, <<255>>}]`.
    pub async fn publish_odd(&self, exchange: &str, key: &[u8], properties: &str, body: &[u8]) {
        let (exchange, key, body) = (binary(exchange), binary(key), binary(body));
        let exchange = format!("rabbit_misc:r({}, exchange, {exchange})", binary(&self.name));
        self.server.eval(&format!("rabbit_basic:publish({exchange}, {key}, {properties}, {body})")).await;
    }

    /// Deletes a queue under its consumers, and puts one with other arguments in its place: who declares it as it was is
    /// refused, and so is whatever is sent to it.
    pub async fn replace_queue(&self, name: &str) {
        let replace = format!(
            "Name = rabbit_misc:r({}, queue, {}),
             {{ok, Q}} = rabbit_amqqueue:lookup(Name),
             rabbit_amqqueue:delete(Q, false, false, <<\"test\">>),
             Other = [{{<<\"x-max-length\">>, signedint, 0}}, {{<<\"x-overflow\">>, longstr, <<\"reject-publish\">>}}],
             {{new, _}} = rabbit_amqqueue:declare(Name, true, false, Other, none, <<\"test\">>), ok",
            binary(&self.name),
            binary(name),
        );
        self.server.eval(&replace).await;
    }

    /// Has the channels that clients have here stand still, as on a node that is too busy: nothing that comes on them is read.
    pub async fn busy_channels(&self) -> Busy<'s> {
        let list = format!(
            "[Channel || Channel <- rabbit_channel:list(), \
              [{{_, Host}}] <- [rabbit_channel:info(Channel, [vhost])], Host =:= {}]",
            binary(&self.name)
        );
        self.server.eval(&format!("put(busy, {list}), [erlang:suspend_process(C) || C <- get(busy)], ok")).await;
        Busy(self.server)
    }

    /// How many connections clients have here.
    pub async fn connections(&self) -> usize {
        let ask = format!("length({})", self.connection_list());
        self.server.eval(&ask).await.parse().unwrap_or(0)
    }

    /// Closes every connection that clients have here: each gets `CONNECTION_FORCED`.
    pub async fn close_connections(&self) {
        // One that ends by itself meanwhile is closed too.
        let close = format!(
            "[catch rabbit_networking:close_connection(C, \"by the test\") || C <- {}], ok",
            self.connection_list()
        );
        self.server.eval(&close).await;
    }

    /// Closes every connection that calls itself so, as [`Place::close_connections`] does.
    pub async fn close_connections_named(&self, name: &str) {
        let close = format!(
            "[catch rabbit_networking:close_connection(C, \"by the test\") || C <- {}, \
             [{{_, Said}}] <- [catch rabbit_networking:connection_info(C, [client_properties])], \
             lists:member({{<<\"connection_name\">>, longstr, {}}}, Said)], ok",
            self.connection_list(),
            binary(name),
        );
        self.server.eval(&close).await;
    }

    /// Refuses connections here when there are so many; those that are there stay. `None` lets all in again.
    pub async fn limit_connections(&self, most: Option<u32>) {
        let name = binary(&self.name);
        let limit = match most {
            Some(most) => {
                let limits = binary(format!("{{\"max-connections\": {most}}}"));
                format!("rabbit_vhost_limit:parse_set({name}, {limits}, <<\"test\">>)")
            }
            None => format!("rabbit_vhost_limit:clear({name}, <<\"test\">>)"),
        };
        self.server.eval(&limit).await;
    }

    /// Takes away what the user may do here, except to connect: what it does then is `ACCESS_REFUSED`.
    pub async fn forbid(&self) {
        self.permit("").await;
    }

    /// Lets the user do everything here, as in the beginning.
    pub async fn allow(&self) {
        self.permit(".*").await;
    }

    /// Changes the password on the server, not in [`Place::url`]: clients with the old one are refused when they connect.
    pub async fn change_password(&self, password: &str) {
        let (name, password) = (binary(&self.name), binary(password));
        let change = format!("rabbit_auth_backend_internal:change_password({name}, {password}, <<\"test\">>)");
        self.server.eval(&change).await;
    }

    async fn permit(&self, pattern: &str) {
        let (name, pattern) = (binary(&self.name), binary(pattern));
        let permit = format!(
            "rabbit_auth_backend_internal:set_permissions({name}, {name}, {pattern}, {pattern}, {pattern}, <<\"test\">>)"
        );
        self.server.eval(&permit).await;
    }

    fn connection_list(&self) -> String {
        let name = binary(&self.name);
        format!(
            "[C || C <- rabbit_networking:connections(), (catch rabbit_networking:connection_info(C, [vhost])) =:= [{{vhost, {name}}}]]"
        )
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("name", &self.name).field("server", &self.server).finish_non_exhaustive()
    }
}
