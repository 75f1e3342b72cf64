//! Tests made out of bodies: one body, run in memory, on a Redis, on a RabbitMQ, or on several of them.

/// Makes two tests out of each body, an `async fn(&Stage)`: one in memory, one on Redis. The stage is that of
/// `crate::common`, of whoever calls this.
#[allow(clippy::crate_in_macro_def, reason = "the stage is that of the tests, which have different ones")]
#[macro_export]
macro_rules! on_both {
    ($($name:ident,)+) => {
        mod memory {
            $(
                #[actix::test]
                async fn $name() {
                    super::$name(&crate::common::Stage::memory()).await;
                }
            )+
        }
        #[cfg(feature = "redis")]
        mod redis {
            $(
                #[actix::test]
                async fn $name() {
                    if !$crate::require_redis(concat!(module_path!(), "::", stringify!($name))) {
                        return;
                    }
                    let server = $crate::redis::Server::start().await;
                    super::$name(&crate::common::Stage::Redis(server)).await;
                }
            )+
        }
    };
}

/// Makes three tests out of each body, as [`on_both!`](crate::on_both) makes two: in memory, on Redis, and on RabbitMQ, in a place of
/// its own on the node that the tests of this process share. What RabbitMQ cannot do comes last, with the reason:
/// `[not on RabbitMQ: it remembers no keys] a_key_is_remembered,`.
#[allow(clippy::crate_in_macro_def, reason = "the stage is that of the tests, which have different ones")]
#[macro_export]
macro_rules! on_each {
    ($($name:ident,)+ $([not on RabbitMQ: $($why:tt)+] $($other:ident,)+)?) => {
        $crate::on_both! { $($name,)+ $($($other,)+)? }
        #[cfg(feature = "amqp")]
        mod rabbitmq {
            $(
                #[actix::test]
                async fn $name() {
                    if !$crate::require_rabbitmq(concat!(module_path!(), "::", stringify!($name))) {
                        return;
                    }
                    let place = $crate::rabbitmq::shared(stringify!($name)).await;
                    super::$name(&crate::common::Stage::RabbitMq(place)).await;
                }
            )+
        }
    };
}

/// Makes a test out of each body that needs a Redis, an `async fn()`.
#[macro_export]
macro_rules! on_redis {
    ($($name:ident,)+) => {
        mod redis {
            $(
                #[actix::test]
                async fn $name() {
                    if !$crate::require_redis(concat!(module_path!(), "::", stringify!($name))) {
                        return;
                    }
                    super::$name().await;
                }
            )+
        }
    };
}

/// Makes two tests out of each body, an `async fn(Kind)`: one on Redis, one on RabbitMQ. The kind is that of
/// `crate::server`, of whoever calls this: the body starts the server that it needs.
#[allow(clippy::crate_in_macro_def, reason = "the kind is that of the tests, with what they do to a server")]
#[macro_export]
macro_rules! on_servers {
    ($($name:ident,)+) => {
        mod redis {
            $(
                #[actix::test]
                async fn $name() {
                    if $crate::require_redis(concat!(module_path!(), "::", stringify!($name))) {
                        super::$name(crate::server::Kind::Redis).await;
                    }
                }
            )+
        }
        mod rabbitmq {
            $(
                #[actix::test]
                async fn $name() {
                    if $crate::require_rabbitmq(concat!(module_path!(), "::", stringify!($name))) {
                        super::$name(crate::server::Kind::RabbitMq).await;
                    }
                }
            )+
        }
    };
}
