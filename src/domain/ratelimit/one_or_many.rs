//! A list that is nearly always of length one.

/// One item without a heap allocation, or any other number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Few<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// What `make` makes of each item of a list.
    #[inline]
    pub fn each<S>(items: &[S], mut make: impl FnMut(&S) -> T) -> Self {
        match items {
            [one] => Few::One(make(one)),
            items => Few::Many(items.iter().map(make).collect()),
        }
    }

    /// Adds an item at the end.
    #[inline]
    pub fn push(&mut self, item: T) {
        *self = match std::mem::replace(self, Few::Many(Vec::new())) {
            Few::Many(items) if items.is_empty() => Few::One(item),
            Few::Many(mut items) => {
                items.push(item);
                Few::Many(items)
            }
            Few::One(first) => Few::Many(vec![first, item]),
        };
    }

    #[inline]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Few::One(item) => std::slice::from_ref(item),
            Few::Many(items) => items,
        }
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Few::One(item) => std::slice::from_mut(item),
            Few::Many(items) => items,
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Few::One(item) => (Some(item), Vec::new()),
            Few::Many(items) => (None, items),
        };
        one.into_iter().chain(many)
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let Some(first) = items.next() else { return Few::Many(Vec::new()) };
        let Some(second) = items.next() else { return Few::One(first) };
        let mut many = Vec::with_capacity(2 + items.size_hint().0);
        many.push(first);
        many.push(second);
        many.extend(items);
        many.shrink_to_fit();
        Few::Many(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_items_in_order_whatever_their_number() {
        for length in 0..5 {
            let items: Vec<u32> = (0..length).collect();
            let few: Few<u32> = items.iter().copied().collect();
            let mut pushed = Few::Many(Vec::new());
            items.iter().for_each(|&item| pushed.push(item));
            assert_eq!(pushed, few);
            assert_eq!(Few::each(&items, |&item| item), few);
            assert_eq!(few.as_slice(), &items[..]);
            assert_eq!(few.clone().into_iter().collect::<Vec<_>>(), items);
            assert_eq!(matches!(few, Few::One(_)), length == 1);
        }
    }
}
