//! Which derivatives are carried, and in which order.
//!
//! A [`JetSet`] is a downward-closed set of [`MultiIndex`]es: with `u_xx` it holds `u_x` and `u`.
//! Equations and networks meet here: a residual names the derivatives it needs, a network carries them.

/// The most coordinates a problem may have: a hundred, and time.
pub const MAX_COORDINATES: usize = 101;
/// The highest order of a derivative.
pub const MAX_ORDER: usize = 4;

/// Single derivatives that a [`MultiIndex`] holds: those of a derivative that is taken of another one, and more.
const MOST: usize = 15;
/// No coordinate.
const NONE: u8 = u8::MAX;

/// A partial derivative: the coordinates of its single derivatives, so that `u_xxt` over `(x, t)` is 0, 0, 1.
///
/// Indices are ordered as their exponents per coordinate are, the first coordinate counting first.
/// Of one beyond any order that is used (fifteen) nothing is right but its order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MultiIndex {
    /// In ascending order, [`NONE`] behind them.
    along: [u8; MOST],
    order: u8,
}

impl Default for MultiIndex {
    fn default() -> Self {
        Self::VALUE
    }
}

impl PartialOrd for MultiIndex {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MultiIndex {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        // Where two rows differ first, the lower coordinate is one that the other has less of.
        other.along.cmp(&self.along).then(self.order.cmp(&other.order))
    }
}

impl MultiIndex {
    /// No derivative at all: the value.
    pub const VALUE: Self = Self { along: [NONE; MOST], order: 0 };

    /// The first derivative along `coordinate`.
    pub fn along(coordinate: usize) -> Self {
        Self::VALUE.plus(coordinate)
    }

    /// One derivative more along `coordinate`.
    pub fn plus(mut self, coordinate: usize) -> Self {
        let mut next = coordinate as u8;
        for known in &mut self.along {
            if *known > next {
                core::mem::swap(known, &mut next);
            }
        }
        self.order = self.order.saturating_add(1);
        self
    }

    /// One derivative less along `coordinate`, if it has one.
    pub fn minus(mut self, coordinate: usize) -> Option<Self> {
        let place = self.along.iter().position(|&known| usize::from(known) == coordinate)?;
        self.along.copy_within(place + 1.., place);
        self.along[MOST - 1] = NONE;
        self.order -= 1;
        Some(self)
    }

    /// Derivatives along `coordinate`.
    pub fn get(self, coordinate: usize) -> usize {
        self.coordinates().filter(|&known| known == coordinate).count()
    }

    /// Derivatives in all.
    pub fn order(self) -> usize {
        usize::from(self.order)
    }

    /// The coordinates of the derivatives, each as often as it is taken: `u_xxt` gives `x, x, t`.
    pub fn coordinates(self) -> impl Iterator<Item = usize> {
        self.along.into_iter().take_while(|&along| along != NONE).map(usize::from)
    }

    /// Every derivative of one order less of which it is a derivative.
    pub fn below(self) -> impl Iterator<Item = Self> {
        let repeated = move |k: usize| k > 0 && self.along[k] == self.along[k - 1];
        let all = self.coordinates().enumerate();
        all.filter(move |&(k, _)| !repeated(k)).filter_map(move |(_, along)| self.minus(along))
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
                open.extend(index.below());
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
    fn indices_are_ordered_as_their_exponents_are() {
        // Every index of four coordinates up to order five, by its exponents in order.
        let all: Vec<[usize; 4]> = (0..6_usize.pow(4))
            .map(|k| [k / 216, k / 36 % 6, k / 6 % 6, k % 6])
            .filter(|exponents| exponents.iter().sum::<usize>() <= 5)
            .collect();
        let index = |exponents: &[usize; 4]| {
            let along = exponents.iter().enumerate().rev();
            along.fold(MultiIndex::VALUE, |index, (i, &n)| (0..n).fold(index, |index, _| index.plus(i)))
        };
        let indices: Vec<MultiIndex> = all.iter().map(index).collect();
        assert!(indices.is_sorted() && all.is_sorted());
        for (exponents, &i) in all.iter().zip(&indices) {
            assert_eq!([0, 1, 2, 3].map(|c| i.get(c)), *exponents);
            assert_eq!(i.order(), exponents.iter().sum::<usize>());
            let below: Vec<_> = i.below().collect();
            let expected: Vec<_> = (0..4).filter_map(|c| i.minus(c)).collect();
            assert_eq!(below, expected);
            assert!((0..4).all(|c| i.plus(c).minus(c) == Some(i)));
        }
        let far = MultiIndex::along(MAX_COORDINATES - 1).plus(0);
        assert_eq!(far.coordinates().collect::<Vec<_>>(), [0, MAX_COORDINATES - 1]);
        // What nobody takes keeps its order.
        assert_eq!((0..60).fold(far, |index, _| index.plus(3)).order(), 62);
    }

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
