//! A scene as SVG: the array, a grid on it, and boxes in it. Colours are the style sheet's.

use super::{
    super::figure::grouped,
    markup::Markup,
    scene::{Scene, at},
};

/// Room for labels at the left, below, and at the right, in pixels.
const MARGIN: (f64, f64, f64) = (74.0, 40.0, 92.0);
const TOP: f64 = 6.0;

/// What a box in the array means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A chunk or a region of the source.
    Source,
    /// A chunk or a region of the target.
    Target,
    /// What is read for it, or the group that it lies in: only its edges.
    Around,
}

/// A box to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) role: Role,
    pub(super) start: Vec<u64>,
    pub(super) end: Vec<u64>,
    /// Boxes of these lengths that cut it.
    pub(super) cut_by: Option<Vec<u64>>,
}

/// An array with a grid and boxes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing<'a> {
    pub(super) scene: &'a Scene,
    /// Name per axis.
    pub(super) names: &'a [String],
    pub(super) role: Role,
    /// Length of a chunk per axis.
    pub(super) grid: &'a [u64],
    /// Length of a shard per axis.
    pub(super) shards: Option<&'a [u64]>,
    pub(super) blocks: Vec<Block>,
    /// For those who can't see it.
    pub(super) label: String,
}

impl Role {
    fn class(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Around => "around",
        }
    }
}

impl Drawing<'_> {
    /// The picture, and what it had to leave out: one clause per axis.
    pub(super) fn svg(&self) -> (Markup, Vec<String>) {
        let (width, height) = self.scene.extent();
        let (left, below, right) = MARGIN;
        let mut svg = Markup::default();
        svg.raw("<svg role=\"img\" class=\"").raw(self.role.class()).raw("\" width=\"").px(width + left + right);
        svg.raw("\" height=\"").px(height + TOP + below).raw("\" viewBox=\"").px(-left).raw(" ").px(-TOP).raw(" ");
        svg.px(width + left + right).raw(" ").px(height + TOP + below).raw("\" aria-label=\"").text(&self.label);
        svg.raw("\">\n");
        let whole = self.scene.sides.each_ref().map(|side| (0.0, side.pixels));
        self.faces(&mut svg, whole, "body");
        let coarse = self.grid_lines(&mut svg, self.grid, self.shards.is_some());
        let shards_coarse = self.shards.map(|shards| self.grid_lines(&mut svg, shards, false));
        for block in &self.blocks {
            self.block(&mut svg, block);
        }
        self.labels(&mut svg);
        svg.raw("</svg>\n");
        let noun = if self.shards.is_some() { "shards" } else { "chunks" };
        let notes = shards_coarse.unwrap_or(coarse).into_iter().map(|(axis, every)| {
            let name = self.names.get(axis).map_or("", String::as_str);
            format!("along {name} one line stands for {} {noun}", grouped(every))
        });
        (svg, notes.collect())
    }

    /// The three sides of a box that can be seen.
    fn faces(&self, svg: &mut Markup, [deep, down, across]: [(f64, f64); 3], kind: &'static str) {
        let front = [
            [deep.0, down.0, across.0],
            [deep.0, down.0, across.1],
            [deep.0, down.1, across.1],
            [deep.0, down.1, across.0],
        ];
        let top = [
            [deep.0, down.0, across.0],
            [deep.1, down.0, across.0],
            [deep.1, down.0, across.1],
            [deep.0, down.0, across.1],
        ];
        let side = [
            [deep.0, down.0, across.1],
            [deep.1, down.0, across.1],
            [deep.1, down.1, across.1],
            [deep.0, down.1, across.1],
        ];
        for (name, corners) in [(" top", top), (" side", side), (" front", front)] {
            if deep.1 <= deep.0 && name != " front" {
                continue;
            }
            svg.raw("<path class=\"").raw(kind).raw(name).raw("\" d=\"");
            for (at, corner) in corners.into_iter().enumerate() {
                svg.raw(if at == 0 { "M" } else { "L" }).point(self.scene.place(corner));
            }
            svg.raw("Z\"/>\n");
        }
    }

    /// The lines of a grid on the whole array; which axes had to be thinned out, and how much.
    fn grid_lines(&self, svg: &mut Markup, grid: &[u64], is_inner: bool) -> Vec<(usize, u64)> {
        let whole = self.scene.sides.each_ref().map(|side| (0.0, side.pixels));
        let mut coarse = Vec::new();
        for (side, drawn) in self.scene.sides.iter().enumerate() {
            let Some(axis) = drawn.axis else { continue };
            let cuts = self.scene.cuts(side, at(grid, axis), 0, drawn.length);
            let is_thinned = cuts.every > 1 && drawn.length > at(grid, axis);
            if is_thinned {
                coarse.push((axis, cuts.every));
            }
            let class = match (is_inner, is_thinned) {
                // Where even the chunks of a shard can't be told apart, its own lines say more.
                (true, true) => continue,
                (true, false) => "line inner",
                (false, true) => "line thinned",
                (false, false) => "line",
            };
            self.lines(svg, side, &cuts.at, whole, class);
        }
        coarse
    }

    /// Lines across the two visible faces that a side runs along.
    fn lines(&self, svg: &mut Markup, side: usize, at: &[f64], spans: [(f64, f64); 3], class: &'static str) {
        if at.is_empty() {
            return;
        }
        let [deep, down, across] = spans;
        svg.raw("<path class=\"").raw(class).raw("\" d=\"");
        for p in at.iter().copied() {
            // From the far edge over the near one, which both faces share, to the other far edge.
            let corners = match side {
                0 => [[p, down.0, across.0], [p, down.0, across.1], [p, down.1, across.1]],
                1 => [[deep.0, p, across.0], [deep.0, p, across.1], [deep.1, p, across.1]],
                _ => [[deep.1, down.0, p], [deep.0, down.0, p], [deep.0, down.1, p]],
            };
            for (at, corner) in corners.into_iter().enumerate() {
                svg.raw(if at == 0 { "M" } else { "L" }).point(self.scene.place(corner));
            }
        }
        svg.raw("\"/>\n");
    }

    fn block(&self, svg: &mut Markup, block: &Block) {
        let spans = self.scene.span(&block.start, &block.end);
        svg.raw("<g class=\"block ").raw(block.role.class()).raw("\">\n");
        self.faces(svg, spans, "solid");
        if let Some(lengths) = &block.cut_by {
            for (side, drawn) in self.scene.sides.iter().enumerate() {
                let Some(axis) = drawn.axis else { continue };
                let cuts = self.scene.cuts(side, at(lengths, axis), at(&block.start, axis), at(&block.end, axis));
                if cuts.every == 1 {
                    self.lines(svg, side, &cuts.at, spans, "cut");
                }
            }
        }
        svg.raw("</g>\n");
    }

    /// The name and the length of each axis, beside the edge that it runs along.
    fn labels(&self, svg: &mut Markup) {
        let [deep, down, across] = self.scene.sides.each_ref();
        let places = [
            (deep, [deep.pixels / 2.0, down.pixels, across.pixels], (10.0, 12.0), "start"),
            (down, [0.0, down.pixels / 2.0, 0.0], (-8.0, -2.0), "end"),
            (across, [0.0, down.pixels, across.pixels / 2.0], (0.0, 17.0), "middle"),
        ];
        for (side, point, (right, lower), anchor) in places {
            let Some(axis) = side.axis else { continue };
            let (x, y) = self.scene.place(point);
            svg.raw("<text text-anchor=\"").raw(anchor).raw("\" x=\"").px(x + right).raw("\" y=\"").px(y + lower);
            svg.raw("\">").text(shortened(self.names.get(axis).map_or("", String::as_str)));
            svg.raw("<tspan class=\"length\" x=\"").px(x + right).raw("\" dy=\"14\">").text(grouped(side.length));
            svg.raw("</tspan></text>\n");
        }
    }
}

/// A name that fits beside the drawing.
fn shortened(name: &str) -> String {
    const MOST: usize = 12;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['…']).collect()
}
