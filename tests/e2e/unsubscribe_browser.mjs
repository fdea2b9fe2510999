// The unsubscribe page in a real Chromium: by keyboard, without JavaScript, on a small screen; then judged by axe.
//
//     unsubscribe_browser.mjs '{"walks": [{"lang", "link", "words": {"ask", "this", "all", "done", "doneAll"}}],
//                               "audits": [{"name", "link", "clicks": ["this", "all"], "schemes": ["light", "dark"]}]}'
//
// Each walk leaves one list, then all; each audit looks at every page on its way. Ends with 1 and the
// reason at what is wrong. CHROMIUM names another browser.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const { walks = [], audits = [] } = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
        '--no-first-run'],
});

// A page that may only ask for itself, and has nothing to complain of.
async function openPage(options) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints = [];
    const asked = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => asked.push(`${request.method()} ${request.url()}`));
    return { context, page, complaints, asked };
}

async function look(page, lang, heading) {
    assert.equal(await page.locator('html').getAttribute('lang'), lang);
    assert.equal(await page.locator('h1').count(), 1);
    assert.equal((await page.locator('h1').innerText()).trim(), heading);
    assert.notEqual(await page.title(), '');
    assert.equal(await page.locator('script').count(), 0);
}

async function noSideways(page) {
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${content} px wide on a screen of ${screen}`);
}

// The next thing that the tab key leads to: what it says, and that it can be seen to be the one.
async function tab(page) {
    await page.keyboard.press('Tab');
    const at = page.locator(':focus');
    const [style, width] = await at.evaluate((element) => {
        const look = getComputedStyle(element);
        return [look.outlineStyle, parseFloat(look.outlineWidth)];
    });
    assert.ok(style !== 'none' && width >= 2, `focus cannot be seen: outline ${style} ${width}`);
    return (await at.innerText()).trim();
}

async function walk({ lang, link, words }, screen) {
    const { context, page, complaints, asked } = await openPage({ javaScriptEnabled: false, ...screen });
    await page.goto(link);
    await look(page, lang, words.ask);
    await noSideways(page);
    assert.equal(await tab(page), words.this);
    assert.equal(await tab(page), words.all);
    await page.keyboard.press('Shift+Tab');
    await Promise.all([page.waitForLoadState(), page.waitForEvent('response'), page.keyboard.press('Enter')]);
    await look(page, lang, words.done);
    await noSideways(page);
    assert.equal(await tab(page), words.all);
    await Promise.all([page.waitForLoadState(), page.waitForEvent('response'), page.keyboard.press('Space')]);
    await look(page, lang, words.doneAll);
    await noSideways(page);
    assert.deepEqual(complaints, []);
    assert.deepEqual(asked, [`GET ${link}`, `POST ${link}`, `POST ${link}`]);
    assert.deepEqual(await context.cookies(), []);
    await context.close();
}

async function judge(page, where) {
    await page.evaluate(axe.source);
    const { violations, passes } = await page.evaluate(() => window.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    const found = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`);
    assert.deepEqual(found, [], where);
    for (const id of ['color-contrast', 'html-has-lang', 'document-title', 'page-has-heading-one']) {
        assert.ok(passes.some((one) => one.id === id), `${where}: ${id} was not judged`);
    }
    await noSideways(page);
}

async function audit({ name, link, clicks, schemes }) {
    for (const colorScheme of schemes) {
        const { context, page, complaints } = await openPage({ bypassCSP: true, colorScheme,
            viewport: { width: 320, height: 256 } });
        await page.goto(link);
        await judge(page, `${name}, ${colorScheme}`);
        for (const click of clicks) {
            await page.locator(`button[value=${click}]`).click();
            await judge(page, `${name} behind ${click}, ${colorScheme}`);
        }
        assert.deepEqual(complaints.filter((text) => !/status of (404|503)/.test(text)), []);
        await context.close();
    }
}

// 1280 px at 400 % are 320.
const screens = [{ viewport: { width: 1280, height: 800 } }, { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }];
try {
    for (const one of walks) {
        for (const screen of screens) {
            await walk(one, screen);
        }
    }
    for (const one of audits) {
        await audit(one);
    }
} catch (error) {
    console.error(error.message);
    process.exitCode = 1;
} finally {
    await browser.close();
}
