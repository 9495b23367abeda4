//! Which derivatives are carried, and in which order.
//!
//! A [`JetSet`] is a downward-closed set of [`MultiIndex`]es: with `u_xx` it holds `u_x` and `u`.
//! Equations and networks meet here: a residual names the derivatives it needs, a network carries them.

/// The most coordinates a problem may have.
pub const MAX_COORDINATES: usize = 8;
/// The highest order of a derivative.
pub const MAX_ORDER: usize = 4;

/// A partial derivative as exponents per coordinate: `u_xxt` over `(x, t)` is `[2, 1]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct MultiIndex([u8; MAX_COORDINATES]);

impl MultiIndex {
    /// No derivative at all: the value.
    pub const VALUE: Self = Self([0; MAX_COORDINATES]);

    /// The first derivative along `coordinate`.
    pub fn along(coordinate: usize) -> Self {
        Self::VALUE.plus(coordinate)
    }

    /// One derivative more along `coordinate`.
    pub fn plus(mut self, coordinate: usize) -> Self {
        self.0[coordinate] += 1;
        self
    }

    /// One derivative less along `coordinate`, if it has one.
    pub fn minus(mut self, coordinate: usize) -> Option<Self> {
        self.0[coordinate] = self.0[coordinate].checked_sub(1)?;
        Some(self)
    }

    /// Derivatives along `coordinate`.
    pub fn get(self, coordinate: usize) -> usize {
        usize::from(self.0[coordinate])
    }

    /// Derivatives in all.
    pub fn order(self) -> usize {
        self.0.iter().map(|&n| usize::from(n)).sum()
    }

    /// The coordinates of the derivatives, each as often as it is taken: `u_xxt` gives `x, x, t`.
    pub fn coordinates(self) -> impl Iterator<Item = usize> {
        (0..MAX_COORDINATES).flat_map(move |i| core::iter::repeat_n(i, self.get(i)))
    }
}

/// A downward-closed set of multi-indices, by order and then along the first coordinates first.
///
/// Channel 0 is always the value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JetSet {
    indices: Vec<MultiIndex>,
}

impl JetSet {
    /// The smallest downward-closed set that holds `wanted`.
    pub fn closure(wanted: impl IntoIterator<Item = MultiIndex>) -> Self {
        let mut indices = std::collections::BTreeSet::from([MultiIndex::VALUE]);
        let mut open: Vec<_> = wanted.into_iter().collect();
        while let Some(index) = open.pop() {
            if indices.insert(index) {
                open.extend((0..MAX_COORDINATES).filter_map(|i| index.minus(i)));
            }
        }
        let mut indices: Vec<_> = indices.into_iter().collect();
        indices.sort_by_key(|index| (index.order(), core::cmp::Reverse(*index)));
        Self { indices }
    }

    /// The multi-index of every channel.
    pub fn indices(&self) -> &[MultiIndex] {
        &self.indices
    }

    /// How many channels.
    pub fn channels(&self) -> usize {
        self.indices.len()
    }

    /// The channel of `index`, if the set holds it.
    pub fn channel(&self, index: MultiIndex) -> Option<usize> {
        self.indices.iter().position(|&i| i == index)
    }

    /// The highest order in the set.
    pub fn order(&self) -> usize {
        self.indices.iter().map(|i| i.order()).max().unwrap_or(0)
    }
}

/// The chain rule for `y = f(z)` over the channels of a [`JetSet`] (Faà di Bruno's formula in several variables).
#[derive(Clone, PartialEq, Debug)]
pub struct ChainRule {
    channels: usize,
    order: usize,
    terms: Vec<Vec<Term>>,
}

/// `coefficient · f⁽ᵏ⁾(z) · Π z_factor`, with k the number of factors.
#[derive(Clone, PartialEq, Debug)]
pub struct Term {
    /// How many partitions of the derivative lead to these factors.
    pub coefficient: f64,
    /// Channels of z that are multiplied, between one and [`MAX_ORDER`] of them.
    pub factors: Vec<usize>,
}

impl ChainRule {
    /// The chain rule for every channel of `set`.
    pub fn new(set: &JetSet) -> Self {
        let terms = set.indices().iter().map(|&index| chain_rule_terms(set, index)).collect();
        Self { channels: set.channels(), order: set.order(), terms }
    }

    /// How many channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The highest order of a channel, and so of the derivatives of f that are needed.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The sum that makes channel `channel` of y; empty for channel 0, which is f(z) itself.
    pub fn terms(&self, channel: usize) -> &[Term] {
        &self.terms[channel]
    }
}

/// One term for each way to split the single derivatives of `index` into groups, equal ones counted together.
fn chain_rule_terms(set: &JetSet, index: MultiIndex) -> Vec<Term> {
    let mut partitions: Vec<Vec<MultiIndex>> = vec![vec![]];
    for coordinate in index.coordinates() {
        let along = MultiIndex::along(coordinate);
        partitions = partitions
            .into_iter()
            .flat_map(|groups| {
                (0..=groups.len()).map(move |place| {
                    let mut groups = groups.clone();
                    match groups.get_mut(place) {
                        Some(group) => *group = group.plus(coordinate),
                        None => groups.push(along),
                    }
                    groups
                })
            })
            .collect();
    }
    let mut counted = std::collections::BTreeMap::new();
    for groups in partitions.into_iter().filter(|groups| !groups.is_empty()) {
        let mut factors: Vec<usize> = groups
            .into_iter()
            .map(|group| set.channel(group).expect("a jet set is closed downward"))
            .collect();
        factors.sort_unstable();
        *counted.entry((factors.len(), factors)).or_insert(0.0) += 1.0;
    }
    counted.into_iter().map(|((_, factors), coefficient)| Term { coefficient, factors }).collect()
}

/// Leibniz's rule for `y = a·b` over the channels of a [`JetSet`].
#[derive(Clone, PartialEq, Debug)]
pub struct ProductRule(Vec<Vec<Pair>>);

/// `coefficient · a_i · b_j`
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// In how many ways the derivatives can be shared out so.
    pub coefficient: f64,
    /// The channels of a and of b.
    pub factors: [usize; 2],
}

impl ProductRule {
    /// Leibniz's rule for every channel of `set`.
    pub fn new(set: &JetSet) -> Self {
        Self(set.indices().iter().map(|&index| product_rule_terms(set, index)).collect())
    }

    /// The sum that makes channel `channel` of y.
    pub fn terms(&self, channel: usize) -> &[Pair] {
        &self.0[channel]
    }
}

/// One term for each way to share the single derivatives of `index` out to two factors, equal ones counted together.
fn product_rule_terms(set: &JetSet, index: MultiIndex) -> Vec<Pair> {
    let mut shared = std::collections::BTreeMap::from([((MultiIndex::VALUE, MultiIndex::VALUE), 1.0)]);
    for coordinate in index.coordinates() {
        let mut more = std::collections::BTreeMap::new();
        for ((a, b), count) in shared {
            for pair in [(a.plus(coordinate), b), (a, b.plus(coordinate))] {
                *more.entry(pair).or_insert(0.0) += count;
            }
        }
        shared = more;
    }
    let channel = |index| set.channel(index).expect("a jet set is closed downward");
    let pair = |((a, b), coefficient)| Pair { coefficient, factors: [channel(a), channel(b)] };
    shared.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closure_holds_every_lower_derivative() {
        let uxxt = MultiIndex::along(0).plus(0).plus(1);
        let set = JetSet::closure([uxxt]);
        let orders: Vec<_> = set.indices().iter().map(|i| (i.get(0), i.get(1))).collect();
        assert_eq!(orders, [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (2, 1)]);
        assert_eq!(set.channel(uxxt), Some(5));
        assert_eq!(set.order(), 3);
    }

    #[test]
    fn leibniz_rule_of_a_mixed_third_derivative_has_the_known_coefficients() {
        let uxxt = MultiIndex::along(0).plus(0).plus(1);
        let set = JetSet::closure([uxxt]);
        let rule = ProductRule::new(&set);
        let mut terms: Vec<_> = rule.terms(5).iter().map(|t| (t.coefficient, t.factors)).collect();
        terms.sort_by_key(|(_, factors)| *factors);
        // a·b_xxt + 2 a_x·b_xt + a_t·b_xx + a_xx·b_t + 2 a_xt·b_x + a_xxt·b
        let expected =
            [(1.0, [0, 5]), (2.0, [1, 4]), (1.0, [2, 3]), (1.0, [3, 2]), (2.0, [4, 1]), (1.0, [5, 0])];
        assert_eq!(terms, expected);
    }

    #[test]
    fn chain_rule_of_a_fourth_derivative_has_the_known_coefficients() {
        let uxxxx = MultiIndex::along(0).plus(0).plus(0).plus(0);
        let set = JetSet::closure([uxxxx]);
        let rule = ChainRule::new(&set);
        let terms: Vec<_> = rule.terms(4).iter().map(|t| (t.coefficient, t.factors.clone())).collect();
        // f' z⁗ + f″ (4 z′ z‴ + 3 z″²) + 6 f‴ z′² z″ + f⁗ z′⁴
        assert_eq!(
            terms,
            [
                (1.0, vec![4]),
                (4.0, vec![1, 3]),
                (3.0, vec![2, 2]),
                (6.0, vec![1, 1, 2]),
                (1.0, vec![1, 1, 1, 1])
            ]
        );
    }
}
