//! Raw objects, exactly as users write them.
