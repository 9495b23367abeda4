// Opens the pages of runs and of a sweep in Chromium, uses them, and compares what they say with `pinn-solve predict`.
//
// Usage: node check.mjs PINN-SOLVE FOLDER
//
// FOLDER has node_modules/playwright-core, and gets the runs and pictures of their pages.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const program = path.resolve(process.argv[2]);
const folder = path.resolve(process.argv[3]);
const shapes = fileURLToPath(new URL("../../docs/shapes/", import.meta.url));
const { chromium } = createRequire(path.join(folder, "package.json"))("playwright-core");

const runs = path.join(folder, "runs");
const pictures = path.join(folder, "pictures");
const MEGABYTES = 2e6;
// What a page and `predict` may differ by, relative to numbers above 1.
const CLOSE = 1e-6;

const solve = (name, ...words) =>
    execFileSync(program, [...words, "--out", name, "--quiet", "--accept"], { cwd: runs, stdio: ["ignore", "ignore", "inherit"] });

const BEAM = `
title = "Beam on an elastic ground"
[coordinates]
x = [0, 1]
[unknowns]
w = {}
[conditions.physics]
place = "interior"
residual = "w_xxxx + 10*w - 1"
[conditions.left]
place = "x = 0"
residual = ["w", "w_x"]
[conditions.right]
place = "x = 1"
residual = ["w", "w_xx"]
`;
const SWEEP = `
title = "Heat: loss against scale"
[base]
problem = "heat"
network = { depth = 3, width = 12 }
[axes]
seed = { from = 0, to = 1 }
init = ["proposed", "eoc"]
scale = [0.1, 0.5, 1.0, 2.0]
steps = [60]
[figures]
x = "scale"
series = "init"
`;

/** What `predict` says. */
function predicted(run, names, point, quantity) {
    const at = point.map((x, i) => `${names[i]}=${x}`).join(",");
    const text = execFileSync(program, ["predict", run, "--at", at, "--quantity", quantity, "--quiet"], { cwd: runs, encoding: "utf8" });
    return Number(text.split("\n")[1].split(",").at(-1));
}

function near(found, expected, what) {
    const off = Math.abs(found - expected) / Math.max(1, Math.abs(expected));
    assert.ok(off <= CLOSE, `${what}: ${found} instead of ${expected}`);
    console.log(`${what}: off by ${off.toExponential(1)}`);
}

const browser = await chromium.launch({
    executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync),
    args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
});

/** A page in a window of this size, whose every error fails the test. */
async function open(file, { width = 1440, height = 1000, dark = false } = {}) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? "dark" : "light" });
    const wrong = [];
    page.on("console", message => { if (["error", "warning"].includes(message.type())) wrong.push(message.text()); });
    page.on("pageerror", error => wrong.push(String(error)));
    page.on("request", request => { if (!/^(file|data):/.test(request.url())) wrong.push(`asks for ${request.url()}`); });
    await page.goto(pathToFileURL(path.join(runs, file)).href);
    return { page, wrong };
}

const painted = page => page.waitForFunction(() => document.querySelector("#field-plot").dataset.done === "true", null, { timeout: 60_000 });

/** Points at a place of a plot, from 0 to 1 across and down, and says what is read. */
async function read(page, plot, across, down) {
    await page.locator(`${plot} .surface`).scrollIntoViewIfNeeded();
    const bounds = await page.locator(`${plot} .surface`).boundingBox();
    const box = await page.evaluate(plot => document.querySelector(`${plot} .surface`).plot.box, plot);
    await page.mouse.move(bounds.x + box.left + box.width * across, bounds.y + box.top + box.height * down);
    const line = page.locator(`${plot} .readout`);
    return { text: await line.textContent(), ...await line.evaluate(node => ({ ...node.dataset })) };
}

async function shots(file, name) {
    for (const width of [1440, 400]) {
        for (const dark of [false, true]) {
            const { page, wrong } = await open(file, { width, dark });
            if (name !== "sweep") await painted(page);
            const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(wide <= 0, `${name} at ${width}: ${wide} pixels too wide`);
            await page.waitForTimeout(200);
            await page.screenshot({ path: path.join(pictures, `${name}-${width}-${dark ? "dark" : "light"}.png`), fullPage: true });
            assert.deepEqual(wrong, []);
            await page.close();
        }
    }
}

/** Uses the page of a run: every quantity, a slider, zoom, and what is read against `predict`. */
async function use(name, names, asked) {
    const file = `${name}/report.html`;
    const size = statSync(path.join(runs, file)).size;
    assert.ok(size < MEGABYTES, `${file} has ${size} bytes`);
    console.log(`${file}: ${size} bytes`);
    const { page, wrong } = await open(file);
    await painted(page);
    await page.locator("#field-plot").scrollIntoViewIfNeeded();
    const select = page.locator("#field-controls select").first();
    const labels = await select.locator("option").allTextContents();
    const check = async what => {
        for (const [across, down] of [[0.31, 0.52], [0.77, 0.24], [0.12, 0.83], [0.19, 0.45]]) {
            const said = await read(page, "#field-plot", across, down);
            const point = JSON.parse(said.point);
            if (said.value === "NaN") continue;
            near(Number(said.value), predicted(name, names, point, what), `${name}, ${what} at ${point.map(x => x.toPrecision(3))}`);
            checked += 1;
        }
    };
    let checked = 0;
    for (const [label, quantity] of asked) {
        await select.selectOption(String(labels.findIndex(text => text === label)));
        await painted(page);
        await check(quantity);
    }
    for (const label of labels) {
        await select.selectOption({ label });
        await painted(page);
    }
    await select.selectOption(String(labels.findIndex(text => text === asked[0][0])));
    // Another value of each coordinate that is held.
    for (const slider of await page.locator("#field-controls input[type=range]").all()) {
        const before = (await read(page, "#field-plot", 0.4, 0.45)).point;
        await slider.focus();
        for (let k = 0; k < 3; k++) await page.keyboard.press("PageUp");
        assert.notEqual((await read(page, "#field-plot", 0.4, 0.45)).point, before);
        await painted(page);
        await check(asked[0][1]);
    }
    // Zoom by dragging, and closer by the wheel; then all again.
    const box = await page.locator("#field-plot .surface").boundingBox();
    const reset = page.locator("#field-plot .reset");
    const span = async () => {
        const [a, b] = [await read(page, "#field-plot", 0.2, 0.5), await read(page, "#field-plot", 0.6, 0.5)];
        return JSON.parse(b.point)[0] - JSON.parse(a.point)[0];
    };
    const whole = await span();
    const frame = await page.evaluate(() => document.querySelector("#field-plot .surface").plot.box);
    const place = share => [box.x + frame.left + frame.width * share, box.y + frame.top + frame.height * share];
    await page.mouse.move(...place(0.12));
    await page.mouse.down();
    await page.mouse.move(...place(0.42), { steps: 5 });
    await page.mouse.up();
    const dragged = await span();
    assert.ok(dragged < 0.5 * whole, `${dragged} of ${whole} is left after dragging`);
    await page.locator("#field-plot .surface").focus();
    await page.mouse.move(...place(0.5));
    await page.mouse.wheel(0, -200);
    const turned = await span();
    assert.ok(turned < 0.8 * dragged, `${turned} of ${dragged} is left after the wheel`);
    await painted(page);
    await check(asked[0][1]);
    assert.ok(await reset.isVisible());
    await reset.click();
    assert.ok(Math.abs(await span() - whole) < 1e-9 * Math.abs(whole));
    // The keyboard alone.
    await page.locator("#field-plot .surface").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("+");
    assert.ok(await reset.isVisible());
    await page.keyboard.press("0");
    assert.ok(!await reset.isVisible());
    // A worst point is shown where it is.
    const go = page.locator("button.go").first();
    if (await go.count()) {
        const at = JSON.parse(await go.getAttribute("data-at"));
        await go.click();
        await painted(page);
        const shown = JSON.parse(await page.locator("#field-plot .readout").getAttribute("data-point"));
        at.forEach((x, i) => assert.ok(Math.abs(x - shown[i]) < 1e-9 * Math.max(1, Math.abs(x)), `${at} is shown at ${shown}`));
    }
    const loss = await read(page, "#loss-plot", 0.5, 0.5);
    assert.match(loss.text, /^step \d+: total \d/);
    assert.ok(checked >= 4, `${name}: ${checked} values were compared`);
    assert.deepEqual(wrong, []);
    await page.close();
    await shots(file, name);
}

async function useSweep() {
    const size = statSync(path.join(runs, "sweep/report.html")).size;
    assert.ok(size < MEGABYTES, `the sweep's page has ${size} bytes`);
    console.log(`sweep/report.html: ${size} bytes`);
    const { page, wrong } = await open("sweep/report.html");
    const rows = page.locator("#run-table tbody tr");
    assert.equal(await rows.count(), 16);
    const column = async name => {
        const at = await page.locator("#run-table thead th").evaluateAll((cells, name) => cells.findIndex(cell => cell.dataset.name === name), name);
        const text = await rows.evaluateAll((rows, at) => rows.map(row => row.cells[at].textContent), at);
        return text.map(cell => Number(cell.replace("−", "-").replace(/ × 10(.*)/, (_, n) => `e${[...n].map(c => c === "⁻" ? "-" : "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c)).join("")}`)));
    };
    const sort = page.locator("#run-table th[data-name=best_loss] button");
    await sort.click();
    const rising = await column("best_loss");
    assert.deepEqual(rising, [...rising].sort((a, b) => a - b));
    await page.locator("#run-table th[data-name=best_loss] button").click();
    assert.deepEqual(await column("best_loss"), [...rising].reverse());
    await page.locator("#run-controls select").nth(1).selectOption("eoc");
    assert.equal(await rows.count(), 8);
    await page.locator("#run-controls input").fill("seed=1");
    assert.equal(await rows.count(), 4);
    await page.locator("#compare-controls select").first().selectOption("scale");
    const said = await read(page, "#compare-plot", 0.5, 0.5);
    assert.ok([0.1, 0.5, 1, 2].includes(Number(said.x)), said.text);
    // A run's name leads to its page.
    await page.locator("#run-table tbody a").first().click();
    await page.waitForSelector("#field-plot");
    assert.match(page.url(), /runs\/seed=1.*report\.html$/);
    await painted(page);
    assert.deepEqual(wrong, []);
    await page.close();
    await shots("sweep/report.html", "sweep");
}

try {
    rmSync(runs, { recursive: true, force: true });
    for (const each of [runs, pictures]) mkdirSync(each, { recursive: true });
    solve("black-scholes", "--problem", "black-scholes", "--scale", "0.1", "--steps", "300");
    await use("black-scholes", ["S", "t"], [["V", "V"], ["residual of physics", "physics"]]);
    solve("burgers", "--problem", "burgers", "--steps", "200");
    await use("burgers", ["x", "t"], [["u", "u"], ["residual of physics", "physics"]]);
    solve("annulus", path.join(shapes, "annulus.toml"), "--steps", "100");
    await use("annulus", ["x", "y"], [["u", "u"], ["residual of physics", "physics"]]);
    solve("sphere", path.join(shapes, "hollow-sphere.toml"), "--steps", "40");
    await use("sphere", ["x", "y", "z"], [["u", "u"], ["residual of physics", "physics"]]);
    writeFileSync(path.join(runs, "beam.toml"), BEAM);
    solve("beam", "beam.toml", "--steps", "60");
    await use("beam", ["x"], [["w", "w"], ["residual of physics", "physics"]]);
    writeFileSync(path.join(runs, "sweep.toml"), SWEEP);
    execFileSync(program, ["sweep", "sweep.toml", "--out", "sweep", "--quiet"], { cwd: runs, stdio: "ignore" });
    execFileSync(program, ["report", "sweep"], { cwd: runs, stdio: "ignore" });
    await useSweep();
    console.log("every page was used as it should be");
} finally {
    await browser.close();
}
