//! Tables with aligned columns, two spaces apart.

use super::Style;

/// Characters of a column, at most: a wider cell moves what is right of it, and no other row.
const WIDEST: usize = 500;

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
}

/// Rows under a header line.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// Widths of the first columns, where rows do not say.
    fixed: Vec<usize>,
}

impl Cell {
    /// A cell in a style.
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    /// Its text, without style.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn shorten(&mut self, width: usize) {
        if self.width() > width {
            self.text = self.text.chars().take(width.saturating_sub(1)).chain(['…']).collect();
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::Plain)
    }
}

impl Table {
    /// A table with these column names.
    pub fn new(header: &[&str]) -> Self {
        let header = header.iter().map(|name| (*name).to_owned()).collect();
        Self { header, rows: Vec::new(), fixed: Vec::new() }
    }

    /// Adds a row; it has as many cells as the header.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        assert_eq!(N, self.header.len(), "a row fills every column");
        self.rows.push(cells.into());
    }

    /// Gives the first columns these widths, whatever rows come: for who looks again and again.
    /// What is longer is cut short, which `…` says.
    pub fn fix(&mut self, widths: &[usize]) {
        for row in &mut self.rows {
            row.iter_mut().zip(widths).for_each(|(cell, width)| cell.shorten(*width));
        }
        self.fixed = widths.to_vec();
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Leaves out columns, in this order, until the table is no wider than `columns` characters.
    pub fn narrow(&mut self, columns: usize, dispensable: &[&str]) {
        for name in dispensable {
            if self.total_width() <= columns {
                return;
            }
            let Some(at) = self.header.iter().position(|it| it == name) else { continue };
            self.header.remove(at);
            self.fixed.truncate(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }

    /// The lines of the table, each behind `indent` spaces, without trailing blanks.
    pub fn render(&self, indent: usize, color: bool) -> String {
        let header: Vec<Cell> =
            self.header.iter().map(|name| Cell::new(name, Style::Faint)).collect();
        let mut out = String::new();
        for row in std::iter::once(&header).chain(&self.rows) {
            out += &" ".repeat(indent);
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
            for (column, cell) in row.iter().enumerate().take(last + 1) {
                out += &cell.style.paint(&cell.text, color);
                if column < last {
                    let pad = self.width(column).saturating_sub(cell.width()) + 2;
                    out += &" ".repeat(pad);
                }
            }
            out.push('\n');
        }
        out
    }

    fn total_width(&self) -> usize {
        let columns = self.header.len();
        let gaps = 2 * columns.saturating_sub(1);
        (0..columns).map(|column| self.width(column)).sum::<usize>() + gaps
    }

    fn width(&self, column: usize) -> usize {
        if let Some(width) = self.fixed.get(column) {
            return (*width).max(self.header[column].chars().count());
        }
        let cells = self.rows.iter().map(|row| row[column].width());
        cells.chain([self.header[column].chars().count()]).max().unwrap_or(0).min(WIDEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        let mut table = Table::new(&["NAME", "PORT", "WHY"]);
        table.row(["a".into(), "80".into(), "".into()]);
        table.row(["longer".into(), Cell::new("8080", Style::Good), "new".into()]);
        assert_eq!(
            table.render(2, false),
            "  NAME    PORT  WHY\n  a       80\n  longer  8080  new\n"
        );
        assert!(table.render(0, true).contains("\x1b[32m8080\x1b[0m  new"));
    }

    #[test]
    fn columns_of_a_fixed_width_stand_whatever_is_in_them() {
        for (name, port, expected) in [
            ("a", "80", "NAME   PORT  WHY\na      80    new and long\n"),
            ("seven77", "8080", "NAME   PORT  WHY\nseve…  8080  new and long\n"),
            ("fünf5", "80800", "NAME   PORT  WHY\nfünf5  808…  new and long\n"),
        ] {
            let mut table = Table::new(&["NAME", "PORT", "WHY"]);
            table.row([name.into(), port.into(), "new and long".into()]);
            table.fix(&[5, 4]);
            assert_eq!(table.render(0, false), expected);
        }
    }

    #[test]
    fn a_cell_without_measure_moves_no_other_row() {
        let mut table = Table::new(&["NAME", "WHY"]);
        table.row(["x".repeat(1_000_000).into(), "new".into()]);
        (0..1000).for_each(|_| table.row(["a".into(), "old".into()]));
        let text = table.render(0, false);
        assert!(text.contains("xx  new\n") && text.len() < 2_000_000, "{}", text.len());
        let old = text.lines().last().unwrap();
        assert_eq!(old.find("old"), Some(WIDEST + 2));
    }

    #[test]
    fn columns_go_in_order_until_the_rest_fits() {
        for (columns, expected) in [
            (19, "NAME    PORT  WHY\nlonger  8080  new\n"),
            (17, "NAME    PORT  WHY\nlonger  8080  new\n"),
            (16, "NAME    WHY\nlonger  new\n"),
            (10, "NAME\nlonger\n"),
            (1, "NAME\nlonger\n"),
        ] {
            let mut table = Table::new(&["NAME", "PORT", "WHY"]);
            table.row(["longer".into(), "8080".into(), "new".into()]);
            table.narrow(columns, &["PORT", "ABSENT", "WHY"]);
            assert_eq!(table.render(0, false), expected, "{columns}");
        }
    }
}
