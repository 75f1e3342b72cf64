/// Writes the port of one kind of actor: one outlet for all its messages, so that they keep their order.
macro_rules! port {
    ($(#[$doc:meta])* $vis:vis $port:ident, $(#[$of_doc:meta])* $messages:ident { $($message:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        $vis struct $port($crate::contract::Outlet<$messages>);

        #[derive(Debug)]
        pub(crate) enum $messages { $($message($message),)+ }

        $(impl From<$message> for $messages {
            fn from(message: $message) -> Self {
                Self::$message(message)
            }
        })+

        impl $port {
            $(#[$of_doc])*
            $vis fn start<A>(adapter: A) -> Self
            where
                A: actix::Actor<Context = actix::Context<A>> $(+ actix::Handler<$message, Result = ()>)+,
            {
                use actix::AsyncContext;

                let (outlet, traffic) = $crate::contract::outlet();
                let handle = |adapter: &mut A, message: $messages, context: &mut actix::Context<A>| match message {
                    $($messages::$message(message) => adapter.handle(message, context),)+
                };
                A::create(move |context| {
                    context.spawn($crate::contract::Feed::new(traffic, handle));
                    adapter
                });
                Self(outlet)
            }

            pub(crate) fn put(&self, message: impl Into<$messages>) {
                self.0.put(message.into());
            }
        }
    };
}

pub(crate) use port;
