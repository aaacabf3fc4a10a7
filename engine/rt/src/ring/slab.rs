//! Numbered slots whose numbers are not mistaken for those of an earlier tenant.

/// Names one tenancy of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as `user_data` of a submission. The topmost generation is never given out, so that
    /// numbers there are free for other uses.
    pub(super) const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// A growing table of slots.
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts in the value that `make` makes of its own key.
    pub(super) fn insert(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                value: None,
            });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        let key = Key {
            index,
            generation: slot.generation,
        };
        slot.value = Some(make(key));
        key
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation == key.generation {
            slot.value.as_mut()
        } else {
            None
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) % u32::MAX;
        self.free.push(key.index);
        Some(value)
    }

    /// The keys of all values.
    pub(super) fn keys(&self) -> Vec<Key> {
        let key = |(index, slot): (usize, &Slot<T>)| Key {
            index: index as u32,
            generation: slot.generation,
        };
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.value.is_some())
            .map(key)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_open_a_slot_taken_again() {
        let mut slab = Slab::new();
        let old = slab.insert(|_| "old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert(|_| "new");
        assert_eq!(old.index, new.index);
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get_mut(new), Some(&mut "new"));
        assert_eq!(slab.keys(), vec![new]);
        assert_eq!(Key::from_bits(new.to_bits()), new);
    }

    #[test]
    fn the_topmost_generation_is_not_given_out() {
        let mut slab = Slab::new();
        let key = slab.insert(|_| ());
        slab.slots[0].generation = u32::MAX - 1;
        let last = Key {
            generation: u32::MAX - 1,
            ..key
        };
        assert_eq!(slab.remove(last), Some(()));
        assert_eq!(slab.insert(|_| ()).generation, 0);
    }
}
