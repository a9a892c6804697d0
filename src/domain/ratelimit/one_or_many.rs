//! A list whose length is nearly always one.

/// One item without a heap allocation, or any other number of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// Maps each item of a slice.
    #[inline]
    pub fn map_slice<S>(items: &[S], mut make: impl FnMut(&S) -> T) -> Self {
        match items {
            [one] => OneOrMany::One(make(one)),
            items => OneOrMany::Many(items.iter().map(make).collect()),
        }
    }

    /// Appends an item.
    #[inline]
    pub fn push(&mut self, item: T) {
        *self = match std::mem::replace(self, OneOrMany::Many(Vec::new())) {
            OneOrMany::Many(items) if items.is_empty() => OneOrMany::One(item),
            OneOrMany::Many(mut items) => {
                items.push(item);
                OneOrMany::Many(items)
            }
            OneOrMany::One(first) => OneOrMany::Many(vec![first, item]),
        };
    }

    #[inline]
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(item) => std::slice::from_ref(item),
            OneOrMany::Many(items) => items,
        }
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            OneOrMany::One(item) => std::slice::from_mut(item),
            OneOrMany::Many(items) => items,
        }
    }
}

impl<T> IntoIterator for OneOrMany<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            OneOrMany::One(item) => (Some(item), Vec::new()),
            OneOrMany::Many(items) => (None, items),
        };
        one.into_iter().chain(many)
    }
}

impl<T> FromIterator<T> for OneOrMany<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let Some(first) = items.next() else { return OneOrMany::Many(Vec::new()) };
        let Some(second) = items.next() else { return OneOrMany::One(first) };
        let mut many = Vec::with_capacity(2 + items.size_hint().0);
        many.push(first);
        many.push(second);
        many.extend(items);
        many.shrink_to_fit();
        OneOrMany::Many(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_items_in_order_whatever_their_number() {
        for length in 0..5 {
            let items: Vec<u32> = (0..length).collect();
            let few: OneOrMany<u32> = items.iter().copied().collect();
            let mut pushed = OneOrMany::Many(Vec::new());
            items.iter().for_each(|&item| pushed.push(item));
            assert_eq!(pushed, few);
            assert_eq!(OneOrMany::map_slice(&items, |&item| item), few);
            assert_eq!(few.as_slice(), &items[..]);
            assert_eq!(few.clone().into_iter().collect::<Vec<_>>(), items);
            assert_eq!(matches!(few, OneOrMany::One(_)), length == 1);
        }
    }
}
