//! What is said of cookies.

/// Which requests from other sites have the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SameSite {
    /// All.
    None,
    /// Those that a person follows.
    Lax,
    /// None.
    Strict,
}
