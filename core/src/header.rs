//! A page's header line: the position of each selected column in the page.

use std::collections::{HashMap, HashSet};

use crate::machine::Machine;
use crate::rejection::Rejection;

/// The content of the header line.
#[derive(Clone, Debug)]
pub struct Header {
    /// The names as the page has them.
    pub names: Vec<String>,
    /// For each selected column, the index of its cell in a row.
    pub order: Vec<usize>,
    /// The line ended with CRLF, so that rows may.
    pub crlf: bool,
}

impl Header {
    /// Reads the header `line`, its line end included, of a page whose columns are `selected`.
    ///
    /// Names are compared ignoring case, because Salesforce answers in canonical case.
    pub fn read(line: &[u8], selected: &[String]) -> Result<Self, Rejection> {
        let line = std::str::from_utf8(line).map_err(|_invalid| Rejection::NotUtf8)?;
        let mut machine = Machine::default();
        // A CR of a header line is never data, because the csv module reads the line unchanged.
        machine.row(line.as_bytes(), true, true)?;
        let cells = machine.cells().iter();
        let names: Vec<String> =
            cells.map(|cell| String::from_utf8_lossy(cell.of(machine.text())).into_owned()).collect();
        let order = order(&names, selected).ok_or(Rejection::Header { columns: selected.len() })?;
        Ok(Self { names, order, crlf: line.ends_with("\r\n") })
    }
}

/// The index of each selected name among `names`; None if they are not the same names.
fn order(names: &[String], selected: &[String]) -> Option<Vec<usize>> {
    let places: HashMap<String, usize> =
        names.iter().enumerate().map(|(place, name)| (name.to_lowercase(), place)).collect();
    let order = selected.iter().map(|name| places.get(&name.to_lowercase()).copied()).collect::<Option<Vec<_>>>()?;
    let distinct: HashSet<usize> = order.iter().copied().collect();
    (distinct.len() == names.len() && order.len() == names.len()).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, selected: &[&str]) -> Result<Header, Rejection> {
        let selected: Vec<String> = selected.iter().map(ToString::to_string).collect();
        Header::read(line.as_bytes(), &selected)
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_and_case() {
        let header = read("\"NAME\",id\n", &["Id", "Name"]).unwrap();
        assert_eq!((header.order, header.crlf), (vec![1, 0], false));
        assert!(read("Id,Name\r\n", &["Id", "Name"]).unwrap().crlf);
    }

    #[test]
    fn a_header_of_other_columns_is_refused() {
        let refused = Some(Rejection::Header { columns: 2 });
        for line in ["Id\n", "Id,Nom\n", "Id,Name,X\n", "Id,Id\n", "\n", "<html>"] {
            assert_eq!(read(line, &["Id", "Name"]).err(), refused, "{line}");
        }
        assert_eq!(read("Id,Name\n", &["Id", "Id"]).err(), refused);
    }

    #[test]
    fn a_header_that_is_not_csv_is_refused() {
        assert!(matches!(read("\"Id,Name\n", &["Id"]), Err(Rejection::NotCsv(_))));
        assert!(matches!(read("I\rd\n", &["Id"]), Err(Rejection::NotCsv(_))));
        assert_eq!(Header::read(b"\xff\n", &["Id".into()]).err(), Some(Rejection::NotUtf8));
    }
}
