//! What a node is asked about a virtual host, in Erlang.

use super::console::binary;

/// Its queues, each as a [`Queue`](super::Queue).
pub(super) fn queues(host: &str) -> String {
    format!(
        "{{json, [#{{
                name => Name, ready => Ready, unacked => Unacked, consumers => Consumers, durable => Durable,
                kind => case Type of
                    rabbit_classic_queue -> classic;
                    rabbit_quorum_queue -> quorum;
                    rabbit_stream_queue -> stream;
                    _ -> Type
                end
            }} || [{{_, {{resource, _, _, Name}}}}, {{_, Ready}}, {{_, Unacked}}, {{_, Consumers}}, {{_, Durable}}, {{_, Type}}]
            <- rabbit_amqqueue:info_all({}, [
                name, messages_ready, messages_unacknowledged, consumers, durable, type
            ])
        ]}}",
        binary(host)
    )
}

/// Its queues, exchanges and bindings, without what the server makes by itself.
pub(super) fn topology(host: &str) -> String {
    let queues = "[#{
            queue => N, durable => D, auto_delete => A, exclusive => E, arguments => Arguments(G)
        } || [{_, {_, _, _, N}}, {_, D}, {_, A}, {_, E}, {_, G}]
        <- rabbit_amqqueue:info_all(Host, [name, durable, auto_delete, exclusive, arguments])]";
    let exchanges = "[#{
            exchange => N, exchange_type => T, durable => D, auto_delete => A, internal => I, arguments => Arguments(G)
        } || [{_, {_, _, _, N}}, {_, T}, {_, D}, {_, A}, {_, I}, {_, G}]
        <- rabbit_exchange:info_all(Host, [name, type, durable, auto_delete, internal, arguments]),
        N =/= <<>>, binary:match(N, <<\"amq.\">>) =/= {0, 4}]";
    // Each queue is bound to the nameless exchange, too.
    let bindings = "[#{
            exchange => S, queue => N, routing_key => K, arguments => Arguments(G)
        } || [{_, S}, {_, N}, {_, K}, {_, G}]
        <- rabbit_binding:info_all(Host, [source_name, destination_name, routing_key, arguments]), S =/= <<>>]";
    // The server keeps them with the type of each value.
    let arguments = "fun(Table) -> maps:from_list([{Name, Value} || {Name, _, Value} <- Table]) end";
    let host = binary(host);
    format!(
        "Host = {host}, Arguments = {arguments}, {{json, #{{queues => {queues}, exchanges => {exchanges}, bindings => {bindings}}}}}"
    )
}
