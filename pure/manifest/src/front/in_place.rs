//! An edit that changes the text of files and nothing else: what all other files have makes no
//! difference to it, so they are not asked.

use super::Front;
use super::doubt::loss;
use super::files::{Edit, File};
use crate::build::is_plan;
use crate::sight::Sight;
use crate::source::{Source, SourceText};
use crate::written::Extract;

impl<T: Extract> Front<T> {
    /// What differs, where files of before have another text and nothing is lost, hidden or waited
    /// for.
    pub(super) fn edit_in_place(&mut self, sight: &Sight) -> Option<Edit<T>> {
        let is_calm = self.doubt.is_calm() && sight.unseen.is_empty() && !self.files.is_empty();
        if !is_calm || sight.sources.len() != self.files.len() {
            return None;
        }
        let mut fresh = Vec::new();
        for (place, (source, former)) in sight.sources.iter().zip(&self.files).enumerate() {
            if former.is_of(source) {
                continue;
            }
            if !is_edit(source, former) {
                return None;
            }
            let file = self.reading.look_ahead(source, Some(former));
            if loss(former, &file).is_some() {
                return None;
            }
            fresh.push((place, file));
        }
        Some(self.reading.replace(&mut self.files, fresh))
    }
}

/// Whether it is a file that was read before, has another text now, and says nothing of others.
fn is_edit<T>(source: &Source, former: &File<T>) -> bool {
    let is_read = |source: &Source| matches!(source.text, SourceText::Bytes(_));
    let is_same = source.name == former.source().name;
    is_same && is_read(source) && is_read(former.source()) && !is_plan(&source.name)
}
