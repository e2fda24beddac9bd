//! Strongly connected components (Tarjan, *Depth-first search and linear graph algorithms*, 1972),
//! with a stack of its own: a circle may be as long as there are objects.

/// For each node the number of its component: nodes have the same one that lead to each other both
/// ways. `to[n]` are the nodes that `n` leads to.
pub(super) fn of(to: &[Vec<usize>]) -> Vec<usize> {
    let mut search = Search {
        to,
        order: vec![None; to.len()],
        lowest: vec![0; to.len()],
        open: Vec::new(),
        component: vec![None; to.len()],
        seen: 0,
    };
    (0..to.len()).for_each(|root| search.from(root));
    search.component.into_iter().map(|it| it.expect("each node is in one")).collect()
}

struct Search<'t> {
    to: &'t [Vec<usize>],
    /// When each was reached.
    order: Vec<Option<usize>>,
    /// The first that was reached of all that each leads back to.
    lowest: Vec<usize>,
    /// Those whose component is not closed.
    open: Vec<usize>,
    component: Vec<Option<usize>>,
    seen: usize,
}

impl Search<'_> {
    fn from(&mut self, root: usize) {
        if self.order[root].is_some() {
            return;
        }
        self.enter(root);
        let mut way = vec![(root, 0)];
        while let Some((node, edge)) = way.pop() {
            let Some(next) = self.to[node].get(edge).copied() else {
                self.leave(node, way.last().map(|(above, _)| *above));
                continue;
            };
            way.push((node, edge + 1));
            match self.order[next] {
                None => {
                    self.enter(next);
                    way.push((next, 0));
                }
                Some(order) if self.component[next].is_none() => {
                    self.lowest[node] = self.lowest[node].min(order);
                }
                Some(_) => {}
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.order[node] = Some(self.seen);
        self.lowest[node] = self.seen;
        self.seen += 1;
        self.open.push(node);
    }

    fn leave(&mut self, node: usize, above: Option<usize>) {
        if self.order[node] == Some(self.lowest[node]) {
            while let Some(member) = self.open.pop() {
                self.component[member] = Some(node);
                if member == node {
                    break;
                }
            }
        }
        if let Some(above) = above {
            self.lowest[above] = self.lowest[above].min(self.lowest[node]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_together_that_lead_to_each_other() {
        for (edges, expected) in [
            ("", "0 1 2 3"),
            ("01 10 12", "0 0 2 3"),
            ("01 12 20 23", "0 0 0 3"),
            ("01 10 12 23 32", "0 0 2 2"),
            ("33 03 12 13", "0 1 2 3"),
            ("01 12 23 31", "0 1 1 1"),
        ] {
            let mut to = vec![Vec::new(); 4];
            for edge in edges.split_whitespace() {
                let ends: Vec<usize> =
                    edge.bytes().map(|digit| usize::from(digit - b'0')).collect();
                to[ends[0]].push(ends[1]);
            }
            let found: Vec<String> = of(&to).iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), expected, "{edges}");
        }
    }

    #[test]
    fn a_long_circle_needs_no_deep_stack() {
        let count = 100_000;
        let to: Vec<Vec<usize>> = (0..count).map(|at| vec![(at + 1) % count]).collect();
        assert!(of(&to).iter().all(|it| *it == 0));
    }
}
