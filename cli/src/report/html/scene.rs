//! An array as a box in oblique projection: which of its axes are drawn, how long, and where a point comes to lie. The
//! first drawn axis goes into the page, the second down, the last across, as C order has it. Knows nothing of SVG.

/// How far a pixel of depth moves right and up.
const DEPTH: (f64, f64) = (0.62, 0.42);

/// Length of the longer side of the front, and of the depth, in pixels.
const FRONT: f64 = 210.0;
const DEEP: f64 = 150.0;

/// A side is not drawn shorter than this share of the longest: its chunks could not be told apart.
const SHORTEST: f64 = 0.3;

/// A one-dimensional array is a strip this high, in pixels.
const STRIP: f64 = 44.0;

/// Between two lines, in pixels; nearer ones are left out.
const APART: f64 = 5.0;

/// One side of the drawn box.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Side {
    /// The array's axis; `None` for a side that only makes a strip or a sheet of the drawing.
    pub(super) axis: Option<usize>,
    /// Elements.
    pub(super) length: u64,
    /// As drawn.
    pub(super) pixels: f64,
}

/// The drawn box.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    /// Into the page, down, across.
    pub(super) sides: [Side; 3],
    /// Axes that are not drawn.
    pub(super) hidden: Vec<usize>,
}

/// Where the lines between chunks of one length run along one side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cuts {
    /// Pixels from the side's start.
    pub(super) at: Vec<f64>,
    /// Every how manyth line is drawn.
    pub(super) every: u64,
}

impl Scene {
    /// The box of an array of `shape`, with the three axes that the two grids cut most often.
    pub(super) fn of(shape: &[u64], source: &[u64], target: &[u64]) -> Self {
        let cuts = |axis: usize| {
            let of = |grid: &[u64]| at(shape, axis).div_ceil(at(grid, axis).max(1));
            of(source).saturating_add(of(target))
        };
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        axes.sort_by_key(|axis| (std::cmp::Reverse(cuts(*axis)), *axis));
        let mut hidden = axes.split_off(axes.len().min(3));
        axes.sort_unstable();
        hidden.sort_unstable();
        let mut last = axes.into_iter().rev();
        let (across, down, deep) = (last.next(), last.next(), last.next());
        let length = |axis: Option<usize>| axis.map_or(1, |axis| at(shape, axis));
        let longest = [down, across, deep].map(length).into_iter().max().unwrap_or(1).max(1);
        let front = length(down).max(length(across)).max(1);
        let part = |axis, of: u64| (length(axis) as f64 / of as f64).max(SHORTEST);
        let side = |axis: Option<usize>, pixels| Side { axis, length: length(axis), pixels };
        let down_pixels = if down.is_some() { FRONT * part(down, front) } else { STRIP };
        let deep_pixels = if deep.is_some() { DEEP * part(deep, longest) } else { 0.0 };
        let across_pixels = if down.is_some() { FRONT * part(across, front) } else { FRONT * 1.6 };
        Self { sides: [side(deep, deep_pixels), side(down, down_pixels), side(across, across_pixels)], hidden }
    }

    /// Width and height of the drawing in pixels, without labels.
    pub(super) fn extent(&self) -> (f64, f64) {
        let [deep, down, across] = &self.sides;
        (across.pixels + deep.pixels * DEPTH.0, down.pixels + deep.pixels * DEPTH.1)
    }

    /// Where a point, given in pixels along the sides, lies on the page.
    pub(super) fn place(&self, [deep, down, across]: [f64; 3]) -> (f64, f64) {
        let lift = self.sides[0].pixels * DEPTH.1;
        (across + deep * DEPTH.0, down - deep * DEPTH.1 + lift)
    }

    /// Pixels from the start of a side to an element.
    pub(super) fn pixels(&self, side: usize, element: u64) -> f64 {
        self.sides.get(side).map_or(0.0, |side| side.pixels * (element as f64 / side.length.max(1) as f64).min(1.0))
    }

    /// From where to where, in pixels, a region lies along each side; no thinner than can be seen.
    pub(super) fn span(&self, start: &[u64], end: &[u64]) -> [(f64, f64); 3] {
        [0, 1, 2].map(|side| {
            let Some(axis) = self.sides.get(side).and_then(|side| side.axis) else {
                return (0.0, self.sides.get(side).map_or(0.0, |side| side.pixels));
            };
            let (from, to) = (self.pixels(side, at(start, axis)), self.pixels(side, at(end, axis)));
            let thin = 3.0_f64.min(self.sides.get(side).map_or(0.0, |side| side.pixels));
            if to - from >= thin { (from, to) } else { ((to - thin).max(0.0), (to - thin).max(0.0) + thin) }
        })
    }

    /// The lines between boxes of `length` along a side, within `from..to` elements.
    pub(super) fn cuts(&self, side: usize, length: u64, from: u64, to: u64) -> Cuts {
        let Some(drawn) = self.sides.get(side).filter(|side| side.axis.is_some() && length > 0) else {
            return Cuts { at: Vec::new(), every: 1 };
        };
        let pixels = drawn.pixels * length as f64 / drawn.length.max(1) as f64;
        let every = steps().find(|every| pixels * *every as f64 >= APART).unwrap_or(u64::MAX);
        let step = length.saturating_mul(every);
        let first = from.checked_div(step).unwrap_or(0).saturating_add(1);
        let lines = (first..).map_while(|line| line.checked_mul(step)).take_while(|element| *element < to);
        Cuts { at: lines.map(|element| self.pixels(side, element)).collect(), every }
    }
}

/// 1, 2, 5, 10, 20, 50, …
fn steps() -> impl Iterator<Item = u64> {
    (0..19_u32).flat_map(|power| [1, 2, 5].map(|digit| 10_u64.saturating_pow(power).saturating_mul(digit)))
}

/// The length of an axis; 1 for one that is not there.
pub(super) fn at(lengths: &[u64], axis: usize) -> u64 {
    lengths.get(axis).copied().unwrap_or(1)
}
