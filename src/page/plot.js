// A plot: axes, zoom, a cross that reads values, curves with a legend. It knows numbers and names, and no problem.

const element = (name, properties = {}, ...children) => {
    const { dataset, style, ...others } = properties;
    const made = Object.assign(document.createElement(name), others);
    Object.assign(made.dataset, dataset);
    for (const [key, value] of Object.entries(style ?? {})) made.style.setProperty(key, value);
    made.append(...children);
    return made;
};

const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/** As many digits as tell numbers apart, with a real minus sign. */
function shown(x, digits = 6) {
    if (x === null || Number.isNaN(x)) return "no value";
    if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
    if (x === 0) return "0";
    const size = Math.abs(x);
    const text = size >= 1e-3 && size < 1e6
        ? String(Number(x.toPrecision(digits)))
        : x.toExponential(digits - 1).replace(/\.?0*e/, "e").replace(/e\+?(-?\d+)/, (_, n) => ` × 10${raised(n)}`);
    return text.replace("-", "−");
}

const raised = n => String(n).replace(/./g, c => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]);

/** Round places between two ends, with labels. */
function ticksOf([low, high], log, count) {
    if (log && high - low > 1.2) {
        const every = Math.max(1, Math.ceil((high - low) / count));
        const first = Math.ceil(low - 1e-9) - (high - low < 2.2 ? 1 : 0);
        const ticks = [];
        for (let n = first; n <= high + 1e-9; n++) {
            if (((n % every) + every) % every === 0) ticks.push({ at: n, label: `10${raised(n)}` });
            // Few powers of ten need something between them.
            if (high - low < 2.2 && count > 5) {
                for (const part of [2, 5]) ticks.push({ at: n + Math.log10(part), label: `${part} × 10${raised(n)}` });
            }
        }
        return ticks.filter(({ at }) => at >= low - 1e-9 && at <= high + 1e-9);
    }
    const [from, to] = log ? [10 ** low, 10 ** high] : [low, high];
    const rough = (to - from) / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find(f => f * power >= rough * (1 - 1e-9));
    const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    const size = Math.max(Math.abs(from), Math.abs(to));
    const ticks = [];
    for (let n = Math.ceil(from / step - 1e-6); n <= to / step + 1e-6; n++) {
        const value = n * step;
        const label = size >= 1e5 || size < 1e-3 ? shown(Number(value.toPrecision(4)), 4) : value.toFixed(digits).replace("-", "−");
        ticks.push({ at: log ? Math.log10(value) : value, label: n === 0 ? "0" : label });
    }
    return ticks;
}

/** The least and the greatest of what is finite, with some room; on a log axis as logarithms. */
function rangeOf(values, log, room = 0.04) {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
        const x = log ? (value > 0 ? Math.log10(value) : NaN) : value;
        if (Number.isFinite(x)) { low = Math.min(low, x); high = Math.max(high, x); }
    }
    if (low > high) return log ? [-1, 0] : [0, 1];
    if (high - low < 1e-12 * Math.max(1, Math.abs(low))) { const more = log ? 0.5 : Math.abs(low) * 0.1 || 1; return [low - more, high + more]; }
    return [low - room * (high - low), high + room * (high - low)];
}

class Plot {
    // label: for who cannot see it. x, y: { label, log }. read(x, y, plot): what the line below says, as { text, … }.
    // paint(plot, context): draws within the axes. right: room for a scale. ratio: height over width, or a function of it.
    constructor(holder, options) {
        Object.assign(this, { x: {}, y: {}, right: 12, ratio: 0.42, paint() {}, paintOver() {}, read: () => null, ...options });
        this.series = [];
        this.spare = 0;
        this.base = element("canvas");
        this.over = element("canvas");
        this.surface = element("div", { className: "surface", tabIndex: 0 }, this.base, this.over);
        this.surface.plot = this;
        this.surface.setAttribute("role", "application");
        this.surface.setAttribute("aria-label", `${this.label}. Arrow keys move the cross, plus and minus zoom, 0 shows all.`);
        this.readout = element("div", { className: "readout", dataset: { hint: "Point to read values, drag to zoom." } });
        this.readout.setAttribute("role", "status");
        this.back = element("button", { type: "button", className: "reset", textContent: "Show all", hidden: true, onclick: () => this.reset() });
        this.legend = element("div", { className: "legend" });
        holder.replaceChildren(this.legend, this.surface, element("div", { className: "below" }, this.readout, this.back));
        this.listen();
        new ResizeObserver(() => this.resize()).observe(this.surface);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    }

    /** The whole, in logarithms on log axes. */
    setRange(x, y) {
        this.whole = { x, y };
        this.view = { x: [...x], y: [...y] };
        this.back.hidden = true;
        this.resize();
    }

    /** Another whole, of which the same part stays in view along x. */
    setHeight(y) {
        this.whole.y = y;
        this.view.y = [...y];
        this.draw();
    }

    setSeries(series) {
        const hidden = new Set(this.series.filter(one => one.hidden).map(one => one.label));
        this.series = series.map(one => ({ ...one, hidden: hidden.has(one.label) }));
        const button = one => {
            const made = element("button", {
                type: "button", textContent: one.label, className: one.dash ? "dashed" : "", style: { "--swatch": `var(--curve-${one.color})` },
                onclick: () => { one.hidden = !one.hidden; made.setAttribute("aria-pressed", !one.hidden); this.draw(); },
            });
            made.setAttribute("aria-pressed", !one.hidden);
            return made;
        };
        this.legend.replaceChildren(...(series.length > 1 ? this.series.map(button) : []));
        this.draw();
    }

    resize() {
        const width = this.surface.clientWidth;
        if (!width || !this.view) return;
        const inner = width - this.margin().left - this.right;
        const ratio = typeof this.ratio === "function" ? this.ratio() : this.ratio;
        const within = clamp(inner * ratio, this.isEqual ? 60 : 180, Math.max(260, 0.7 * innerHeight));
        const height = Math.round(within + 52);
        // Where both axes are lengths, a circle stays a circle.
        this.spare = this.isEqual ? Math.max(0, inner - within / ratio) : 0;
        this.scale = devicePixelRatio || 1;
        if (width !== this.width || height !== this.height || this.base.width !== Math.round(width * this.scale)) {
            Object.assign(this, { width, height });
            for (const canvas of [this.base, this.over]) {
                canvas.width = Math.round(width * this.scale);
                canvas.height = Math.round(height * this.scale);
                canvas.style.height = `${height}px`;
            }
        }
        this.draw();
    }

    margin() {
        return { left: this.surface.clientWidth < 500 ? 52 : 76, top: 10, bottom: 42 };
    }

    /** The rectangle within the axes, in pixels of the page. */
    get box() {
        const { left, top, bottom } = this.margin();
        return { left, top, width: Math.max(1, this.width - left - this.right - this.spare), height: Math.max(1, this.height - top - bottom) };
    }

    toX(x) { const { left, width } = this.box, [a, b] = this.view.x; return left + width * (x - a) / (b - a); }
    toY(y) { const { top, height } = this.box, [a, b] = this.view.y; return top + height * (b - y) / (b - a); }
    fromX(px) { const { left, width } = this.box, [a, b] = this.view.x; return a + (b - a) * (px - left) / width; }
    fromY(py) { const { top, height } = this.box, [a, b] = this.view.y; return b - (b - a) * (py - top) / height; }

    /** Draws everything at the next frame. */
    draw() {
        if (this.waiting || !this.view || !this.width) return;
        this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.drawNow(); });
    }

    drawNow() {
        const context = this.base.getContext("2d");
        const { left, top, width, height } = this.box;
        context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
        context.clearRect(0, 0, this.width, this.height);
        context.save();
        context.beginPath();
        context.rect(left, top, width, height);
        context.clip();
        this.paint(this, context);
        const grid = !this.isMap;
        const ticks = { x: ticksOf(this.view.x, this.x.log, Math.max(2, width / 90)), y: ticksOf(this.view.y, this.y.log, Math.max(2, height / 50)) };
        context.strokeStyle = color("line");
        context.lineWidth = 1;
        if (grid) {
            for (const { at } of ticks.x) line(context, this.toX(at), top, this.toX(at), top + height);
            for (const { at } of ticks.y) line(context, left, this.toY(at), left + width, this.toY(at));
        }
        for (const mark of this.marks ?? []) {
            const x = this.toX(mark.at);
            context.setLineDash([2, 3]);
            context.strokeStyle = color("muted");
            line(context, x, top, x, top + height);
            context.setLineDash([]);
            context.fillStyle = color("muted");
            context.font = "12px system-ui, sans-serif";
            context.textAlign = "left";
            context.textBaseline = "top";
            context.fillText(mark.label, x + 4, top + 3);
        }
        for (const one of this.series.filter(one => !one.hidden)) this.curve(context, one);
        this.paintOver(this, context);
        context.restore();
        context.strokeStyle = color("muted");
        context.lineWidth = 1;
        context.strokeRect(left, top, width, height);
        context.fillStyle = color("muted");
        context.font = "12px system-ui, sans-serif";
        context.textBaseline = "top";
        context.textAlign = "center";
        let end = -Infinity;
        for (const { at, label } of ticks.x) {
            const x = clamp(this.toX(at), left + 4, left + width - 4), half = context.measureText(label).width / 2;
            line(context, this.toX(at), top + height, this.toX(at), top + height + 4);
            if (x - half > end) { context.fillText(label, x, top + height + 7); end = x + half + 8; }
        }
        context.textAlign = "right";
        context.textBaseline = "middle";
        for (const { at, label } of ticks.y) {
            line(context, left - 4, this.toY(at), left, this.toY(at));
            context.fillText(label, left - 7, this.toY(at));
        }
        context.fillStyle = color("ink");
        context.font = "13px system-ui, sans-serif";
        context.textAlign = "center";
        context.textBaseline = "bottom";
        context.fillText(this.x.label ?? "", left + width / 2, this.height - 1);
        context.save();
        context.translate(1, top + height / 2);
        context.rotate(-Math.PI / 2);
        context.textBaseline = "top";
        context.fillText(this.y.label ?? "", 0, 0);
        context.restore();
        this.paintBeside?.(this, context);
        this.drawOver();
    }

    curve(context, { points, band, color: index, dash, marked, width = 1.75 }) {
        const place = (x, log) => log ? (x > 0 ? Math.log10(x) : NaN) : x;
        context.strokeStyle = context.fillStyle = color(`curve-${index}`);
        if (band) {
            // Down one edge and back along the other.
            context.beginPath();
            for (const [x, y] of [...band[0], ...band[1].toReversed()]) context.lineTo(this.toX(x), this.toY(y));
            context.globalAlpha = 0.2;
            context.fill();
            context.globalAlpha = 1;
        }
        context.lineWidth = width;
        context.setLineDash(dash ? [6, 5] : []);
        context.lineJoin = "round";
        context.beginPath();
        let open = false;
        const dots = [];
        for (const [x, y] of points) {
            const px = this.toX(place(x, this.x.log)), py = this.toY(place(y, this.y.log));
            if (!Number.isFinite(px) || !Number.isFinite(py)) { open = false; continue; }
            if (open) context.lineTo(px, py); else context.moveTo(px, py);
            open = true;
            if (marked) dots.push([px, py]);
        }
        if (marked !== "alone") context.stroke();
        context.setLineDash([]);
        for (const [px, py] of dots) { context.beginPath(); context.arc(px, py, marked === "alone" ? 4 : 2.6, 0, 7); context.fill(); }
    }

    drawOver() {
        const context = this.over.getContext("2d");
        const { left, top, width, height } = this.box;
        context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
        context.clearRect(0, 0, this.width, this.height);
        if (this.cross) {
            const x = this.toX(this.cross.x), y = this.toY(this.cross.y);
            context.strokeStyle = this.isMap ? "#fff" : color("muted");
            context.lineWidth = 1;
            if (this.isMap) { context.shadowColor = "#000"; context.shadowBlur = 2; }
            if (x >= left && x <= left + width) line(context, x, top, x, top + height);
            if (y >= top && y <= top + height && this.isMap) line(context, left, y, left + width, y);
            context.shadowBlur = 0;
        }
        if (this.drag?.moved) {
            const { from, to } = this.drag;
            context.fillStyle = "rgb(120 160 220 / 25%)";
            context.strokeStyle = color("accent");
            context.fillRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
            context.strokeRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
        }
    }

    setCross(x, y) {
        this.cross = { x, y };
        const said = this.read(x, y, this);
        this.readout.textContent = said?.text ?? "";
        for (const key of Object.keys(this.readout.dataset)) if (key !== "hint") delete this.readout.dataset[key];
        Object.assign(this.readout.dataset, said?.data ?? {});
        if (this.width) this.drawOver();
    }

    /** What is read may have changed. */
    readAgain() {
        if (this.cross) this.setCross(this.cross.x, this.cross.y);
    }

    setView(x, y) {
        const least = k => 1e-9 * (this.whole[k][1] - this.whole[k][0]);
        if (x[1] - x[0] < least("x") || y[1] - y[0] < least("y")) return;
        const within = ([a, b], [low, high]) => {
            if (b - a >= high - low) return [low, high];
            const shift = Math.max(0, low - a) - Math.max(0, b - high);
            return [a + shift, b + shift];
        };
        this.view = { x: within(x, this.whole.x), y: within(y, this.whole.y) };
        this.back.hidden = this.view.x.every((v, i) => v === this.whole.x[i]) && this.view.y.every((v, i) => v === this.whole.y[i]);
        this.draw();
    }

    zoom(factor, x, y) {
        const around = ([a, b], c) => [c - (c - a) * factor, c + (b - c) * factor];
        this.setView(around(this.view.x, x), around(this.view.y, y));
    }

    reset() {
        this.view = { x: [...this.whole.x], y: [...this.whole.y] };
        this.back.hidden = true;
        this.draw();
        this.surface.focus({ preventScroll: true });
    }

    listen() {
        const { surface } = this;
        const at = event => {
            const bounds = surface.getBoundingClientRect(), { left, top, width, height } = this.box;
            return [clamp(event.clientX - bounds.left, left, left + width), clamp(event.clientY - bounds.top, top, top + height)];
        };
        surface.addEventListener("pointerdown", event => {
            if (event.button !== 0 || !this.view) return;
            if (event.pointerType !== "touch") {
                this.drag = { from: at(event), to: at(event), moved: false };
                surface.setPointerCapture(event.pointerId);
            }
            const [px, py] = at(event);
            this.setCross(this.fromX(px), this.fromY(py));
        });
        surface.addEventListener("pointermove", event => {
            if (!this.view) return;
            const [px, py] = at(event);
            if (this.drag) {
                this.drag.to = [px, py];
                this.drag.moved ||= Math.hypot(px - this.drag.from[0], py - this.drag.from[1]) > 6;
            }
            this.setCross(this.fromX(px), this.fromY(py));
        });
        const end = apply => () => {
            const { drag } = this;
            this.drag = null;
            if (apply && drag?.moved) {
                const sorted = (a, b) => a < b ? [a, b] : [b, a];
                const wide = Math.abs(drag.to[0] - drag.from[0]) > 6, high = Math.abs(drag.to[1] - drag.from[1]) > 6;
                this.setView(
                    wide ? sorted(this.fromX(drag.from[0]), this.fromX(drag.to[0])) : this.view.x,
                    high ? sorted(this.fromY(drag.from[1]), this.fromY(drag.to[1])) : this.view.y,
                );
            }
            if (this.view) this.drawOver();
        };
        surface.addEventListener("pointerup", end(true));
        surface.addEventListener("pointercancel", end(false));
        surface.addEventListener("dblclick", () => this.reset());
        surface.addEventListener("wheel", event => {
            // Whoever scrolls past a plot does not mean to zoom.
            if (!this.view || !(event.ctrlKey || document.activeElement === surface)) return;
            event.preventDefault();
            const [px, py] = at(event);
            this.zoom(Math.exp(clamp(event.deltaY, -200, 200) / 400), this.fromX(px), this.fromY(py));
        }, { passive: false });
        surface.addEventListener("keydown", event => {
            if (!this.view || event.ctrlKey || event.metaKey || event.altKey) return;
            const { x, y } = this.view, middle = ([a, b]) => (a + b) / 2;
            const cross = this.cross ?? { x: middle(x), y: middle(y) };
            const step = event.shiftKey ? 0.1 : 0.01;
            const [dx, dy] = [step * (x[1] - x[0]), step * (y[1] - y[0])];
            const moves = { ArrowLeft: [-dx, 0], ArrowRight: [dx, 0], ArrowUp: [0, dy], ArrowDown: [0, -dy] };
            if (moves[event.key]) this.setCross(clamp(cross.x + moves[event.key][0], ...x), clamp(cross.y + moves[event.key][1], ...y));
            else if (event.key === "+" || event.key === "=") this.zoom(0.7, cross.x, cross.y);
            else if (event.key === "-") this.zoom(1 / 0.7, cross.x, cross.y);
            else if (event.key === "0") this.reset();
            else return;
            event.preventDefault();
        });
    }
}

function line(context, x0, y0, x1, y1) {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
}

/** A chart of curves over an axis: what each of them says nearest to the cross is read. */
function chart(holder, { label, x, y, series, marks, xRange }) {
    const plot = new Plot(holder, {
        label, x, y, marks, ratio: 0.36,
        read(at, up, plot) {
            const near = one => one.points.reduce((best, point) => {
                const own = x.log ? Math.log10(point[0]) : point[0];
                return Number.isFinite(point[1]) && Math.abs(own - at) < Math.abs(best.own - at) ? { own, point } : best;
            }, { own: Infinity });
            const found = plot.series.filter(one => !one.hidden).map(one => [one, near(one).point]).filter(([, point]) => point);
            if (!found.length) return null;
            const step = found[0][1][0];
            return {
                text: `${x.label} ${shown(step)}: ${found.map(([one, point]) => `${one.label} ${shown(point[1], 3)}`).join(", ")}`,
                data: { x: step, value: found[0][1][1] },
            };
        },
    });
    const all = k => series.flatMap(one => one.points.map(point => point[k]));
    plot.setRange(xRange ?? rangeOf(all(0), x.log, 0.02), rangeOf(all(1), y.log));
    plot.setSeries(series);
    return plot;
}
