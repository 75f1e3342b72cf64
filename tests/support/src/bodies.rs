//! Tests made out of bodies: one body, run in memory, on a Redis, or on both.

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
