// The page of a run: fields from the network, curves of its training, and where it does worst.

const bytesOf = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const maps = Object.fromEntries(Object.entries(data.colors).map(([name, text]) => [name, bytesOf(text)]));
const axisLabel = c => c.unit ? `${c.name} (${c.unit})` : c.name;

/** A function of points between the nodes of a grid, linear along every coordinate; `picks` are those of a point that count. */
function between(axes, values, picks = axes.map((_, i) => i)) {
    const strides = axes.map((_, i) => axes.slice(i + 1).reduce((n, axis) => n * axis.length, 1));
    const n = axes.length, shares = new Float64Array(n);
    return point => {
        let base = 0;
        for (let i = 0; i < n; i++) {
            const axis = axes[i], x = point[picks[i]];
            let low = 0, high = axis.length - 1;
            while (high - low > 1) { const middle = (low + high) >> 1; if (axis[middle] <= x) low = middle; else high = middle; }
            shares[i] = clamp((x - axis[low]) / (axis[high] - axis[low]), 0, 1);
            base += low * strides[i];
        }
        let sum = 0;
        for (let corner = 0; corner < 1 << n; corner++) {
            let weight = 1, place = base;
            for (let i = 0; i < n; i++) {
                if (corner >> i & 1) { weight *= shares[i]; place += strides[i]; } else weight *= 1 - shares[i];
            }
            if (weight > 0) sum += weight * values[place];
        }
        return sum;
    };
}

/** What is inside: { axes, inside(point) }, with the wall as `lines` in the plane, or a `level` that is positive inside. */
const regions = data.regions.map(({ axes, lines, grid, levels }) => {
    if (lines) {
        const pieces = lines.flatMap(points => points.slice(1).map((end, i) => [...points[i], ...end]));
        const [u, v] = axes;
        const inside = point => {
            let odd = false;
            const x = point[u], y = point[v];
            for (const [x0, y0, x1, y1] of pieces) {
                if (y0 > y !== y1 > y && x < x0 + (x1 - x0) * (y - y0) / (y1 - y0)) odd = !odd;
            }
            return odd;
        };
        return { axes, lines, inside };
    }
    const at = between(grid, new Int8Array(bytesOf(levels).buffer), axes);
    const level = point => {
        for (let k = 0; k < axes.length; k++) {
            const x = point[axes[k]];
            if (x < grid[k][0] || x > grid[k][grid[k].length - 1]) return -127;
        }
        return at(point);
    };
    return { axes, level, inside: point => level(point) > 0 };
});

const differences = data.differences.map(grid => grid && between(grid.axes, new Float32Array(bytesOf(grid.values).buffer)));

/** Everything that can be shown: { label, of(point), region, kind, along: the coordinates that it depends on, if not on all }. */
const quantities = data.fields.flatMap(field => {
    const y = [];
    const region = field.region === null ? null : regions[field.region];
    const value = point => network[field.function](point, y)[field.index];
    const unit = field.unit ? ` (${field.unit})` : "", along = field.along ?? null;
    if (field.residual) return [{ label: `residual of ${field.name}`, short: field.name, of: value, region, along, kind: "error" }];
    const own = { label: field.name + unit, short: field.name, of: value, region, along, kind: "value" };
    if (field.band) own.standardError = between([field.band.at], field.band.error, along);
    const difference = field.difference === null ? null : differences[field.difference];
    if (!field.reference && !difference) return [own];
    const known = [];
    const error = difference ?? (point => value(point) - network[field.reference](point, known)[0]);
    const reference = difference ? point => value(point) - difference(point) : point => network[field.reference](point, known)[0];
    own.reference = reference;
    own.error = error;
    return [
        own,
        { label: `${field.name}, reference${unit}`, short: `${field.name} reference`, of: reference, region, along, kind: "value" },
        { label: `${field.name}, error`, short: `${field.name} error`, of: error, region, along, kind: "error" },
    ];
});

const coordinates = data.coordinates;
/** What is shown across and up at first: of what depends on some coordinates only, these. */
const axesOf = ({ along }) => along ? [along[0], along[1] ?? null] : [0, coordinates.length > 1 ? 1 : null];
const [across, up] = axesOf(quantities[0]);
const state = {
    quantity: quantities[0],
    across,
    up,
    at: coordinates.map(c => (c.lower + c.upper) / 2),
    mark: null,
};

const holder = document.getElementById("field-plot");
const inRegion = point => state.quantity.region === null || state.quantity.region.inside(point);
const valueAt = point => inRegion(point) ? state.quantity.of(point) : NaN;
const isCurve = () => state.up === null;
const pointAt = (x, y) => {
    const point = [...state.at];
    point[state.across] = x;
    if (!isCurve()) point[state.up] = y;
    return point;
};
const endsOf = i => [coordinates[i].lower, coordinates[i].upper];

/** Height over width: that of the domain, where both coordinates are lengths and neither side is much longer; a circle of a
    domain made of shapes stays one in a longer domain, too. */
function ratio() {
    fieldPlot.isEqual = false;
    if (isCurve()) return 0.45;
    const [a, b] = [coordinates[state.across], coordinates[state.up]];
    const own = (b.upper - b.lower) / (a.upper - a.lower);
    const comparable = state.quantity.region ? 8 : 3;
    fieldPlot.isEqual = !a.time && !b.time && a.unit === b.unit && own > 1 / comparable && own < comparable;
    return fieldPlot.isEqual ? own : 0.55;
}

const fieldPlot = new Plot(holder, {
    label: "The solution", ratio, paint, paintOver, paintBeside,
    read(x, y) {
        const point = pointAt(x, y);
        const { quantity } = state;
        const where = coordinates.map((c, i) => `${c.name} = ${shown(point[i], 5)}`).join(", ");
        const value = valueAt(point);
        let text = `${where}: `;
        if (!inRegion(point)) text += "outside the domain";
        else {
            text += `${quantity.short} = ${shown(value, 8)}`;
            if (quantity.standardError) text += `, standard error ${shown(quantity.standardError(point), 2)}`;
            if (quantity.error) text += `, error ${shown(quantity.error(point), 2)}`;
        }
        return { text, data: { point: JSON.stringify(point), value: String(value) } };
    },
});

/** The range of colours, over the whole plane: in logarithms for errors, whose sign is left out. */
function levels() {
    const { quantity } = state;
    const n = 40, values = [];
    const [a, b] = endsOf(state.across), [c, d] = isCurve() ? [0, 0] : endsOf(state.up);
    for (let i = 0; i <= n; i++) {
        for (let j = 0; j <= (isCurve() ? 0 : n); j++) values.push(valueAt(pointAt(a + (b - a) * i / n, c + (d - c) * j / n)));
    }
    if (quantity.kind === "error") {
        const most = values.map(Math.abs).filter(Number.isFinite).reduce((x, y) => Math.max(x, y), 0);
        const top = Math.log10(most || 1);
        return [top - 4, top];
    }
    return rangeOf(values, false, 0);
}

/** Colours of the plane in ever smaller blocks, a few milliseconds at a time. */
class Painter {
    constructor() { this.canvas = element("canvas"); }

    start(plot) {
        const { left, top, width, height } = plot.box;
        // What a network takes for a point says how fine the picture can be in a second or two.
        const begun = performance.now();
        const [a, b] = endsOf(state.across), [c, d] = endsOf(state.up);
        for (let i = 0; i < 100; i++) valueAt(pointAt(a + (b - a) * (i * 0.618 % 1), c + (d - c) * (i * 0.755 % 1)));
        const cost = (performance.now() - begun) / 100 + 1e-4;
        const fine = Math.max(1 / plot.scale, Math.sqrt(width * height * cost / 1200));
        Object.assign(this, { plot, left, top, width, height, columns: Math.max(2, Math.round(width / fine)), rows: Math.max(2, Math.round(height / fine)) });
        this.canvas.width = this.columns;
        this.canvas.height = this.rows;
        this.context = this.canvas.getContext("2d");
        this.image = this.context.createImageData(this.columns, this.rows);
        this.block = 16;
        this.next = 0;
        this.shown = 0;
        this.done = false;
        this.key = Painter.key(plot);
        this.go();
    }

    static key(plot) {
        const { view, width, height, scale } = plot;
        return JSON.stringify([view, width, height, scale, state.across, state.up, state.at, quantities.indexOf(state.quantity), state.levels, color("missing")]);
    }

    go() {
        clearTimeout(this.frame);
        const { plot, columns, rows, image } = this;
        const begun = performance.now();
        const map = maps[state.quantity.kind === "error" ? "error" : "field"];
        const log = state.quantity.kind === "error";
        const [low, high] = state.levels;
        const missing = color("missing").match(/\w\w/g).map(part => parseInt(part, 16));
        const [x0, x1] = plot.view.x, [y0, y1] = plot.view.y;
        while (this.block >= 1) {
            const { block } = this, across = Math.ceil(columns / block), all = across * Math.ceil(rows / block);
            for (; this.next < all; this.next++) {
                if (this.next % 32 === 0 && performance.now() - begun > 14) {
                    this.frame = setTimeout(() => this.go());
                    // To show takes time as well.
                    if (performance.now() - this.shown > 120) this.show();
                    return;
                }
                const i = this.next % across * block, j = Math.floor(this.next / across) * block;
                // The middle of a pixel, not of a block: finer blocks repeat nothing but their corners.
                const x = x0 + (x1 - x0) * (i + 0.5) / columns, y = y1 - (y1 - y0) * (j + 0.5) / rows;
                const value = valueAt(pointAt(x, y));
                const t = ((log ? Math.log10(Math.abs(value)) : value) - low) / (high - low);
                const at = 3 * Math.round(255 * clamp(t === -Infinity ? 0 : t, 0, 1));
                const [r, g, b] = Number.isNaN(t) ? missing : [map[at], map[at + 1], map[at + 2]];
                for (let v = j; v < Math.min(j + block, rows); v++) {
                    for (let u = i, place = 4 * (v * columns + i); u < Math.min(i + block, columns); u++, place += 4) {
                        image.data[place] = r; image.data[place + 1] = g; image.data[place + 2] = b; image.data[place + 3] = 255;
                    }
                }
            }
            this.next = 0;
            this.block >>= 1;
        }
        this.done = true;
        this.show();
    }

    show() {
        this.shown = performance.now();
        this.context.putImageData(this.image, 0, 0);
        this.plot.draw();
    }
}

const painter = new Painter();

function paint(plot, context) {
    if (isCurve()) return;
    if (painter.key !== Painter.key(plot)) painter.start(plot);
    const { left, top, width, height } = plot.box;
    context.imageSmoothingEnabled = false;
    context.drawImage(painter.canvas, left, top, width, height);
    holder.dataset.done = painter.done;
}

/** The wall where it crosses what is shown, and the mark of a point. */
function paintOver(plot, context) {
    const { region } = state.quantity;
    if (region && !isCurve()) {
        context.strokeStyle = color("ink");
        context.lineWidth = 1.6;
        const [u, v] = region.axes;
        if (region.lines && state.across === u && state.up === v || region.lines && state.across === v && state.up === u) {
            const turned = state.across === v;
            context.beginPath();
            for (const points of region.lines) {
                points.forEach((point, k) => {
                    const [x, y] = turned ? [point[1], point[0]] : point;
                    k ? context.lineTo(plot.toX(x), plot.toY(y)) : context.moveTo(plot.toX(x), plot.toY(y));
                });
            }
            context.stroke();
        } else {
            contour(plot, context, region);
        }
    }
    if (isCurve()) {
        sampled(plot);
        if (state.mark) {
            context.strokeStyle = color("accent");
            context.setLineDash([4, 3]);
            line(context, plot.toX(state.mark[state.across]), plot.box.top, plot.toX(state.mark[state.across]), plot.box.top + plot.box.height);
            context.setLineDash([]);
        }
    } else if (state.mark) {
        const [x, y] = [plot.toX(state.mark[state.across]), plot.toY(state.mark[state.up])];
        for (const [stroke, width] of [["#000", 4], ["#fff", 2]]) {
            context.strokeStyle = stroke;
            context.lineWidth = width;
            context.beginPath();
            context.arc(x, y, 8, 0, 7);
            context.stroke();
        }
    }
}

/** Where a level changes its sign in the plane: one piece of line a cell, two at a saddle. */
function contour(plot, context, region) {
    const key = Painter.key(plot);
    if (contour.key !== key) Object.assign(contour, { key, path: crossing(plot, region) });
    context.stroke(contour.path);
}

function crossing(plot, region) {
    const level = region.level ?? (point => region.inside(point) ? 1 : -1);
    const { left, top, width, height } = plot.box, step = 4;
    const columns = Math.ceil(width / step), rows = Math.ceil(height / step);
    const values = Array.from({ length: rows + 1 }, (_, j) => Float64Array.from({ length: columns + 1 }, (_, i) =>
        level(pointAt(plot.fromX(left + i * step), plot.fromY(top + j * step)))));
    const path = new Path2D();
    for (let j = 0; j < rows; j++) {
        for (let i = 0; i < columns; i++) {
            const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]].map(([u, v]) => [u, v, values[v][u]]);
            const cuts = [];
            corners.forEach(([u, v, a], k) => {
                const [s, t, b] = corners[(k + 1) % 4];
                if (a > 0 !== b > 0) { const share = a / (a - b); cuts.push([left + step * (u + (s - u) * share), top + step * (v + (t - v) * share)]); }
            });
            for (let k = 0; k + 1 < cuts.length; k += 2) { path.moveTo(...cuts[k]); path.lineTo(...cuts[k + 1]); }
        }
    }
    return path;
}

/** The scale of colours beside the plane. */
function paintBeside(plot, context) {
    if (isCurve()) return;
    const { left, top, width, height } = plot.box;
    const log = state.quantity.kind === "error", map = maps[log ? "error" : "field"], x = left + width + 14;
    for (let k = 0; k < height; k++) {
        const at = 3 * Math.round(255 * (1 - k / height));
        context.fillStyle = `rgb(${map[at]} ${map[at + 1]} ${map[at + 2]})`;
        context.fillRect(x, top + k, 12, 1.5);
    }
    context.fillStyle = color("muted");
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "middle";
    const [low, high] = state.levels;
    for (const { at, label } of ticksOf(state.levels, log, Math.max(2, height / 50))) {
        const y = top + height * (high - at) / (high - low);
        context.fillText(label, x + 17, clamp(y, top + 6, top + height - 6));
    }
}

/** Curves over what is in view, as fine as the pixels. */
function sampled(plot) {
    const key = JSON.stringify([plot.view.x, plot.width, state.at, state.across, quantities.indexOf(state.quantity)]);
    if (plot.sampledKey === key) return;
    plot.sampledKey = key;
    const [a, b] = plot.view.x, count = Math.max(100, Math.round(plot.box.width));
    const curve = of => Array.from({ length: count + 1 }, (_, i) => {
        const x = a + (b - a) * i / count, point = pointAt(x);
        return [x, inRegion(point) ? of(point) : NaN];
    });
    const { quantity } = state;
    const absolute = of => quantity.kind === "error" ? point => Math.abs(of(point)) : of;
    const series = [{ label: quantity.kind === "error" ? `|${quantity.label}|` : quantity.label, color: quantity.kind === "error" ? 2 : 1, width: 2.2, points: curve(absolute(quantity.of)) }];
    if (quantity.standardError) {
        const error = quantity.standardError;
        const edge = sign => curve(point => quantity.of(point) + 2 * sign * error(point));
        series[0].label += ", with 2 standard errors";
        series[0].band = [edge(1), edge(-1)];
    }
    if (quantity.reference) series.push({ label: "reference", color: 0, dash: true, points: curve(quantity.reference) });
    plot.setSeries(series);
}

/** After another choice: ranges anew, and everything drawn. */
function show(keepView = false) {
    state.levels = levels();
    const plot = fieldPlot;
    plot.isMap = !isCurve();
    plot.right = isCurve() ? 12 : 84;
    plot.x = { label: axisLabel(coordinates[state.across]) };
    plot.sampledKey = null;
    holder.dataset.done = isCurve();
    if (isCurve()) {
        const log = state.quantity.kind === "error";
        const [a, b] = endsOf(state.across);
        const points = Array.from({ length: 201 }, (_, i) => pointAt(a + (b - a) * i / 200)).filter(inRegion);
        const numbers = points.map(point => log ? Math.abs(state.quantity.of(point)) : state.quantity.of(point));
        const { standardError } = state.quantity;
        if (standardError) numbers.push(...points.flatMap(point => [2, -2].map(k => state.quantity.of(point) + k * standardError(point))));
        if (state.quantity.reference) numbers.push(...points.map(state.quantity.reference));
        plot.y = { label: state.quantity.label, log };
        const range = rangeOf(numbers, log);
        if (log) range[0] = Math.max(range[0], range[1] - 8);
        if (keepView && plot.view) plot.setHeight(range); else plot.setRange(endsOf(state.across), range);
    } else {
        plot.setSeries([]);
        plot.y = { label: axisLabel(coordinates[state.up]) };
        if (keepView && plot.view) plot.draw(); else plot.setRange(endsOf(state.across), endsOf(state.up));
    }
    plot.readAgain();
    caption();
}

function caption() {
    const { quantity } = state;
    const fixed = coordinates.filter((_, i) => i !== state.across && i !== state.up);
    const at = fixed.map(c => `${c.name} = ${shown(state.at[coordinates.indexOf(c)], 4)}`).join(", ");
    const what = quantity.kind === "error" ? `The size of the ${quantity.label.includes("error") ? `error of ${quantity.short.replace(" error", "")}` : quantity.label}, over four powers of ten` : quantity.label;
    document.getElementById("field-caption").textContent =
        `${what}${at ? `, at ${at}` : ""}; computed by this page from the trained network, anew for every view.`;
}

/** What can be chosen: the quantity, two axes, and the values of all other coordinates. */
function controls() {
    const choice = (label, options, value, change, half) => {
        const select = element("select", { onchange: () => change(Number(select.value)) },
            ...options.map(([text, value]) => element("option", { textContent: text, value })));
        select.value = value;
        return element("label", { className: half ? "half" : "" }, label, select);
    };
    const parts = [choice("Show", quantities.map((quantity, i) => [quantity.label, i]), quantities.indexOf(state.quantity), value => {
        const before = state.quantity.along;
        state.quantity = quantities[value];
        if (before || state.quantity.along) {
            [state.across, state.up] = axesOf(state.quantity);
            controls();
        }
        show();
    })];
    if (coordinates.length > 1) {
        const names = coordinates.map((c, i) => [axisLabel(c), i]);
        parts.push(choice("Across", names, state.across, value => {
            if (value === state.up) state.up = state.across;
            state.across = value;
            controls();
            show();
        }, true));
        parts.push(choice("Up", [...names.filter(([, i]) => i !== state.across), ["a curve", -1]], state.up ?? -1, value => {
            state.up = value < 0 ? null : value;
            controls();
            show();
        }, true));
    }
    coordinates.forEach((c, i) => {
        if (i === state.across || i === state.up) return;
        const output = element("output", { textContent: shown(state.at[i], 4) });
        const slider = element("input", {
            type: "range", min: 0, max: 1000, step: 1, value: 1000 * (state.at[i] - c.lower) / (c.upper - c.lower),
            oninput: () => {
                state.at[i] = c.lower + (c.upper - c.lower) * slider.value / 1000;
                output.textContent = shown(state.at[i], 4);
                slider.setAttribute("aria-valuetext", `${c.name} = ${output.textContent}`);
                show(true);
            },
            dataset: { coordinate: c.name },
        });
        parts.push(element("label", {}, element("span", {}, `${axisLabel(c)} = `, output), slider));
    });
    document.getElementById("field-controls").replaceChildren(...parts);
}

controls();
show();

for (const button of document.querySelectorAll("button.go")) {
    button.addEventListener("click", () => {
        state.mark = JSON.parse(button.dataset.at);
        state.at = [...state.mark];
        controls();
        show();
        document.getElementById("fields").scrollIntoView({ block: "start" });
        fieldPlot.setCross(state.mark[state.across], isCurve() ? 0 : state.mark[state.up]);
    });
}

const { history } = data;
const lossHolder = document.getElementById("loss-plot"), errorHolder = document.getElementById("error-plot");
if (lossHolder) {
    const last = history.steps.at(-1) ?? 1;
    const pairs = values => values.map((value, i) => [history.steps[i], value]);
    const terms = history.terms.map(([name, values], i) => ({ label: name, color: 1 + i % 7, width: 1.1, points: pairs(values) }));
    const marks = history.stages.map(([at, label]) => ({ at, label }));
    const x = { label: "step" }, xRange = [0, Math.max(1, last)];
    chart(lossHolder, {
        label: "Loss over steps", x, y: { label: "loss", log: true }, marks, xRange,
        series: [{ label: "total", color: 0, width: 2, points: pairs(history.total) }, ...terms],
    });
    if (errorHolder) {
        chart(errorHolder, {
            label: "Errors over steps", x, y: { label: "relative L² error", log: true }, marks, xRange,
            series: history.errors.map(([name, points], i) => ({ label: name, color: 1 + i % 7, marked: points.length <= 60, points })),
        });
    }
}
