// Opens pages in a real browser and fails on what a reader would stumble over. Called by report.sh:
//   node report.mjs CHROMIUM PAGES_DIR SHOTS_DIR [PICTURE.png]

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [browser, pages, shots, picture] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BYTES_MAX = 1_000_000;
const WIDTHS = [390, 1440];
// A screenshot that is higher than this is no longer looked at, and some sizes crash the browser.
const HEIGHT_MAX = 15_000;

let failures = 0;
function fail(page, what) {
  failures += 1;
  console.log(`FAIL ${page}: ${what}`);
}

/** Starts the browser with a profile of its own, and gives the address to talk to it. */
async function start(profile) {
  const child = spawn(browser, [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank",
  ], { stdio: ["ignore", "ignore", "pipe"] });
  const address = await new Promise((found, failed) => {
    let said = "";
    const late = setTimeout(() => failed(new Error(`the browser did not start: ${said}`)), 90_000);
    child.once("exit", () => failed(new Error(`the browser ended: ${said}`)));
    child.stderr.on("data", (text) => {
      said += text;
      const match = said.match(/DevTools listening on (ws:\S+)/);
      if (match) { clearTimeout(late); found(match[1]); }
    });
  });
  return { child, address };
}

/** What is wider than the window, by tag and class. */
function overflowing() {
  const wide = document.documentElement.clientWidth;
  const scrolls = (element) => element.closest(".scroll, .unseen, .skip") !== null;
  const found = [...document.querySelectorAll("body *")]
    .filter((element) => !scrolls(element) && element.getBoundingClientRect().right > wide + 1)
    .map((element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`);
  return { wide, whole: document.documentElement.scrollWidth, found: found.slice(0, 5) };
}

/** The smallest text on the page, in pixels as they are seen: SVG scales its text. */
function smallestText() {
  let least = { size: Infinity, text: "" };
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (text === "" || element.closest("desc, title, .unseen") || element.getClientRects().length === 0) continue;
    const svg = element.closest("svg");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const size = parseFloat(getComputedStyle(element).fontSize) * scale;
    if (size < least.size) least = { size, text: text.slice(0, 40) };
  }
  return least;
}

/** Tab reaches everything that can be used, in its order, and each is seen to have the focus. */
async function keyboard(page, name) {
  const stops = await page.evaluate(() => {
    document.activeElement?.blur?.();
    window.scrollTo(0, 0);
    const all = [...document.querySelectorAll("a[href], area[href], button, input, select, textarea, summary, [tabindex='0']")];
    // What is folded up is not there.
    window.tabStops = all.filter((element) => element.checkVisibility());
    return window.tabStops.length;
  });
  for (let stop = 0; stop < stops; stop += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const [box, style] = [element.getBoundingClientRect(), getComputedStyle(element)];
      return {
        stop: window.tabStops.indexOf(element),
        what: element.outerHTML.slice(0, 100),
        outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
        inView: box.width > 0 && box.left >= 0 && box.top < innerHeight && box.bottom > 0,
      };
    });
    if (at.stop !== stop) {
      const wanted = await page.evaluate((stop) => window.tabStops[stop].outerHTML.slice(0, 100), stop);
      return fail(name, `Tab number ${stop + 1} leads to ${at.what}, not to ${wanted}`);
    }
    if (stop === 0 && !at.what.includes('href="#main"')) fail(name, `the first Tab leads to ${at.what}, not to #main`);
    if (at.outline < 2) fail(name, `the focus is not seen: outline of ${at.outline} pixels around ${at.what}`);
    if (!at.inView) fail(name, `the focus is out of view: ${at.what}`);
  }
  await page.keyboard.press("Tab");
  const past = await page.evaluate(() => document.activeElement !== document.body && window.tabStops.indexOf(document.activeElement) !== 0);
  if (past) fail(name, "Tab does not end with the page");
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  const skipped = await page.evaluate(() => document.activeElement.id);
  if (skipped !== "main") fail(name, `skipping to the content leads to ${skipped}`);
  console.log(`${name}: ${stops} places that Tab reaches`);
}

/** As it is printed on A4: what is wider than the paper is cut off there. */
async function printed(page, label, name) {
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize({ width: 700, height: 1000 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  if (width > 700) fail(label, `printed, it is ${width} wide on 700`);
  const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), HEIGHT_MAX);
  await page.screenshot({ path: join(shots, `${name}-print.png`), clip: { x: 0, y: 0, width: 700, height }, fullPage: true });
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ media: "screen" });
}

/** Accessibility by axe, with everything unfolded: what is folded up is not looked at. */
async function accessible(page, name) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
  // Through the protocol, not a script element: the page's policy allows none.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const result = await window.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return result.violations.map((rule) => ({ id: rule.id, help: rule.help, on: rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)) }));
  });
  for (const rule of found) fail(name, `axe ${rule.id}: ${rule.help}\n     ${rule.on.join("\n     ")}`);
}

async function look(context, name, file, width, scheme) {
  const page = await context.newPage();
  const label = `${name} ${width} ${scheme}`;
  page.on("console", (message) => fail(label, `console: ${message.text()}`));
  page.on("pageerror", (error) => fail(label, `error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== pathToFileURL(file).href) fail(label, `request: ${request.url()}`);
  });
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await page.goto(pathToFileURL(file).href);
  const overflow = await page.evaluate(overflowing);
  if (overflow.whole > overflow.wide || overflow.found.length > 0) {
    fail(label, `wider than the window: ${overflow.whole} over ${overflow.wide}; ${overflow.found.join(", ")}`);
  }
  const least = await page.evaluate(smallestText);
  if (least.size < 11) fail(label, `text of ${least.size.toFixed(1)} pixels: ${least.text}`);
  const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), HEIGHT_MAX);
  await page.screenshot({ path: join(shots, `${name}-${width}-${scheme}.png`), clip: { x: 0, y: 0, width, height }, fullPage: true });
  if (scheme === "light") await keyboard(page, label);
  if (scheme === "light" && width === 1440) {
    await printed(page, label, name);
    await page.pdf({ path: join(shots, `${name}.pdf`), format: "A4", margin: { top: "14mm", bottom: "14mm", left: "12mm", right: "12mm" } });
  }
  await accessible(page, label);
  await page.close();
}

/** The picture for the documentation: the top of the page, light. */
async function portray(context, file) {
  const page = await context.newPage();
  await page.setViewportSize({ width: 1280, height: 1500 });
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(pathToFileURL(file).href);
  writeFileSync(picture, await page.screenshot());
  await page.close();
}

mkdirSync(shots, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "report-browser-"));
const { child, address } = await start(profile);
try {
  const connection = await chromium.connectOverCDP(address);
  const context = connection.contexts()[0];
  const files = readdirSync(pages).filter((file) => file.endsWith(".html")).sort();
  if (files.length === 0) fail(pages, "there are no pages");
  for (const file of files) {
    const [name, path] = [file.replace(/\.html$/, ""), resolve(pages, file)];
    const bytes = statSync(path).size;
    if (bytes >= BYTES_MAX) fail(name, `${bytes} bytes`);
    for (const width of WIDTHS) for (const scheme of ["light", "dark"]) await look(context, name, path, width, scheme);
    console.log(`${name}: ${bytes} bytes, ${failures} failures so far`);
  }
  const portrayed = ["run.html", "sample.html"].find((file) => files.includes(file));
  if (picture && portrayed) await portray(context, resolve(pages, portrayed));
  await connection.close();
} finally {
  child.removeAllListeners("exit");
  child.kill();
  await new Promise((ended) => {
    child.once("exit", ended);
    setTimeout(() => child.kill("SIGKILL"), 10_000);
  });
  // Its helpers may write for a moment longer.
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
}
console.log(failures === 0 ? "ok" : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
