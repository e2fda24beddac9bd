//! Values that are made when somebody asks.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

/// A value that is made when it is first looked at, once for all clones. What nobody asks for
/// costs nothing, however much there would be to tell.
pub struct Lazy<T>(Arc<LazyLock<T, Make<T>>>);

type Make<T> = Box<dyn FnOnce() -> T + Send>;

impl<T> Lazy<T> {
    /// To be made by `make`, on the thread that asks.
    pub fn new(make: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }
}

/// A value that is made each time somebody asks, and kept by nobody: a long list of rows takes ten
/// times as much as the text that is sent.
pub struct Fresh<T>(Arc<dyn Fn() -> T + Send + Sync>);

impl<T> Fresh<T> {
    /// To be made by `make`, on the thread that asks.
    pub fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// Makes it.
    pub fn make(&self) -> T {
        (self.0)()
    }
}

impl<T: Clone + Send + Sync + 'static> From<T> for Fresh<T> {
    fn from(value: T) -> Self {
        Self::new(move || value.clone())
    }
}

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Does not make it.
impl<T> fmt::Debug for Fresh<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> From<T> for Lazy<T> {
    fn from(value: T) -> Self {
        Self::new(|| value)
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Does not make it.
impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_is_made_once_and_only_when_asked_for() {
        let made = Arc::new(AtomicUsize::default());
        let count = Arc::clone(&made);
        let lazy = Lazy::new(move || count.fetch_add(1, Ordering::Relaxed) + 7);
        let other = lazy.clone();
        assert_eq!((format!("{lazy:?}"), made.load(Ordering::Relaxed)), ("Lazy { .. }".into(), 0));
        assert_eq!((*other, *lazy, made.load(Ordering::Relaxed)), (7, 7, 1));
    }
}
