// Nodemailer as its users run it for many mails: a pool of kept connections, one multipart mail a person from Mustache
// templates, nothing recorded.
//
//     nodemailer.mjs PORT CONNECTIONS MESSAGES BYTES
import nodemailer from 'nodemailer';
import mustache from 'mustache';

const [port, connections, messages, bytes] = process.argv.slice(2).map(Number);
const line = 'Summer Night on the Pier: doors open at seven, the band plays at eight. {{first}}, see you there.\n';
const text = 'Hello {{first}} {{last}},\n\n' + line.repeat(Math.max(1, Math.round(bytes / 2 / line.length) - 8));
const html = '<html><body><p>Hello {{first}} {{last}},</p>\n' + text.replaceAll('\n', '<br>\n') + '</body></html>\n';
const subject = 'Tickets for {{first}}: Summer Night';
[text, html, subject].forEach((template) => mustache.parse(template));

const pool = nodemailer.createTransport({
  pool: true, host: '127.0.0.1', port, ignoreTLS: true, maxConnections: connections, maxMessages: Infinity,
});

let begun = 0;
async function sendOnAndOn() {
  while (begun < messages) {
    const number = begun++;
    const person = { first: `Ada${number}`, last: 'Lovelace' };
    await pool.sendMail({
      from: 'Arena Tickets <tickets@arena.example>',
      to: `person${number}@receiver.example`,
      subject: mustache.render(subject, person),
      text: mustache.render(text, person),
      html: mustache.render(html, person),
      list: { unsubscribe: `https://lists.arena.example/subscription/${number}` },
    });
  }
}

await Promise.all(Array.from({ length: connections }, sendOnAndOn));
pool.close();
