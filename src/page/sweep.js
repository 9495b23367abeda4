// The page of a sweep: a table of runs to sort and to filter, and their numbers over one another.

const { columns } = data;
const runs = data.rows.map(cells => Object.fromEntries(cells.map((cell, i) => [columns[i], cell])));
const filled = columns.filter(name => runs.some(run => run[name] !== null && run[name] !== ""));
// What all runs have in common is said once.
const common = runs.length > 1 ? data.axes.filter(name => new Set(runs.map(run => run[name])).size === 1) : [];
// Errors are what a reader looks for: they stand before the losses.
const isError = name => /^(rel_l2|rms_error)_/.test(name);
const place = name => name.startsWith("loss_") ? 3 : isError(name) ? 1 : filled.indexOf(name) > filled.indexOf("outcome") ? 2 : 0;
const tabled = filled.filter(name => !common.includes(name)).sort((a, b) => place(a) - place(b));
const isNumber = name => runs.every(run => run[name] === null || typeof run[name] === "number");
const numbers = filled.filter(isNumber);
const titles = { run: "run", best_loss: "best loss", final_loss: "final loss", rel_l2: "relative L² error of", rms_error: "rms error of", loss: "loss of" };
const title = name => titles[name] ?? name.replace(/^(rel_l2|rms_error|loss)_(.+)$/, (_, kind, of) => `${titles[kind]} ${of}`);
const rows = runs.map((run, i) => ({ run, number: i + 1, link: data.links[i] }));
// Rows of the table, and values to pick from, at the most: a browser lays out no more at once.
const mostRows = 1000;
const mostValues = 500;
// Points in the plot, at the most: more hide one another.
const mostPoints = 10000;
const table = document.getElementById("run-table");
const view = { sort: null, down: false, text: "", choices: {} };

const visible = () => {
    const words = view.text.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = rows.filter(({ run }) =>
        words.every(word => filled.some(name => String(run[name]).toLowerCase().includes(word)))
        && Object.entries(view.choices).every(([name, value]) => value === "" || String(run[name]) === value));
    if (!view.sort) return kept;
    const order = (a, b) => {
        if (view.sort === "run") return view.down ? b.number - a.number : a.number - b.number;
        const [x, y] = [a.run[view.sort], b.run[view.sort]];
        // What has no value comes last, whichever way.
        if (x === null || y === null) return (x === null) - (y === null);
        const sign = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
        return view.down ? -sign : sign;
    };
    return [...kept].sort(order);
};

function fill() {
    const head = tabled.map(name => {
        const cell = element("th", { scope: "col" }, element("button", {
            type: "button", textContent: title(name),
            onclick: () => { view.down = view.sort === name && !view.down; view.sort = name; fill(); table.querySelector(`[data-name="${CSS.escape(name)}"] button`)?.focus(); },
        }));
        cell.dataset.name = name;
        if (view.sort === name) cell.setAttribute("aria-sort", view.down ? "descending" : "ascending");
        return cell;
    });
    const kept = visible();
    const body = kept.slice(0, mostRows).map(({ run, number, link }) => element("tr", {}, ...tabled.map(name => {
        const value = run[name];
        const text = value === null ? "–" : typeof value === "number" ? shown(value, 4) : value;
        if (name !== "run") return element("td", { textContent: text });
        // A name repeats the columns beside it, and would leave no room for them.
        return element("th", { scope: "row", title: value }, link ? element("a", { href: encodeURI(link), textContent: number }) : String(number));
    })));
    table.replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
    document.getElementById("run-count").textContent = `${kept.length} of ${rows.length} runs`
        + (common.length ? `, all with ${common.map(name => `${title(name)} ${runs[0][name]}`).join(", ")}` : "")
        + (kept.length > mostRows ? `; the first ${mostRows} in this order are shown` : "");
    compare();
}

const choice = (label, options, value, change) => {
    const select = element("select", { onchange: () => change(select.value) },
        ...options.map(([text, value]) => element("option", { textContent: text, value })));
    select.value = value;
    return element("label", { className: "half" }, label, select);
};

const search = element("input", { type: "search", placeholder: "any words", oninput: () => { view.text = search.value; fill(); } });
document.getElementById("run-controls").append(
    element("label", {}, "Filter", search),
    ...data.axes.filter(name => tabled.includes(name)).flatMap(name => {
        const values = [...new Set(runs.map(run => String(run[name])))];
        return values.length > mostValues ? [] : choice(title(name), [["all", ""], ...values.map(value => [value, value])], "", value => { view.choices[name] = value; fill(); });
    }),
);

const measured = numbers.filter(name => !data.axes.includes(name));
const axesOfNumbers = numbers.filter(name => data.axes.includes(name) && name !== "seed" && new Set(runs.map(run => run[name])).size > 1);
const colours = data.axes.filter(name => new Set(runs.map(run => run[name])).size <= mostValues);
const picked = {
    x: axesOfNumbers.find(name => name === data.across) ?? axesOfNumbers[0] ?? numbers[0],
    y: measured.find(name => name.startsWith("rel_l2")) ?? measured[0],
    by: colours.find(name => name === data.compared) ?? colours.find(name => !isNumber(name)) ?? "",
};

let plot = null;
function compare() {
    const holder = document.getElementById("compare-plot");
    if (!picked.x || !picked.y) return;
    const all = visible().map(({ run }) => run).filter(run => run[picked.x] !== null && run[picked.y] !== null);
    // Spread over all of them without regard to their axes (Knuth's multiplicative hash).
    const isKept = i => (Math.imul(i, 2654435761) >>> 0) * all.length < 2 ** 32 * mostPoints;
    const kept = all.filter((_, i) => isKept(i));
    document.getElementById("compare-count").textContent = kept.length < all.length ? `${kept.length} of ${all.length} runs` : "";
    const groups = new Map();
    for (const run of kept) {
        const label = picked.by ? String(run[picked.by]) : "runs";
        if (!groups.has(label)) groups.set(label, []);
        groups.get(label).push(run);
    }
    const points = k => kept.map(run => run[picked[k]]);
    // Evenly or by powers, whichever spreads the numbers better.
    const isLog = k => {
        const values = points(k);
        const [low, high] = values.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [Infinity, -Infinity]);
        return values.length > 0 && low > 0 && high > 9 * low;
    };
    plot = chart(holder, {
        label: "Runs compared", x: { label: title(picked.x), log: isLog("x") }, y: { label: title(picked.y), log: isLog("y") },
        xRange: rangeOf(points("x"), isLog("x"), 0.06),
        series: [...groups].map(([label, runs], i) => ({
            label, color: 1 + i % 7, marked: "alone", points: runs.map(run => [run[picked.x], run[picked.y]]),
        })),
    });
}

const named = names => names.map(name => [title(name), name]);
document.getElementById("compare-controls").append(
    choice("Across", named(numbers), picked.x, value => { picked.x = value; compare(); }),
    choice("Up", named(measured), picked.y, value => { picked.y = value; compare(); }),
    choice("Colour", [["none", ""], ...named(colours)], picked.by, value => { picked.by = value; compare(); }),
);

fill();
